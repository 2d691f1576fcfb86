package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
)

// session signs in and returns the cookie.
func session(t *testing.T, g *auth.Guard, presented string) string {
	t.Helper()
	w := httptest.NewRecorder()
	if !g.SignIn(w, request("POST", "Sec-Fetch-Site: same-origin"), presented) {
		t.Fatalf("%s is refused", presented)
	}
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie
}

// access is what a guard makes of a cookie, and the cookies that handlers see.
func access(g *auth.Guard, headers ...string) (auth.Access, string) {
	var got auth.Access
	var left string
	g.Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, left = auth.Of(r.Context()), r.Header.Get("Cookie")
	})).ServeHTTP(httptest.NewRecorder(), request("GET", headers...))
	return got, left
}

func TestASessionLivesAsLongAsItsToken(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	g := &auth.Guard{Tokens: tokens(token("", "first"), token("west", "second")), Now: clock}
	cookie := session(t, g, "second")
	// Another process, after a restart, with the tokens in another order.
	other := &auth.Guard{Tokens: tokens(token("west", "second"), token("east", "third")), Now: clock}
	for name, guard := range map[string]*auth.Guard{"the same": g, "another process": other} {
		if got, left := access(guard, "Cookie: a=1; "+cookie+"; b=2"); got.Account != "west" || got.All || left != "a=1; b=2" {
			t.Errorf("%s: %+v, and handlers see %q", name, got, left)
		}
	}
	rotated := &auth.Guard{Tokens: tokens(token("", "first"), token("west", "fourth")), Now: clock}
	if got, _ := access(rotated, "Cookie: "+cookie); !got.None() {
		t.Errorf("its token is gone: %+v", got)
	}
	if got, _ := access(g, "Cookie: "+cookie, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"); !got.None() {
		t.Errorf("by a page of another origin: %+v", got)
	}
	now = now.Add(7 * 24 * time.Hour)
	if got, _ := access(g, "Cookie: "+cookie); !got.None() {
		t.Errorf("after seven days: %+v", got)
	}
	if g.SignIn(httptest.NewRecorder(), request("POST"), "wrong") {
		t.Error("a wrong token signs in")
	}
}
