package fetch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// zeros is a host with one file of nothing but zeros, of any size, which is served without an allocation of its own for
// the bytes: what is counted is ours.
func zeros(tb testing.TB, size int64) (url string) {
	tb.Helper()
	block := make([]byte, 256<<10)
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from, to int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		to = min(to, size-1)
		w.Header().Set("ETag", `"zeros"`)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
		w.Header().Set("Content-Length", fmt.Sprint(to-from+1))
		w.WriteHeader(http.StatusPartialContent)
		for left := to - from + 1; left > 0; left -= int64(len(block)) {
			if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
				return
			}
		}
	})}
	served := make(chan struct{})
	go func() {
		_ = s.Serve(l)
		close(served)
	}()
	tb.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return "http://" + l.Addr().String()
}

// pulled opens a file of that size and returns what reads all of it once more.
func pulled(tb testing.TB, size int64) (read func()) {
	tb.Helper()
	client, err := fetch.New(fast())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	ctx := context.WithoutCancel(tb.Context())
	f, err := client.Open(ctx, fetch.Link{URL: secret.New(zeros(tb, size) + "/video.mp4")}, nil, fetch.Options{Length: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	buf := bytes.Repeat([]byte{1}, int(size))
	return func() {
		r, err := f.Range(ctx, 0, size)
		if err != nil {
			tb.Fatal(err)
		}
		defer r.Close()
		if _, err := io.ReadFull(r, buf); err != nil {
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
func TestReadingARangeAllocatesNothingByTheByte(t *testing.T) {
	const little, much = 1 << 20, 96 << 20
	few, many := pulled(t, little), pulled(t, much)
	few() // so that the connection is there
	many()
	// A read brings a megabyte or two, so that one allocation a read would be some 60 more.
	const slack = 15
	if a, b := mallocs(few), mallocs(many); b > a+slack {
		t.Errorf("a range of %d bytes takes %d allocations, one of %d bytes %d", little, a, much, b)
	}
}

func BenchmarkHotLoopRange(b *testing.B) {
	for _, size := range []int64{1 << 20, 8 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			read := pulled(b, size)
			read() // what the first one does, no other does
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
	}
}
