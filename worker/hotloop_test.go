package worker_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// hotParts is how many parts each transfer below has, whatever their size: what is allocated for a request or a part is
// the same then.
const hotParts = 4

// reads counts how often bytes came from the source.
type reads struct{ atomic.Int64 }

func (*reads) AssetStarted(worker.Video, string, int64, int64) {}
func (r *reads) Moved(worker.Video, string, int64)             { r.Add(1) }
func (*reads) AssetDone(worker.Video, string, string)          {}

// transfers returns what archives one video after the other, each in hotParts parts of that size.
func transfers(tb testing.TB, partSize int64, count *reads) (next func()) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	sim, err := heygensim.New(heygensim.Options{CountOnly: true})
	need(tb, err)
	tb.Cleanup(func() { need(tb, sim.Close()) })
	bucket := minio.Bucket(tb)
	standing := time.Now() // an upload says once a second how far it is; that must not depend on how slow this machine is
	store, err := storage.Open(ctx, storage.Config{
		Now: func() time.Time { return standing },
		URL: "s3://" + bucket, PartSize: partSize, Endpoint: minio.Endpoint, Region: "us-east-1",
		Credentials: storage.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
	})
	need(tb, err)
	tb.Cleanup(store.Close)
	api, err := heygen.New(heygen.Config{BaseURL: sim.APIURL(), Key: secret.New(sim.Key()), Version: "v3"})
	need(tb, err)
	sources, err := fetch.New(fetch.Config{PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	need(tb, err)
	tb.Cleanup(sources.Close)
	buffers, err := worker.NewBuffers(hotParts*partSize, partSize)
	need(tb, err)
	tb.Cleanup(buffers.Close)
	a, err := worker.NewArchiver(worker.Config{Streams: 2}, worker.Deps{
		Catalogs: map[string]worker.Catalog{"default": heygen.NewDesk(api, heygen.DeskConfig{})}, Opener: sources, Store: store, Buffers: buffers, Observer: count,
	})
	need(tb, err)
	var n int
	return func() {
		n++
		sim.Add(bigVideo(n, hotParts*partSize, nil))
		_, err := a.Transfer(ctx, worker.Video{ID: id(n)}, nil)
		need(tb, err)
		need(tb, minio.Empty(bucket))
	}
}

func need(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// cost is what a call takes.
type cost struct{ mallocs, reads int64 }

func (r *reads) cost(call func()) cost {
	var before, after runtime.MemStats
	had := r.Load()
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return cost{int64(after.Mallocs - before.Mallocs), r.Load() - had}
}

// Not parallel: it counts the allocations of the whole process.
func TestATransferAllocatesNothingByTheByte(t *testing.T) {
	const little, much = 5 << 20, 40 << 20
	var count reads
	few, many := transfers(t, little, &count), transfers(t, much, &count)
	few() // so that the connections and the buffers are there
	many()
	// What else goes on in the process adds to it, the more the longer it takes; one allocation a read shows every time.
	var told []string
	for range 10 {
		a, b := count.cost(few), count.cost(many)
		if b.mallocs-a.mallocs < (b.reads-a.reads)/2 {
			return
		}
		told = append(told, fmt.Sprintf("%d more allocations for %d more reads", b.mallocs-a.mallocs, b.reads-a.reads))
	}
	t.Errorf("%d parts of %d bytes take, in place of %d: %s", hotParts, much, little, strings.Join(told, "; "))
}

func BenchmarkHotLoopTransfer(b *testing.B) {
	for _, size := range []int64{5 << 20, 8 << 20, 32 << 20} {
		b.Run(fmt.Sprintf("%d×%dMiB", hotParts, size>>20), func(b *testing.B) {
			next := transfers(b, size, new(reads))
			next() // what the first one does, no other does
			b.SetBytes(hotParts * size)
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}
