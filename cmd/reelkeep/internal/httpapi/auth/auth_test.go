package auth_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/worker/secret"
)

func tokens(list ...auth.Token) *auth.Tokens { return auth.NewTokens(list) }

func token(account, text string) auth.Token {
	return auth.Token{Account: account, Secret: secret.New(text)}
}

// ask sends a request through the guard and returns the answer and what it gave access to.
func ask(g *auth.Guard, r *http.Request) (*httptest.ResponseRecorder, auth.Access) {
	var got auth.Access
	w := httptest.NewRecorder()
	g.Identify(g.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = auth.Of(r.Context()) }))).ServeHTTP(w, r)
	return w, got
}

func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080/api/v1/videos", nil)
	r.RemoteAddr = "127.0.0.1:51234"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	return r
}

// http10 is what nginx makes of a request by default: no header tells where it came from.
func http10(r *http.Request) *http.Request {
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
	return r
}

func TestATokenOpensWhatItIsFor(t *testing.T) {
	t.Parallel()
	g := &auth.Guard{Tokens: tokens(token("", "for-everything"), token("west", "west-old"), token("west", "west-new"))}
	for header, want := range map[string]auth.Access{
		"Bearer for-everything": {All: true}, "Bearer west-old": {Account: "west"}, "bearer west-new": {Account: "west"},
		"": {}, "Bearer": {}, "Bearer ": {}, "Bearer for-everythin": {}, "Bearer for-everything1": {}, "Basic for-everything": {},
		"Bearer west": {}, "for-everything": {}, "Bearer west:west-old": {}, "Bearer FOR-EVERYTHING": {},
	} {
		// This machine has no privilege once there are tokens.
		w, got := ask(g, request("GET", "Authorization: "+header))
		if got != want {
			t.Errorf("%q gives %+v, want %+v", header, got, want)
		}
		if refused := w.Code == http.StatusUnauthorized; refused != want.None() {
			t.Errorf("%q is answered %d", header, w.Code)
		}
		if strings.Contains(w.Body.String(), "west") {
			t.Errorf("%q: the refusal tells too much: %s", header, w.Body)
		}
	}
}

func TestAnAccountsTokenAllowsItsAccountOnly(t *testing.T) {
	t.Parallel()
	west, all, none := auth.Access{Account: "west"}, auth.Access{All: true}, auth.Access{}
	for _, c := range []struct {
		access  auth.Access
		account string
		want    bool
	}{{west, "west", true}, {west, "east", false}, {west, "", false}, {west, "West", false}, {all, "east", true}, {none, "", false}, {none, "west", false}} {
		if got := c.access.Allows(c.account); got != c.want {
			t.Errorf("%+v allows %q: %v", c.access, c.account, got)
		}
	}
	if !none.None() || west.None() || all.None() {
		t.Error("who has access to what?")
	}
}

func TestWithoutATokenOnlyThisMachineIsAnswered(t *testing.T) {
	t.Parallel()
	g := &auth.Guard{Tokens: tokens()}
	for name, c := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"curl":                                 {request("POST"), true},
		"by name":                              {request("POST", "Host: localhost:8080"), true},
		"IPv6":                                 {request("POST", "Host: [::1]:8080"), true},
		"a bearer token nobody asked for":      {request("POST", "Authorization: Bearer whatever-it-is"), true},
		"our own page":                         {request("POST", "Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8080"), true},
		"the address bar":                      {request("GET", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"), true},
		"a link on another page":               {request("GET", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"), true},
		"a name that was rebound":              {request("GET", "Host: evil.example:8080"), false},
		"a name that ends in localhost":        {request("GET", "Host: evillocalhost"), false},
		"a name that begins so":                {request("GET", "Host: 127.0.0.1.evil.example"), false},
		"no name":                              {request("GET", "Host: "), false},
		"a form of another page":               {request("POST", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"), false},
		"a script of another page":             {request("POST", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"), false},
		"another port of this machine":         {request("POST", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"), false},
		"an image on another page":             {request("GET", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), false},
		"a frame on another page":              {request("GET", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"), false},
		"an old browser":                       {request("POST", "Origin: https://evil.example"), false},
		"a sandboxed page":                     {request("POST", "Origin: null"), false},
		"a proxy on this machine":              {request("GET", "X-Forwarded-For: 203.0.113.7"), false},
		"a modern proxy":                       {request("GET", "Forwarded: for=203.0.113.7"), false},
		"nginx with no more than a proxy_pass": {http10(request("GET")), false},
	} {
		if w, got := ask(g, c.r); got.All != c.want || (w.Code == http.StatusOK) != c.want {
			t.Errorf("%s: access %+v, answer %d; want %v", name, got, w.Code, c.want)
		}
	}
	far := request("GET")
	far.RemoteAddr = "192.0.2.7:51234"
	if w, got := ask(g, far); !got.None() || w.Code != http.StatusUnauthorized {
		t.Errorf("another machine: access %+v, answer %d", got, w.Code)
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		g         *auth.Guard
		header    string
		challenge string
	}{
		"no token given": {&auth.Guard{Tokens: tokens(token("", "for-everything"))}, "X: y", `Bearer realm="reelkeep"`},
		"a wrong one":    {&auth.Guard{Tokens: tokens(token("", "for-everything"))}, "Authorization: Bearer wrong", `Bearer realm="reelkeep", error="invalid_token"`},
		"HTTP/1.0":       {&auth.Guard{Tokens: tokens()}, "X-Forwarded-For: 203.0.113.7", `Bearer realm="reelkeep"`},
		"none set":       {&auth.Guard{Tokens: tokens()}, "Host: elsewhere.example", `Bearer realm="reelkeep"`},
	} {
		r := request("GET", c.header)
		if name == "HTTP/1.0" {
			http10(r)
		}
		w, _ := ask(c.g, r)
		if told := strings.Contains(w.Body.String(), "HTTP/1.0"); told != (name == "HTTP/1.0") {
			t.Errorf("%s: %s", name, w.Body)
		}
		var p problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != 401 || p.Code != "unauthorized" || !strings.Contains(p.Hint, "REELKEEP_API_TOKENS") ||
			w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %v %s", name, w.Header(), w.Body)
		}
	}
}

func FuzzLoopbackIsNeverAName(f *testing.F) {
	for seed, want := range map[string]bool{
		"127.0.0.1:80": true, "localhost": true, "LOCALHOST.:80": true, "[::1]:1": true, "a.localhost:1": true, "::ffff:127.0.0.1": true, "127.8.9.10": true,
		"127.0.0.1.nip.io": false, "evillocalhost": false, "localhost.example:80": false, "0": false, "0.0.0.0": false, "2130706433": false, "": false, ":80": false, "192.0.2.1": false,
	} {
		if auth.Loopback(seed) != want {
			f.Errorf("%q counts as this machine: %v", seed, !want)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !auth.Loopback(host) {
			return
		}
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if ip := net.ParseIP(strings.Trim(name, "[]")); name != "localhost" && !strings.HasSuffix(name, ".localhost") && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("%q counts as this machine", host)
		}
	})
}
