package storage_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// uploading begins an upload whose parts all have this size, and returns what sends a part and what hashes the next one.
// That goes to MinIO, another process, so that all allocations are ours.
func uploading(tb testing.TB, size int64) (send, hash func()) {
	tb.Helper()
	cfg := config(tb)
	cfg.PartSize, cfg.Log = size, nil
	ctx := context.WithoutCancel(tb.Context())
	data := storagetest.Bytes(1, size)
	u, err := open(tb, cfg).Upload(ctx, storage.VideoKey{VideoID: "v" + rand.Text()}, storage.UploadSpec{
		Asset: "video", Name: "video.mp4", Size: 9000 * size, ContentType: "video/mp4", Source: storage.Validator{ETag: `"1"`, Size: 9000 * size},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := u.Abort(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	var hashed int
	return func() {
			if err := u.Send(ctx, 9000, data); err != nil { // again and again the same, which takes no more room in the store
				tb.Fatal(err)
			}
		}, func() {
			hashed++
			if err := u.Hash(hashed, data); err != nil {
				tb.Fatal(err)
			}
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
func TestStoringAPartAllocatesNothingByTheByte(t *testing.T) {
	const little, much = storage.MinPartSize, 64 << 20
	sendLittle, hashLittle := uploading(t, little)
	sendMuch, hashMuch := uploading(t, much)
	for name, calls := range map[string][2]func(){"sent": {sendLittle, sendMuch}, "hashed": {hashLittle, hashMuch}} {
		calls[0]() // so that the connection is there
		calls[1]()
		// A write takes less than a megabyte, so that one allocation a write would be many more than this.
		const slack = 25
		if a, b := mallocs(calls[0]), mallocs(calls[1]); b > a+slack {
			t.Errorf("a part of %d bytes takes %d allocations to be %s, one of %d bytes %d", little, a, name, much, b)
		}
	}
}

func BenchmarkHotLoopSend(b *testing.B) {
	benchParts(b, func(send, _ func()) func() { return send })
}

func BenchmarkHotLoopHash(b *testing.B) {
	benchParts(b, func(_, hash func()) func() { return hash })
}

func benchParts(b *testing.B, which func(send, hash func()) func()) {
	for _, size := range []int64{storage.MinPartSize, 8 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			call := which(uploading(b, size))
			call() // what the first one does, no other does
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
