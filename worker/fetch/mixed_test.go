package fetch_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// A CDN may stream its first answer without a length and know the length from the second on.
func TestALengthThatIsToldOnlyLaterEndsTheFile(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	var asked atomic.Int64
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if asked.Add(1) == 1 {
			_, _ = w.Write(data[:30_000])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	}))
	defer host.Close()
	client, err := fetch.New(fetch.Config{
		PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Retry: fetch.Retry{Base: time.Millisecond, Cap: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	link := fetch.Link{URL: secret.New(host.URL + "/v.mp4")}
	file, err := client.Open(t.Context(), link, func(context.Context) (fetch.Link, error) { return link, nil }, fetch.Options{Length: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	body, err := file.Range(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d of %d bytes: %v", len(got), len(data), err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the host was asked %d times, want 2", n)
	}
}
