package fetch_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

// What a host writes into its headers ends up in errors, in the queue and in manifests.
func TestLongHeadersAreNotCarriedAround(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100<<10)
	b := setup(t, 1000)
	b.replace(1000, `"`+long+`"`, time.Time{})
	f := b.open(fetch.Options{Length: 1})
	if pin := f.Pin(); pin.ETag != "" || pin.Size != 1000 {
		t.Errorf("pinned by an ETag of %d bytes, size %d", len(pin.ETag), pin.Size)
	}
	b.wantBytes(f, 10, 100)

	b.replace(1000, `"`+long[:900]+`"`, time.Time{})
	f = b.open(fetch.Options{Length: 1})
	b.replace(1000, `"y`+long[:900]+`"`, time.Time{})
	_, err := b.read(f, 10, 100)
	if !errors.Is(err, fetch.ErrChanged) || len(err.Error()) > 1500 {
		t.Errorf("got an error of %d bytes: %.300v", len(err.Error()), err)
	}
	for name, trick := range map[string]trick{
		"Content-Range":    answers("HTTP/1.1 206 X\nContent-Range: bytes 0-%s/1000", long),
		"Content-Encoding": answers("HTTP/1.1 206 X\nContent-Encoding: %s", long),
		"Location":         answers("HTTP/1.1 302 X\nLocation: ftp%s://h/", long),
		"path of Location": answers("HTTP/1.1 302 X\nLocation: https://h.example/%s@?Signature=TOPSECRET", long),
		"status line":      answers("HTTP/1.1 %s", long),
	} {
		b := setup(t, 1000)
		b.playAlways(trick)
		if err := b.openError(fetch.Options{}); len(err.Error()) > 1500 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if n := len(b.log.String()); n > 20_000 {
			t.Errorf("%s: %d bytes of log", name, n)
		}
	}
}

// An error page holds a connection like any answer, though nobody needs it.
func TestAnErrorPageHasToEndInTime(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.StallTimeout = 250 * time.Millisecond
	b := setupWith(t, cfg, size)
	sent := make(chan int, 1)
	b.play(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		n := 0
		for ; n < 2000 && r.Context().Err() == nil; n++ { // a byte at a time, never silent for long
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-tick.C
		}
		sent <- n
		return true
	})
	b.wantBytes(b.open(fetch.Options{Length: size}), 0, -1)
	if n := <-sent; n == 2000 {
		t.Error("the page was read to its end")
	}
}
