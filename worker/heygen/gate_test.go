package heygen_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// turnstile is a Gate that counts who is inside and writes down what it is told.
type turnstile struct {
	mu     sync.Mutex
	inside int
	asked  int           // how often somebody wanted in
	shut   time.Duration // what Enter answers
	why    string
	err    error
	told   []string
	dead   bool // a Leave came with a context that had ended
}

func (g *turnstile) Enter(ctx context.Context) (time.Duration, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if g.err != nil || ctx.Err() != nil {
		return 0, "", errors.Join(g.err, ctx.Err())
	}
	if g.shut > 0 {
		return g.shut, g.why, nil
	}
	g.inside++
	return 0, "", nil
}

func (g *turnstile) Leave(ctx context.Context, why string, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.dead = g.dead || ctx.Err() != nil
	if why == "" {
		why = "fine"
	}
	g.told = append(g.told, strings.TrimSuffix(fmt.Sprint(why, " ", wait), " 0s"))
}

func (g *turnstile) take(t *testing.T) []string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside != 0 {
		t.Errorf("%d requests never left", g.inside)
	}
	if g.dead {
		t.Error("a request left with a context that had ended")
	}
	told := g.told
	g.told = nil
	return told
}

func TestTheGateHearsHowEveryQuestionEnded(t *testing.T) {
	t.Parallel()
	good := always(v3Video(id, ""))
	for name, tt := range map[string]struct {
		version string
		v3, v1  func(*http.Request) reply
		told    []string
	}{
		"a good answer":                {"v3", good, nil, []string{"fine"}},
		"an unknown video":             {"v3", always(v3NotFound), nil, []string{"fine"}},
		"a forbidden video":            {"v3", always(reply{status: 403, body: `{"error":{"code":"forbidden"}}`}), nil, []string{"fine"}},
		"a bad request":                {"v3", always(reply{status: 400, body: `{"error":{"code":"invalid_parameter"}}`}), nil, []string{"fine"}},
		"a throttle":                   {"v3", always(reply{status: 429, header: map[string]string{"Retry-After": "7"}}), nil, []string{"throttled 7s"}},
		"a throttle without a time":    {"v3", always(reply{status: 429}), nil, []string{"throttled 30s"}},
		"an outage":                    {"v3", always(html(502)), nil, []string{"down"}},
		"an outage with a time":        {"v3", always(reply{status: 503, header: map[string]string{"Retry-After": "9"}}), nil, []string{"down 9s"}},
		"no network":                   {"v3", always(reply{err: errors.New("refused")}), nil, []string{"down"}},
		"a web page":                   {"v3", always(html(200)), nil, []string{"down"}},
		"a refused key":                {"v3", always(v3Refused), nil, []string{"unauthorized 1m0s"}},
		"something that is no JSON":    {"v3", always(ok("upstream timed out")), nil, []string{"unintelligible"}},
		"an answer about nothing":      {"v3", always(ok(`{"data":{}}`)), nil, []string{"inconclusive"}},
		"v1 alone":                     {"auto", nil, always(v1Video(id, "")), []string{"fine", "fine"}},
		"v1 alone, unknown video":      {"auto", nil, always(v1NotFound), []string{"fine", "fine"}},
		"a key that is good for v1":    {"auto", always(v3Refused), always(v1Video(id, "")), []string{"fine", "fine"}},
		"a key that nobody takes":      {"auto", always(v3Refused), always(v1Refused), []string{"unauthorized 1m0s", "unauthorized 1m0s"}},
		"v3 out of order, v1 not":      {"auto", always(html(503)), always(v1Video(id, "")), []string{"fine", "fine"}},
		"both out of order":            {"auto", always(html(503)), always(html(503)), []string{"down", "down"}},
		"web pages everywhere":         {"auto", always(html(200)), always(html(200)), []string{"down", "down"}},
		"a plain 404, the list good":   {"v3", byCall(plain404, v3Empty), nil, []string{"fine", "fine"}},
		"404 everywhere":               {"auto", nil, nil, []string{"down", "down", "down", "down"}},
		"a 400 of v1, the list good":   {"v1", nil, byCall(reply{status: 400, body: `{"code":40012}`}, v1Empty), []string{"fine", "fine"}},
		"a 400 of v1, the list as bad": {"v1", nil, always(reply{status: 400, body: `{"code":40012}`}), []string{"throttled 30s", "throttled 30s"}},
	} {
		g := &turnstile{}
		c := newClientWith(t, heygen.Config{Version: tt.version, Gate: g}, generations(tt.v3, tt.v1))
		_, _ = c.Video(t.Context(), id)
		if told := g.take(t); !slices.Equal(told, tt.told) {
			t.Errorf("%s: told %q, want %q", name, told, tt.told)
		}
		if n := len(c.vendor.take()); n != len(tt.told) {
			t.Errorf("%s: %d requests, told of %d", name, n, len(tt.told))
		}
	}
}

func TestNobodyAsksWhileTheGateIsClosed(t *testing.T) {
	t.Parallel()
	for why, kind := range map[string]heygen.Kind{
		"throttled": heygen.Throttled, "down": heygen.Down, "unauthorized": heygen.Unauthorized,
		"unintelligible": heygen.Unintelligible, "busy": heygen.Throttled,
	} {
		for _, version := range []string{"auto", "v3", "v1"} {
			g := &turnstile{shut: 12 * time.Second, why: why}
			c := newClientWith(t, heygen.Config{Version: version, Gate: g}, always(v3Empty))
			_, err := c.Video(t.Context(), id)
			if e := asError(t, err); e.Kind != kind || e.Wait != 12*time.Second || !strings.Contains(e.Error(), "the fleet waits 12s") {
				t.Errorf("%s, %s: %v, wait %s", why, version, err, e.Wait)
			}
			if asked := c.vendor.take(); len(asked) > 0 || len(g.take(t)) > 0 || g.asked != 1 {
				t.Errorf("%s, %s: asked %q, and the gate %d times", why, version, asked, g.asked)
			}
		}
	}
}

// What one request could not settle must not be taken for the truth because the gate closed before the second.
func TestAGateThatClosesInTheMiddleLeavesTheQuestionOpen(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]reply{"not found": v3NotFound, "refused": v3Refused, "a page": html(404), "out of order": html(503)} {
		g := &turnstile{}
		c := newClientWith(t, heygen.Config{Version: "auto", Gate: g}, func(*http.Request) reply {
			g.shut, g.why = 5*time.Second, "throttled"
			return first
		})
		_, err := c.Video(t.Context(), id)
		if e := asError(t, err); e.Kind != heygen.Throttled || e.Wait != 5*time.Second {
			t.Errorf("%s: got %v", name, err)
		}
		if told := g.take(t); !slices.Equal(told, []string{"inconclusive"}) {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

func TestAGateThatCannotBeAskedIsAnOutage(t *testing.T) {
	t.Parallel()
	g := &turnstile{err: errors.New("redis: connection refused")}
	c := newClientWith(t, heygen.Config{Version: "v3", Gate: g}, always(v3Empty))
	_, err := c.Video(t.Context(), id)
	if e := asError(t, err); e.Kind != heygen.Down || !strings.Contains(err.Error(), "connection refused") || len(c.vendor.take()) > 0 {
		t.Errorf("got %v", err)
	}
}

func TestWhoGivesUpIsCountedOut(t *testing.T) {
	t.Parallel()
	g := &turnstile{}
	ctx, cancel := context.WithCancel(t.Context())
	c := newClientWith(t, heygen.Config{Version: "v3", Gate: g}, func(*http.Request) reply {
		cancel()
		return reply{err: context.Canceled}
	})
	if _, err := c.Video(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if told := g.take(t); !slices.Equal(told, []string{"inconclusive"}) {
		t.Errorf("told %q", told)
	}
	if _, err := c.Video(ctx, id); !errors.Is(err, context.Canceled) || heygen.KindOf(err) != "" {
		t.Errorf("with an ended context: %v", err)
	}
	if told := g.take(t); len(told) > 0 {
		t.Errorf("told %q of nothing", told)
	}
}

func TestEveryWayToAskGoesThroughTheGate(t *testing.T) {
	t.Parallel()
	g := &turnstile{}
	c := newClientWith(t, heygen.Config{Version: "v3", Gate: g}, account{n: 12, size: 5}.answer)
	if _, _, err := collect(t.Context(), c, time.Time{}); err != nil {
		t.Fatal(err)
	}
	_ = c.Check(t.Context())
	_, _ = c.Statuses(t.Context(), []string{id})
	told, asked := g.take(t), c.vendor.take()
	if len(told) != len(asked) || !slices.Equal(slices.Compact(told), []string{"fine"}) {
		t.Errorf("asked %q, told %q", asked, told)
	}
}

func TestMessagesNameTheSettingOfTheKey(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"": "check HEYGEN_API_KEY", "account x in SOME_FILE": "check account x in SOME_FILE"} {
		c := newClientWith(t, heygen.Config{Version: "v3", KeySetting: setting}, always(v3Refused))
		if _, err := c.Video(t.Context(), id); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := c.Check(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
