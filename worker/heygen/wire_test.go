package heygen_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// dial returns a client of its own transport for a server on the wire.
func dial(t *testing.T, h http.HandlerFunc, given *http.Client) (*heygen.Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := heygen.New(heygen.Config{BaseURL: s.URL + "/proxy/", Key: secret.New(testKey), Version: "v3", HTTP: given})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, s
}

func TestTheKeyNeverFollowsARedirect(t *testing.T) {
	t.Parallel()
	for _, given := range []*http.Client{nil, jarred(t)} {
		lure := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("the other host was asked for %s with key %q", r.URL, r.Header.Get("X-Api-Key"))
		}))
		t.Cleanup(lure.Close)
		c, _ := dial(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != "" {
				t.Error("a cookie was kept")
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Path: "/"})
			http.Redirect(w, r, lure.URL+"/x?Signature=TOPSECRET", http.StatusTemporaryRedirect)
		}, given)
		for range 2 {
			_, err := c.Video(t.Context(), id)
			if e := asError(t, err); e.Kind != heygen.Down || !strings.Contains(err.Error(), lure.URL+"/x") {
				t.Errorf("got %v, want down, naming where it was sent", err)
			}
			noSecret(t, "error", err.Error())
		}
	}
}

func jarred(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: tr}
}

func TestARequestLooksAsHeyGenWantsIt(t *testing.T) {
	t.Parallel()
	c, _ := dial(t, func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		if r.URL.RequestURI() != "/proxy"+atV3 || h.Get("X-Api-Key") != testKey || h.Get("Accept") != "application/json" ||
			h.Get("User-Agent") != "reelkeep" || h.Get("Authorization") != "" || r.Method != http.MethodGet {
			t.Errorf("got %s %s %v", r.Method, r.URL.RequestURI(), h)
		}
		_, _ = io.WriteString(w, v3Video(id, "").body)
	}, nil)
	if _, err := c.Video(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestACutAnswerIsNotTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	body := v3Video(id, "").body
	for name, h := range map[string]http.HandlerFunc{
		"short of its length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, body)
		},
		"chunked and cut": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, body)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"before a byte": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c, _ := dial(t, h, nil)
		_, err := c.Video(t.Context(), id)
		if got := heygen.KindOf(err); got != heygen.Down {
			t.Errorf("%s: got %v, want down", name, err)
		}
	}
}

func TestNobodyListeningIsAnOutage(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c, err := heygen.New(heygen.Config{BaseURL: "http://" + addr, Key: secret.New(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(t.Context())
	if e := asError(t, err); e.Kind != heygen.Down || e.HTTPStatus != 0 || !strings.Contains(e.Hint(), "HEYGEN_API_URL") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(r *http.Request) reply { <-r.Context().Done(); return reply{err: r.Context().Err()} }}
		c, err := heygen.New(heygen.Config{Key: secret.New(testKey), HTTP: &http.Client{Transport: v, Timeout: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.Video(t.Context(), id)
		if got := heygen.KindOf(err); got != heygen.Down || time.Since(start) != time.Minute {
			t.Errorf("got %v after %s, want down after a minute", err, time.Since(start))
		}
	})
}

func TestACallerWhoLeavesHearsWhy(t *testing.T) {
	t.Parallel()
	draining := errors.New("draining")
	ctx, cancel := context.WithCancelCause(t.Context())
	var heard []string
	answer := func(r *http.Request) reply { cancel(draining); return reply{err: r.Context().Err()} }
	c := newClientWith(t, heygen.Config{Observe: func(e, code string, _ time.Duration) { heard = append(heard, e+" "+code) }}, answer)
	_, err := c.Video(ctx, id)
	if !errors.Is(err, draining) || !errors.Is(err, context.Canceled) || heygen.KindOf(err) != "" {
		t.Errorf("got %v, want the cause and no fault of HeyGen's", err)
	}
	if len(heard) != 0 {
		t.Errorf("a drain was counted as %q", heard)
	}
	late, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer stop()
	if err := c.Check(late); !errors.Is(err, context.DeadlineExceeded) || heygen.KindOf(err) != "" {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestEveryRequestIsObservedAndLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	var log strings.Builder
	replies := []reply{v3Video(id, `,"video_url":"`+signed+`","gif_url":"nonsense?Signature=TOPSECRET"`), {status: 302}, {status: 404, body: v3NotFound.body},
		{status: 429}, html(500), {err: errors.New(signed)}, ok("x")}
	n := 0
	c := newClientWith(t, heygen.Config{
		Version: "v3",
		Log:     slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(endpoint, code string, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, endpoint+" "+code)
		},
	}, func(*http.Request) reply { n++; return replies[n-1] })
	for range replies {
		_, _ = c.Video(t.Context(), id)
	}
	n = 0
	replies = []reply{v3Empty, ok(`{"data":[]}`)}
	_ = c.Check(t.Context())
	_, _ = c.Statuses(t.Context(), []string{id})
	want := []string{"status 2xx", "status 3xx", "status 4xx", "status 429", "status 5xx", "status error", "status 2xx", "list 2xx", "statuses 2xx"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	noSecret(t, "log", log.String())
	if !strings.Contains(log.String(), "asset=gif") {
		t.Error("a link that can't be used was dropped without a word")
	}
}

func TestWrongSettingsNameThemselves(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg     heygen.Config
		setting string
	}{
		"no scheme":      {heygen.Config{BaseURL: "api.heygen.com"}, "HEYGEN_API_URL"},
		"ftp":            {heygen.Config{BaseURL: "ftp://api.heygen.com"}, "HEYGEN_API_URL"},
		"no host":        {heygen.Config{BaseURL: "https://"}, "HEYGEN_API_URL"},
		"port only":      {heygen.Config{BaseURL: "http://:80"}, "HEYGEN_API_URL"},
		"not an address": {heygen.Config{BaseURL: "http://a b"}, "HEYGEN_API_URL"},
		"line break":     {heygen.Config{BaseURL: "https://h\n"}, "HEYGEN_API_URL"},
		"password":       {heygen.Config{BaseURL: "https://u:TOPSECRET@h"}, "HEYGEN_API_URL"},
		"query":          {heygen.Config{BaseURL: "https://h/?key=TOPSECRET"}, "HEYGEN_API_URL"},
		"fragment":       {heygen.Config{BaseURL: "https://h/#TOPSECRET"}, "HEYGEN_API_URL"},
		"generation":     {heygen.Config{BaseURL: "https://api.heygen.com/v3/"}, "HEYGEN_API_VERSION"},
		"version":        {heygen.Config{Version: "v2"}, "HEYGEN_API_VERSION"},
		"key of lines":   {heygen.Config{Key: secret.New("TOPSECRET\n")}, "HEYGEN_API_KEY"},
		"key of words":   {heygen.Config{Key: secret.New("TOPSECRET key")}, "HEYGEN_API_KEY"},
		"key in umlauts": {heygen.Config{Key: secret.New("TOPSECRETä")}, "HEYGEN_API_KEY"},
	} {
		_, err := heygen.New(tt.cfg)
		if err == nil || !strings.Contains(err.Error(), tt.setting) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, tt.setting)
			continue
		}
		noSecret(t, "error", err.Error())
	}
	for _, good := range []string{"", "https://api.heygen.com", "https://api.heygen.com/", "http://127.0.0.1:8080", "https://[::1]:1/heygen"} {
		if _, err := heygen.New(heygen.Config{BaseURL: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// endless is a body without an end. It counts what was read of it.
type endless struct {
	head string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	for i := n; i < len(p); i++ {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

type bodyOf struct{ io.ReadCloser }

func (b bodyOf) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: b.ReadCloser, Request: r}, nil
}

// TestAnEndlessAnswerIsCutOff: what was read so far would pass for a video; nobody knows what the rest would say.
func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	body := &endless{head: v3Video(id, "").body}
	c, err := heygen.New(heygen.Config{Version: "v3", HTTP: &http.Client{Transport: bodyOf{body}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Video(t.Context(), id)
	if e := asError(t, err); e.Kind != heygen.Unintelligible || !strings.Contains(e.Message, "8 MiB") {
		t.Errorf("got %v, want an answer that is too long", err)
	}
	if body.read > 9<<20 {
		t.Errorf("read %d bytes of it", body.read)
	}
}
