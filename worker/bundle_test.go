package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const part = 5 << 20 // the smallest that S3 allows, so that few bytes make many parts

// minio serves all tests of the package; each has a bucket of its own.
var minio *storagetest.Server

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	code := storagetest.RunWithMinIO(m, &minio)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// bundle is one bench with a HeyGen of its own and a corner of a real MinIO of its own.
type bundle struct {
	t      *testing.T
	ctx    context.Context
	sim    *heygensim.Sim
	bucket string
	store  *storage.Store
	cfg    worker.Config
	seen   *witness
	host   int   // connections to the asset host; 0 = the default
	memory int64 // of all part buffers
	wanted int   // videos that wait for their transfer, as the desk is told
	rate   int64 // bytes a second of everything; 0 = no limit
	astray bool  // links to GIFs name a host that is not allowed
	log    *lockedBuffer
}

func setup(t *testing.T, opt heygensim.Options) *bundle {
	t.Helper()
	t.Parallel()
	sim, err := heygensim.New(opt)
	must(t, err)
	t.Cleanup(func() { must(t, sim.Close()) })
	b := &bundle{t: t, ctx: t.Context(), sim: sim, seen: &witness{}, log: &lockedBuffer{}}
	b.bucket = minio.Bucket(t)
	b.store = b.openStore()
	b.memory = 4 * part
	b.cfg = worker.Config{LateAssetsWait: 10 * time.Minute}
	return b
}

// openStore returns a Store value of its own over the test's corner of MinIO: another worker, as it were.
func (b *bundle) openStore() *storage.Store { b.t.Helper(); return b.openStoreAt(minio.Endpoint) }

func (b *bundle) openStoreAt(endpoint string) *storage.Store {
	b.t.Helper()
	return b.openStoreOf(endpoint, part)
}

func (b *bundle) openStoreOf(endpoint string, size int64) *storage.Store {
	b.t.Helper()
	store, err := storage.Open(b.ctx, storage.Config{
		URL: "s3://" + b.bucket + "/some/prefix", PartSize: size, Endpoint: endpoint, Region: "us-east-1",
		Credentials: storage.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
	})
	must(b.t, err)
	b.t.Cleanup(store.Close)
	return store
}

// bench builds a fresh archiver: another worker process, as far as it can tell.
func (b *bundle) bench() *worker.Archiver {
	b.t.Helper()
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	api, err := heygen.New(heygen.Config{BaseURL: b.sim.APIURL(), Key: secret.New(b.sim.Key()), Version: "auto", Log: log, Now: b.cfg.Now})
	must(b.t, err)
	sources, err := fetch.New(fetch.Config{
		SourceHosts:    []string{"127.0.0.1"},
		PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, StallTimeout: time.Second,
		FreshWait: time.Second, Log: log, HostStreams: b.host, Bandwidth: b.rate, Retry: fetch.Retry{Base: 10 * time.Millisecond, Cap: 50 * time.Millisecond, Tries: 4},
	})
	must(b.t, err)
	b.t.Cleanup(sources.Close)
	var opener worker.Opener = sources
	if b.astray {
		opener = astray{sources}
	}
	buffers, err := worker.NewBuffers(max(b.memory, part), part)
	must(b.t, err)
	b.cfg.Log = log
	a, err := worker.NewArchiver(b.cfg, worker.Deps{
		Catalogs: map[string]worker.Catalog{"default": heygen.NewDesk(api, heygen.DeskConfig{Wanted: func() int { return b.wanted }})}, Opener: opener, Store: b.store, Buffers: buffers, Observer: b.seen,
	})
	must(b.t, err)
	b.t.Cleanup(func() {
		if n := buffers.Held(); n != 0 {
			b.t.Errorf("%d bytes of buffers were not given back", n)
		}
		buffers.Close()
	})
	return a
}

// archive takes a video all the way on a fresh bench.
func (b *bundle) archive(v worker.Video) (*storage.Manifest, error) {
	b.t.Helper()
	a := b.bench()
	if _, err := a.Check(b.ctx, v); err != nil {
		return nil, err
	}
	return a.Transfer(b.ctx, v, nil)
}

// mustArchive also proves that what is stored is what HeyGen has, byte for byte.
func (b *bundle) mustArchive(id string) *storage.Manifest {
	b.t.Helper()
	m, err := b.archive(worker.Video{ID: id})
	must(b.t, err)
	b.proveExact(m)
	return m
}

// proveExact compares every stored asset with its original and with its manifest, and looks for leaks.
func (b *bundle) proveExact(m *storage.Manifest) {
	b.t.Helper()
	sealed, err := b.store.Manifest(b.ctx, m.Key())
	must(b.t, err)
	if len(sealed.Assets) == 0 {
		b.t.Fatalf("nothing is stored of %s", m.VideoID)
	}
	for _, asset := range sealed.Assets {
		original, size := b.sim.Open(m.VideoID, asset.Asset)
		if original == nil {
			b.t.Errorf("%s was stored, and HeyGen offers none", asset.Asset)
			continue
		}
		want := sha256.New()
		_, err := io.Copy(want, io.NewSectionReader(original, 0, size))
		must(b.t, err)
		stored, err := b.store.Open(b.ctx, m.Key(), asset.Key, 0, -1)
		must(b.t, err)
		got := sha256.New()
		n, err := io.Copy(got, stored)
		must(b.t, err)
		stored.Close()
		wantHex := hex.EncodeToString(want.Sum(nil))
		if gotHex := hex.EncodeToString(got.Sum(nil)); gotHex != wantHex || n != size {
			b.t.Errorf("%s: stored %d bytes with SHA-256 %s, the original has %d and %s", asset.Asset, n, gotHex, size, wantHex)
		}
		if asset.SHA256 != wantHex || asset.Bytes != size {
			b.t.Errorf("%s: the manifest says %d bytes and %s, want %d and %s", asset.Asset, asset.Bytes, asset.SHA256, size, wantHex)
		}
	}
	b.proveNoLeak()
}

// proveNoLeak makes sure that no key reached the asset host and that no log line shows a key or a signature.
func (b *bundle) proveNoLeak() {
	b.t.Helper()
	if leaks := b.sim.Leaks(); len(leaks) > 0 {
		b.t.Errorf("the asset host saw secrets: %q", leaks)
	}
	for _, hidden := range []string{b.sim.Key(), "Signature=", "Key-Pair-Id="} {
		if strings.Contains(b.log.String(), hidden) {
			b.t.Errorf("the log shows %q", hidden)
		}
	}
}

// nothingSealed fails if there is a manifest.
func (b *bundle) nothingSealed(id string) {
	b.t.Helper()
	if m, err := b.store.Manifest(b.ctx, storage.VideoKey{VideoID: id}); err == nil {
		b.t.Errorf("%s was sealed: %+v", id, m)
	}
}

// fetched is how many body bytes the asset host has sent for one asset.
func (b *bundle) fetched(id, asset string) int64 {
	var n int64
	for _, r := range b.sim.Requests() {
		if r.VideoID == id && r.Asset == asset {
			n += r.Bytes
		}
	}
	return n
}

// witness is an Observer that remembers and lets a test wait.
type witness struct {
	mu    sync.Mutex
	moved int64
	after int64  // call hook once so many bytes have moved
	hook  func() // nil: none
	done  []string
	taken []int64 // what was stored already of each asset that was continued
}

func (w *witness) AssetStarted(_ worker.Video, _ string, _, stored int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stored > 0 {
		w.taken = append(w.taken, stored)
	}
}

func (w *witness) Moved(_ worker.Video, _ string, n int64) {
	w.mu.Lock()
	w.moved += n
	hook := w.hook
	if hook == nil || w.moved < w.after {
		w.mu.Unlock()
		return
	}
	w.hook = nil
	w.mu.Unlock()
	hook()
}

func (w *witness) AssetDone(_ worker.Video, asset, outcome string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, asset+" "+outcome)
}

// told returns what was told of assets that are done since the last call.
func (w *witness) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.done
	w.done = nil
	return told
}

// when calls hook once n more bytes have moved.
func (w *witness) when(n int64, hook func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after, w.hook = w.moved+n, hook
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func id(n int) string { return fmt.Sprintf("%032x", n) }

// old is a creation time that makes no asset late.
func old() time.Time { return time.Now().Add(-30 * 24 * time.Hour) }
