package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// A trick answers one request in place of the honest source, or returns false to let that one answer.
type trick func(w http.ResponseWriter, r *http.Request) bool

// source is a host with one file and a list of tricks, played in order, one a request.
type source struct {
	*httptest.Server
	mu       sync.Mutex
	file     []byte
	etag     string
	modified time.Time
	tricks   []trick
	always   trick // after the list has been played
	requests []*http.Request
}

// bench is what every test works with.
type bench struct {
	*source
	t       *testing.T
	client  *fetch.Client
	events  *events
	log     *buffer
	refresh *refresher
}

// fast makes every pause short. Nothing in these tests depends on how short.
func fast() fetch.Config {
	return fetch.Config{
		StallTimeout:   time.Minute,
		PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Retry:          fetch.Retry{Base: time.Microsecond, Cap: time.Millisecond, Longest: time.Millisecond},
		FreshWait:      time.Minute,
	}
}

func setup(t *testing.T, size int, tricks ...trick) *bench {
	t.Helper()
	return setupWith(t, fast(), size, tricks...)
}

func setupWith(t *testing.T, cfg fetch.Config, size int, tricks ...trick) *bench {
	t.Helper()
	s := &source{file: randomBytes(size), etag: `"v1"`, modified: time.Unix(1_700_000_000, 0), tricks: tricks}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Server.Close)
	b := &bench{source: s, t: t, events: &events{}, log: &buffer{}}
	b.refresh = &refresher{bench: b}
	cfg.Log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Observe = b.events
	var err error
	if b.client, err = fetch.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	t.Cleanup(func() {
		if strings.Contains(b.log.String(), "TOPSECRET") {
			t.Errorf("a link's query is in the log:\n%s", b.log.String())
		}
	})
	return b
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Clone(context.Background()))
	next := s.always
	if len(s.tricks) > 0 {
		next, s.tricks = s.tricks[0], s.tricks[1:]
	}
	s.mu.Unlock()
	if next != nil && next(w, r) {
		return
	}
	s.honest(w, r)
}

func (s *source) honest(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	file, etag, modified := s.file, s.etag, s.modified
	s.mu.Unlock()
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.Header().Set("Content-Type", "video/mp4")
	http.ServeContent(w, r, "", modified, bytes.NewReader(file))
}

// replace puts another file under the same address.
func (s *source) replace(size int, etag string, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = bytes.Repeat([]byte{'x'}, size)
	s.etag, s.modified = etag, modified
}

func (s *source) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

func (s *source) link(n int) fetch.Link {
	return fetch.Link{URL: secret.New(fmt.Sprintf("%s/a%%2Fb/video.mp4?Signature=TOPSECRET~%d&Expires=1", s.URL, n))}
}

func (b *bench) open(opt fetch.Options) *fetch.File {
	b.t.Helper()
	f, err := b.client.Open(b.t.Context(), b.link(0), b.refresh.link, opt)
	if err != nil {
		b.t.Fatalf("Open: %v", b.clean(err))
	}
	b.t.Cleanup(func() { f.Close() })
	return f
}

// openError wants Open to fail.
func (b *bench) openError(opt fetch.Options) error {
	b.t.Helper()
	f, err := b.client.Open(b.t.Context(), b.link(0), b.refresh.link, opt)
	if err == nil {
		f.Close()
		b.t.Fatal("Open succeeded, want an error")
	}
	return b.clean(err)
}

// clean fails the test if an error shows a query.
func (b *bench) clean(err error) error {
	b.t.Helper()
	if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "TOPSECRET") {
		b.t.Errorf("error shows a link's query: %v", err)
	}
	return err
}

func (b *bench) read(f *fetch.File, off, n int64) ([]byte, error) {
	b.t.Helper()
	r, err := f.Range(b.t.Context(), off, n)
	if err != nil {
		return nil, b.clean(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return got, b.clean(err)
}

// wantBytes reads a range and compares it with the file as it was made.
func (b *bench) wantBytes(f *fetch.File, off, n int64) {
	b.t.Helper()
	got, err := b.read(f, off, n)
	if err != nil {
		b.t.Fatalf("Range(%d, %d): %v", off, n, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	end := off + n
	if n < 0 {
		end = int64(len(b.file))
	}
	if sha256.Sum256(got) != sha256.Sum256(b.file[off:end]) {
		b.t.Fatalf("Range(%d, %d): %d bytes that are not the file's", off, n, len(got))
	}
}

// refresher hands out numbered links and counts.
type refresher struct {
	bench *bench
	mu    sync.Mutex
	calls int
	life  func(n int) time.Time // Expires of link n
	fail  func(ctx context.Context, n int) error
}

func (r *refresher) link(ctx context.Context) (fetch.Link, error) {
	r.mu.Lock()
	r.calls++
	n := r.calls
	r.mu.Unlock()
	link := r.bench.link(n)
	if r.life != nil {
		link.Expires = r.life(n)
	}
	if r.fail != nil {
		if err := r.fail(ctx, n); err != nil {
			return fetch.Link{}, err
		}
	}
	return link, nil
}

func (r *refresher) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// events is the Observer of the tests.
type events struct {
	mu                 sync.Mutex
	resumed, refreshed []string
}

func (e *events) Resumed(cause string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resumed = append(e.resumed, cause)
}

func (e *events) Refreshed(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refreshed = append(e.refreshed, reason)
}

func (e *events) all() (resumed, refreshed string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.resumed, " "), strings.Join(e.refreshed, " ")
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func secretLink(raw string) secret.String { return secret.New(raw) }

func zeroPrefix() netip.Prefix { return netip.Prefix{} }
