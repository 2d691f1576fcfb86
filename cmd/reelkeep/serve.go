package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/embedded"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/metrics"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// service is one process of a fleet.
type service struct {
	cfg      config.Config
	roles    []string
	embedded bool
	log      *slog.Logger
	board    *board
	metrics  *metrics.Metrics
	bars     *bars
	crowd    crowd
	told     talk.Limit        // of hosts of files
	opened   func(addr string) // called once the page and the API are served; may be nil
}

const (
	// fleetStatusSlots is how many status questions a worker has open at once. They are cheap, and a hundred of them
	// make one call of HeyGen's bulk endpoint.
	fleetStatusSlots = 100
	// The pauses between tries to reach something at start.
	firstTry, longestTry = 500 * time.Millisecond, 10 * time.Second
)

// run starts the parts in the order in which they need each other and works until ctx ends. What ends: the roles first,
// which hand back what they have; then the store; Redis and the door to it last.
func (s *service) run(ctx context.Context) (err error) {
	told := ctx
	defer func() {
		if errors.Is(context.Cause(told), errInterrupted) && isStop(err) {
			err = nil // told to stop before all was in reach: nothing has gone wrong
		}
	}()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.board.starting("redis", "store")
	s.board.door(s.has(roleAPI))
	ops, err := startOps(ctx, s.cfg.OpsListen, s.board, s.metrics.Handler(), s.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	door, err := s.openDoor(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, door.Close()) }() //nolint:contextcheck // by then ctx has ended
	client, closeRedis, err := s.openQueue(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRedis()) }()
	if err := s.reach(ctx, "redis", queue.IsAway, func(ctx context.Context) error { return s.checkRedis(ctx, client) }); err != nil {
		return err
	}
	build := newParts
	if s.only(roleAPI) {
		build = newReadingParts
	}
	p, err := build(ctx, s.cfg, makings{
		observer: s.bars, metrics: s.metrics, open: s.openShelf, wanted: s.crowd.wanted, waiting: s.crowd.waiting,
		gate: func(account string) heygen.Gate { return client.Budget(account) },
	}, s.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	defer p.shelf.watch(stop)()
	if !s.only(roleAPI) { // what is archived is served whether or not HeyGen answers
		if err := s.checkKeys(ctx, p); err != nil {
			return err
		}
	}
	return s.work(ctx, client, p, door)
}

// isStop says whether an error only tells that we were told to stop.
func isStop(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)
}

// work runs the roles and the watching until ctx ends or one of them fails.
func (s *service) work(ctx context.Context, client *queue.Client, p *parts, door *door) error {
	if err := s.reach(ctx, "redis", queue.IsAway, func(ctx context.Context) error { return s.agree(ctx, client, p.shelf) }); err != nil {
		return err
	}
	var roles []func(context.Context) error
	handedIn := func() {}
	if s.has(roleWorker) {
		over := newCancelled(client, p.archiver, s.log)
		server, err := s.newServer(client, p, over)
		if err != nil {
			return err
		}
		roles = append(roles, over.watch)
		handedIn = server.Wake
		roles = append(roles, func(ctx context.Context) error { return s.serveUntilStopped(ctx, server) })
	}
	if s.has(roleSweeper) {
		sweeper, err := newSweeper(s.cfg, client, p, s.log)
		if err != nil {
			return err
		}
		roles = append(roles, sweeper.Run)
	}
	if s.has(roleAPI) {
		serve, err := s.newAPI(client, p, door)
		if err != nil {
			return err
		}
		roles = append(roles, serve)
	}
	s.log.Info("ready", "roles", strings.Join(s.roles, ","), "store", p.shelf.where(s.cfg), "accounts", strings.Join(s.cfg.AccountNames(), ","),
		"version", buildVersion().version)
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { s.watchDependencies(ctx, client, p); return nil })
	running.Go(func() error { s.crowd.watch(ctx, client, handedIn); return nil })
	running.Go(func() error { s.metrics.Watch(ctx, s.sources(client, p)); return nil })
	for _, role := range roles {
		running.Go(func() error { return role(ctx) })
	}
	err := running.Wait()
	s.log.Info("stopped")
	return err
}

// serveUntilStopped works until ctx ends. A Redis that hangs just then keeps the server from signing off, and that is no
// failure of ours: what was under way shows no sign of life soon.
func (s *service) serveUntilStopped(ctx context.Context, server *queue.Server) error {
	err := server.Run(ctx)
	if errors.Is(err, queue.ErrNotStopped) && ctx.Err() != nil {
		s.log.Warn("redis did not answer while we stopped; another worker takes over what was under way", "err", err)
		return nil
	}
	return err
}

func (s *service) newServer(client *queue.Client, p *parts, over *cancelled) (*queue.Server, error) {
	cfg := queue.ServerConfig{
		Concurrency: s.cfg.Concurrency, StatusConcurrency: fleetStatusSlots, Fingerprint: fingerprintOf(s.cfg, p.shelf), Log: s.log,
		Ready: func() bool { return s.board.fine("store") }, OnChange: func(c queue.Change) { s.metrics.VideoReached(c); over.hear(c) },
	}
	sender, err := newSender(s.cfg)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	if sender != nil { // a nil *Sender in the interface would be one
		cfg.Notify = sender
	}
	server, err := client.NewServer(cfg, s.metrics.Transfers(&bench{archiver: p.archiver, wait: true, outlook: s, bars: s.bars}))
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return server, nil
}

// sources is where the metrics that are looked up come from.
func (s *service) sources(client *queue.Client, p *parts) metrics.Sources {
	sweeps, accounts := client.Sweeps(), s.cfg.AccountNames()
	return metrics.Sources{
		Overview:    client.Overview,
		LastSweep:   func(ctx context.Context) (time.Time, error) { return sweeps.LastSuccess(ctx, accounts) },
		BufferBytes: p.held,
		RedisFine:   func() bool { return s.board.fine("redis") },
	}
}

func newSweeper(cfg config.Config, client *queue.Client, p *parts, log *slog.Logger) (*worker.Sweeper, error) {
	lists := map[string]worker.Lister{}
	for account, api := range p.heygen {
		lists[account] = api
	}
	return worker.NewSweeper(
		worker.SweeperConfig{Every: cfg.SweepEvery, FullEvery: cfg.SweepFullEvery, RenderWait: cfg.RenderWait, Log: log},
		worker.SweeperDeps{Lists: lists, Archive: p.shelf.Store, Intake: intake{client}, Timetable: timetable{client.Sweeps()}},
	)
}

// openQueue connects to the fleet's Redis, or brings one up in this process.
func (s *service) openQueue(ctx context.Context) (*queue.Client, func() error, error) {
	if !s.embedded {
		client, err := dialFleet(s.cfg)
		if err != nil {
			return nil, nil, err
		}
		return client, client.Close, nil
	}
	redis, err := embedded.StartRedis(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := queue.NewClient(redis.URL())
	if err != nil {
		redis.Close()
		return nil, nil, err
	}
	s.log.Warn("embedded: a restart forgets videos that are waiting, with their metadata and priority; sweeps find them again",
		"sweep_every", s.cfg.SweepEvery)
	return client, func() error {
		defer redis.Close()
		return client.Close()
	}, nil
}

// openShelf opens the store, however long it takes until it answers.
func (s *service) openShelf(ctx context.Context, cfg config.Config, log *slog.Logger) (*shelf, error) {
	if s.only(roleAPI) {
		return s.openShelfToRead(ctx, cfg, log)
	}
	sh, err := startShelf(ctx, cfg, embedded.S3Options{Dir: cfg.StoreFolder, Log: log}, log)
	if err != nil {
		return nil, err
	}
	if err := s.reach(ctx, "store", storeAway, func(ctx context.Context) error { _, err := sh.Check(ctx); return err }); err != nil {
		return nil, errors.Join(err, sh.Close())
	}
	return sh, nil
}

// openShelfToRead opens the store for a process that writes nothing to it. Another one of the fleet may be at work in a
// folder, and may not have made it yet; one with a Redis of its own is alone, and nobody would ever make it.
func (s *service) openShelfToRead(ctx context.Context, cfg config.Config, log *slog.Logger) (sh *shelf, err error) {
	early := func(err error) bool { return storeAway(err) || !s.embedded && errors.Is(err, fs.ErrNotExist) }
	err = s.reach(ctx, "store", early, func(ctx context.Context) error {
		if sh == nil {
			if sh, err = startShelf(ctx, cfg, embedded.S3Options{Dir: cfg.StoreFolder, ReadOnly: true, Log: log}, log); err != nil {
				return err
			}
		}
		return sh.Reach(ctx)
	})
	if err != nil && sh != nil {
		return nil, errors.Join(err, sh.Close())
	}
	return sh, err
}

// reach tries until the dependency answers. A refusal ends it: a person must act, and is told by exit code 5.
func (s *service) reach(ctx context.Context, name string, away func(error) bool, try func(context.Context) error) error {
	for pause := firstTry; ; pause = min(2*pause, longestTry) {
		err := try(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			s.board.set(name, nil)
			return nil
		case !away(err):
			return withCode(codeOf(ctx, err), err)
		}
		s.board.set(name, err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// storeAway says whether an error of the store means that waiting helps.
func storeAway(err error) bool {
	var away *storage.UnreachableError
	return errors.As(err, &away)
}

// wait pauses unless ctx ends first, and then says why.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// checkRedis looks whether Redis is what it must be, and tells what should be changed.
func (s *service) checkRedis(ctx context.Context, client *queue.Client) error {
	if s.embedded {
		return nil
	}
	warnings, err := client.Check(ctx)
	for _, w := range warnings {
		s.log.Warn("redis: "+w.Message, "code", w.Code, "hint", w.Hint) //nolint:sloglint // a warning is a sentence of its own
	}
	return err
}

// checkKeys asks HeyGen once for every account. Keys that are all refused end the service; one of several is only told,
// for the others' videos must not wait for it.
func (s *service) checkKeys(ctx context.Context, p *parts) error {
	refused := make(chan error, len(p.heygen))
	var asking errgroup.Group
	for account, api := range p.heygen {
		asking.Go(func() error {
			err := api.Check(ctx)
			if isBusy(err) {
				err = nil
			}
			s.board.set(heygenOf(account), err)
			if isKeyRefused(err) {
				refused <- fmt.Errorf("account %s: %w", account, err)
			}
			return nil
		})
	}
	_ = asking.Wait() // nothing above returns an error
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(refused) == len(p.heygen) {
		return withCode(exitDependency, <-refused)
	}
	return nil
}
