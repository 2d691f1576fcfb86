package worker_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

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

// transfers returns what archives one video after the other, each in hotParts parts of that size.
func transfers(tb testing.TB, partSize int64) (next func()) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	sim, err := heygensim.New(heygensim.Options{CountOnly: true})
	need(tb, err)
	tb.Cleanup(func() { need(tb, sim.Close()) })
	bucket := minio.Bucket(tb)
	store, err := storage.Open(ctx, storage.Config{
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
		Catalogs: map[string]worker.Catalog{"default": heygen.NewDesk(api, heygen.DeskConfig{})}, Opener: sources, Store: store, Buffers: buffers,
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

// mallocs is how often a call allocates, at best: what else goes on in the process may only add to it.
func mallocs(call func()) int64 {
	least := int64(1) << 62
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.Mallocs-before.Mallocs))
	}
	return least
}

// Not parallel: it counts the allocations of the whole process.
func TestATransferAllocatesNothingByTheByte(t *testing.T) {
	const little, much = 5 << 20, 40 << 20
	few, many := transfers(t, little), transfers(t, much)
	few() // so that the connections and the buffers are there
	many()
	// A read brings a megabyte at the most, so that one allocation a read would be some 140 more.
	const slack = 60
	if a, b := mallocs(few), mallocs(many); b > a+slack {
		t.Errorf("%d parts of %d bytes take %d allocations, %d of %d bytes %d", hotParts, little, a, hotParts, much, b)
	}
}

func BenchmarkHotLoopTransfer(b *testing.B) {
	for _, size := range []int64{5 << 20, 8 << 20, 32 << 20} {
		b.Run(fmt.Sprintf("%d×%dMiB", hotParts, size>>20), func(b *testing.B) {
			next := transfers(b, size)
			next() // what the first one does, no other does
			b.SetBytes(hotParts * size)
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}
