package heygen_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey = "sk_V2_TOPSECRETKEY0123456789"
	id      = "0a1b2c3d4e5f40718293a4b5c6d7e8f9"
)

// reply is one answer of the HeyGen in a test. err set: no answer at all.
type reply struct {
	status int
	header map[string]string
	body   string
	err    error
}

func ok(body string) reply { return reply{status: http.StatusOK, body: body} }

func html(status int) reply {
	return reply{status: status, body: "<!DOCTYPE html><html><body>hello</body></html>"}
}

// vendor is HeyGen in the shape of a function. It keeps what it was asked, as "path?query".
type vendor struct {
	answer func(*http.Request) reply

	mu    sync.Mutex
	asked []string
	heads []http.Header
}

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.asked = append(v.asked, r.URL.RequestURI())
	v.heads = append(v.heads, r.Header.Clone())
	v.mu.Unlock()
	a := v.answer(r)
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{}
	for k, val := range a.header {
		h.Set(k, val)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// take returns what was asked since the last call.
func (v *vendor) take() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.asked
	v.asked = nil
	return out
}

// forget drops what was asked.
func (v *vendor) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked, v.heads = nil, nil
}

// generations answers each generation by a function of its own. nil: an HTML 404, as of a path that no longer exists.
func generations(v3, v1 func(*http.Request) reply) func(*http.Request) reply {
	return func(r *http.Request) reply {
		f := v1
		if strings.HasPrefix(r.URL.Path, "/v3/") {
			f = v3
		}
		if f == nil {
			return html(http.StatusNotFound)
		}
		return f(r)
	}
}

func always(a reply) func(*http.Request) reply { return func(*http.Request) reply { return a } }

// byCall gives one answer to status calls and another to lists.
func byCall(status, list reply) func(*http.Request) reply {
	return func(r *http.Request) reply {
		if r.URL.Path == "/v3/videos" || r.URL.Path == "/v1/video.list" {
			return list
		}
		return status
	}
}

func v1Video(id, rest string) reply {
	return ok(fmt.Sprintf(`{"code":100,"data":{"id":%q,"status":"completed"%s},"message":"Success"}`, id, rest))
}

func v3Video(id, rest string) reply {
	return ok(fmt.Sprintf(`{"data":{"id":%q,"status":"completed"%s}}`, id, rest))
}

type setup struct {
	*heygen.Client
	vendor *vendor
	log    *bytes.Buffer
}

func newClient(t testing.TB, version string, answer func(*http.Request) reply) setup {
	t.Helper()
	return newClientWith(t, heygen.Config{Version: version}, answer)
}

func newClientWith(t testing.TB, cfg heygen.Config, answer func(*http.Request) reply) setup {
	t.Helper()
	s := setup{vendor: &vendor{answer: answer}, log: &bytes.Buffer{}}
	cfg.HTTP = &http.Client{Transport: s.vendor}
	if cfg.Key.IsZero() {
		cfg.Key = secret.New(testKey)
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }
	}
	c, err := heygen.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Client = c
	return s
}

func asError(t testing.TB, err error) *heygen.Error {
	t.Helper()
	e, ok := errors.AsType[*heygen.Error](err)
	if !ok {
		t.Fatalf("got error %v (%T), want a *heygen.Error", err, err)
	}
	return e
}

func noSecret(t testing.TB, what, text string) {
	t.Helper()
	for _, s := range []string{"Signature=", "Key-Pair-Id=", "Expires=", "TOPSECRET"} {
		if strings.Contains(text, s) {
			t.Errorf("%s shows %q: %.400s", what, s, text)
		}
	}
}
