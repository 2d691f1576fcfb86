package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/embedded"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/metrics"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// defaultAccount is the account of HEYGEN_API_KEY.
const defaultAccount = config.DefaultAccount

// shelf is the store, and the process that serves it if it is a folder.
type shelf struct {
	*storage.Store
	folder string // "" for a bucket
	server *embedded.S3
}

// openShelf opens the store for a command that only reads: nothing is written to it, not even to try it out.
func openShelf(ctx context.Context, cfg config.Config, log *slog.Logger) (*shelf, error) {
	s, err := startShelf(ctx, cfg, embedded.S3Options{Dir: cfg.StoreFolder, ReadOnly: true, Log: log}, log)
	if err != nil {
		return nil, err
	}
	if err := s.Reach(ctx); err != nil {
		return nil, errors.Join(withCode(exitDependency, err), s.Close())
	}
	return s, nil
}

// openShelfToWrite opens the store and makes sure that it takes what we want to give it: wrong credentials are said
// before any work begins.
func openShelfToWrite(ctx context.Context, cfg config.Config, log *slog.Logger) (*shelf, error) {
	s, err := startShelf(ctx, cfg, embedded.S3Options{Dir: cfg.StoreFolder, Log: log}, log)
	if err != nil {
		return nil, err
	}
	if _, err := s.Check(ctx); err != nil {
		return nil, errors.Join(withCode(exitDependency, err), s.Close())
	}
	return s, nil
}

func startShelf(ctx context.Context, cfg config.Config, folder embedded.S3Options, log *slog.Logger) (*shelf, error) {
	s := &shelf{folder: cfg.StoreFolder}
	sc := storage.Config{
		URL: cfg.Store, PartSize: cfg.PartSize, Checksum: cfg.Checksum, PublicURL: cfg.S3PublicURL, Log: log,
	}
	if s.folder != "" {
		var err error
		if s.server, err = embedded.StartS3(ctx, folder); err != nil {
			if folder.ReadOnly && errors.Is(err, fs.ErrNotExist) {
				return nil, withCode(exitNotYet, err)
			}
			return nil, withCode(exitDependency, err)
		}
		sc.URL, sc.Endpoint, sc.Region = "s3://"+s.server.Bucket, s.server.Endpoint, s.server.Region
		sc.Flush = s.flush
		sc.Credentials = storage.Credentials{AccessKey: s.server.AccessKey, SecretKey: s.server.SecretKey}
	}
	var err error
	if s.Store, err = storage.Open(ctx, sc); err != nil {
		return nil, errors.Join(withCode(exitUsage, err), s.Close())
	}
	return s, nil
}

// flush forces files of the folder onto the disk, and the folder that names them: the gateway leaves that to the
// system, and a power cut must not leave a manifest without the files that it vouches for.
func (s *shelf) flush(keys []string) error {
	dirs := map[string]bool{}
	for _, key := range keys {
		file := filepath.Join(s.folder, filepath.FromSlash(key))
		dirs[filepath.Dir(file)] = true
		if err := syncFile(file); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := errors.Join(syncFile(dir), syncFile(filepath.Dir(dir))); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("put %s on the disk: %w", name, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("put %s on the disk: %w", name, err)
	}
	return nil
}

// where says, for people, where the archive is.
func (s *shelf) where(cfg config.Config) string {
	if s.folder != "" {
		return s.folder
	}
	return cfg.Store
}

// file is the path of an object of a folder store.
func (s *shelf) file(k storage.VideoKey, name string) string {
	return filepath.Join(s.folder, filepath.FromSlash(k.Dir()), filepath.FromSlash(name))
}

// watch ends the run if the process that serves the folder dies. The function it returns ends the watching.
func (s *shelf) watch(stop context.CancelCauseFunc) func() {
	if s.server == nil {
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-s.server.Done():
			stop(withCode(exitDependency, fmt.Errorf("the folder %s is no longer served: %w", s.folder, s.server.Err())))
		case <-over:
		}
	}()
	return func() { close(over) }
}

func (s *shelf) Close() error {
	if s.Store != nil {
		s.Store.Close()
	}
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// parts is everything that archives: HeyGen, the way to its files, the shelf and the bench.
type parts struct {
	heygen   map[string]*heygen.Client // by account
	sources  *fetch.Client
	shelf    *shelf
	buffers  *worker.Buffers
	archiver *worker.Archiver
}

// makings are what the parts of a run differ in. All but open may be nil.
type makings struct {
	observer worker.Observer
	metrics  *metrics.Metrics
	open     func(ctx context.Context, cfg config.Config, log *slog.Logger) (*shelf, error)

	// What asking HeyGen sparingly takes to know of all the videos that wait, wherever they are worked on. wanted and
	// waiting are asked for every video and must be quick.
	wanted  func(account string) int         // videos that wait for their transfer
	waiting func(account string) int         // videos that wait for HeyGen: for their render, or for a late asset
	most    func(account string) int         // videos there are at all, as far as this process has to do with them
	gate    func(account string) heygen.Gate // the budget of requests that all share
}

// newParts builds the parts in the order in which they need each other.
func newParts(ctx context.Context, cfg config.Config, m makings, log *slog.Logger) (*parts, error) {
	p := &parts{}
	var err error
	if p.heygen, err = newHeyGens(cfg, m, log); err != nil {
		return nil, err
	}
	catalogs := map[string]worker.Catalog{}
	for account, client := range p.heygen {
		catalogs[account] = newCatalog(client, account, m)
	}
	if p.buffers, err = worker.NewBuffers(cfg.Memory, cfg.PartSize); err != nil {
		return nil, withCode(exitUsage, err)
	}
	limitHeap(p.buffers.OnHeap())
	if p.sources, err = newSources(cfg, m, log); err != nil {
		return nil, withCode(exitUsage, err)
	}
	if p.shelf, err = m.open(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.archiver, err = worker.NewArchiver(
		worker.Config{
			RenderWait: cfg.RenderWait, LateAssetsWait: cfg.LateAssetsWait, Waiting: m.waiting, KeyIn: cfg.KeyIn, Streams: cfg.Streams, Log: log,
		},
		worker.Deps{
			Catalogs: catalogs, Opener: p.sources, Store: p.shelf.Store, Buffers: p.buffers, Observer: m.observer,
		})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// newReadingParts builds what it takes to show the archive: HeyGen and the shelf.
func newReadingParts(ctx context.Context, cfg config.Config, m makings, log *slog.Logger) (*parts, error) {
	p := &parts{}
	var err error
	if p.heygen, err = newHeyGens(cfg, m, log); err != nil {
		return nil, err
	}
	if p.shelf, err = m.open(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func newHeyGens(cfg config.Config, m makings, log *slog.Logger) (map[string]*heygen.Client, error) {
	clients := map[string]*heygen.Client{}
	for _, account := range cfg.Accounts {
		client, err := newHeyGen(cfg, account, m, log)
		if err != nil {
			return nil, withCode(exitUsage, err)
		}
		clients[account.Name] = client
	}
	return clients, nil
}

func newCatalog(client *heygen.Client, account string, m makings) *heygen.Desk {
	cfg := heygen.DeskConfig{}
	if m.wanted != nil {
		cfg.Wanted = func() int { return m.wanted(account) }
	}
	if m.most != nil {
		cfg.Most = func() int { return m.most(account) }
	}
	return heygen.NewDesk(client, cfg)
}

func newSources(cfg config.Config, m makings, log *slog.Logger) (*fetch.Client, error) {
	fc := fetch.Config{
		StallTimeout: cfg.StallTimeout, HostStreams: cfg.HostStreams, Bandwidth: cfg.Bandwidth, SourceHosts: cfg.SourceHosts,
		PrivateSources: cfg.PrivateSources, UserAgent: userAgent(), Log: log,
	}
	if m.metrics != nil {
		fc.Observe = m.metrics
	}
	return fetch.New(fc)
}

// heapBeside is what the program needs beside part buffers, with room to spare.
const heapBeside = 64 << 20

// limitHeap makes the collector work harder rather than let garbage grow beside what REELKEEP_MEMORY allows. It is far
// below any container that holds the buffers, so the container's own limit need not be asked for. A limit that somebody
// has set by GOMEMLIMIT stands.
func limitHeap(buffers int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(buffers + heapBeside)
	}
}

func newHeyGen(cfg config.Config, account config.Account, m makings, log *slog.Logger) (*heygen.Client, error) {
	hc := heygen.Config{
		BaseURL: cfg.HeyGenURL, Key: account.Key, KeySetting: account.KeyIn, Version: cfg.HeyGenVersion,
		UserAgent: userAgent(), Log: log,
	}
	if m.metrics != nil {
		hc.Observe = m.metrics.HeyGenRequest
	}
	if m.gate != nil {
		hc.Gate = m.gate(account.Name)
	}
	client, err := heygen.New(hc)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", account.Name, err)
	}
	return client, nil
}

// held is how many bytes the part buffers hold; a process that only reads has none.
func (p *parts) held() int64 {
	if p.buffers == nil {
		return 0
	}
	return p.buffers.Held()
}

// Close gives everything back, what was built last first.
func (p *parts) Close() error {
	var err error
	if p.shelf != nil {
		err = p.shelf.Close()
	}
	if p.sources != nil {
		p.sources.Close()
	}
	if p.buffers != nil {
		p.buffers.Close()
	}
	return err
}
