package stall

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const serverLimit = 300 * time.Millisecond

// serve runs a server whose own limits are far too short for what h does.
func serve(t *testing.T, limit time.Duration, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(Guard(w, r, limit))
	}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = serverLimit, serverLimit
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// twice is a moment after the server's own limits.
func twice(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * serverLimit):
		return nil
	}
}

func TestAnAnswerOutlivesTheServersLimits(t *testing.T) {
	t.Parallel()
	url := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun, ")
		if err := twice(r.Context()); err != nil {
			t.Errorf("the request ended while its answer was under way: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	})
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "begun, done" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestAnAnswerOfNothingOutlivesTheServersLimits(t *testing.T) {
	t.Parallel()
	url := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		if err := twice(r.Context()); err != nil {
			t.Errorf("the request ended before its answer: %v", err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestAnUploadOutlivesTheServersLimits(t *testing.T) {
	t.Parallel()
	url := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read %q and %v", b, err)
		}
		if err := twice(r.Context()); err != nil {
			t.Errorf("the request ended after its body was read: %v", err)
		}
		_, _ = w.Write(b)
	})
	pr, pw := io.Pipe()
	go func() {
		_, _ = io.WriteString(pw, "first, ")
		_ = twice(t.Context())
		_, _ = io.WriteString(pw, "second")
		_ = pw.Close()
	}()
	res, err := http.Post(url, "text/plain", pr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "first, second" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestWhoTakesNothingIsCut(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	url := serve(t, 100*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
		piece := []byte(strings.Repeat("x", 1<<20))
		for range 256 { // more than any socket's buffers hold
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var slow net.Error
		if !errors.As(err, &slow) || !slow.Timeout() {
			t.Errorf("the answer ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the answer still waits for somebody who takes nothing")
	}
}

func TestWhoSendsNothingIsCut(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	url := serve(t, 100*time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		ended <- err
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("half a body was taken for a whole one")
		}
	case <-time.After(20 * time.Second):
		t.Error("the body is still waited for")
	}
}

// Whoever sends or takes a byte now and then would hold a connection for ever.
func TestWhoIsFarTooSlowIsCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bytes int           // of each step
		each  time.Duration // how long it was waited for
		steps int
		want  bool
	}{
		"a byte a minute":            {1, time.Minute, 1, true},
		"a byte each ten seconds":    {1, 10 * time.Second, 6, true},
		"half the floor":             {floor / 2, time.Second, 60, true},
		"not for long":               {1, time.Second, 59, false},
		"a slow line":                {8 << 10, time.Second, 600, false},
		"small pieces, waited for 0": {1, 0, 10000, false},
	} {
		var p pace
		cut := false
		for range c.steps {
			cut = p.slow(c.bytes, c.each) || cut
		}
		if cut != c.want {
			t.Errorf("%s: cut %v", name, cut)
		}
	}
	r := &reader{ReadCloser: io.NopCloser(strings.NewReader("xx")), w: &writer{conn: http.NewResponseController(httptest.NewRecorder())}, pace: pace{waited: window}}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errSlow) {
		t.Errorf("a slow upload: %v", err)
	}
	w := &writer{ResponseWriter: httptest.NewRecorder(), conn: http.NewResponseController(httptest.NewRecorder()), pace: pace{waited: window}}
	if _, err := w.Write([]byte("x")); !errors.Is(err, errSlow) {
		t.Errorf("a slow visitor: %v", err)
	}
}
