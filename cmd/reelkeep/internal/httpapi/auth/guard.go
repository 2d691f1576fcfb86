package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
)

// Guard looks at requests.
type Guard struct {
	Tokens *Tokens
	Now    func() time.Time // nil: time.Now
}

func (g *Guard) now() time.Time {
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}

// Identify puts the Access of a request into its context. It refuses nobody: some doors are open to others as well.
func (g *Guard) Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := With(r.Context(), g.access(r))
		next.ServeHTTP(w, withoutSession(r).WithContext(ctx))
	})
}

func (g *Guard) access(r *http.Request) Access {
	if g.Tokens.Empty() {
		return Access{All: Local(r)}
	}
	token, ok := Bearer(r)
	if !ok {
		return g.signedIn(r)
	}
	return g.Tokens.Access(token)
}

// Require refuses a request that has no Access.
func (g *Guard) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Of(r.Context()).None() {
			stall.Unread(w, r)
			g.refusal(r).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal tells what is missing, and of no token what is right or wrong about it.
func (g *Guard) refusal(r *http.Request) *problem.Problem {
	p := problem.New(http.StatusUnauthorized, "unauthorized", "this needs a token", "send it as Authorization: Bearer TOKEN; tokens are set by REELKEEP_API_TOKENS")
	challenge := `Bearer realm="reelkeep"`
	switch _, given := Bearer(r); {
	case g.Tokens.Empty():
		p.Detail = "no token is set here, so that only requests of this very machine are answered, made to 127.0.0.1 or localhost, by no proxy and by no page of another origin"
		p.Hint = "set REELKEEP_API_TOKENS, and send one as Authorization: Bearer TOKEN"
		if !r.ProtoAtLeast(1, 1) {
			p.Detail = "no token is set here, and HTTP/1.0 is what a proxy speaks that says nothing else of itself (nginx without proxy_http_version 1.1)"
		}
	case given:
		p.Detail, challenge = "this token is not valid", challenge+`, error="invalid_token"`
	}
	p.Header = http.Header{"Www-Authenticate": {challenge}}
	return p
}

// Bearer is the token that a request presents.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	token = strings.TrimSpace(token)
	return token, token != ""
}

// Local says whether a request was made on this machine, by whoever sits there and not by a page of another origin.
func Local(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && remote.Addr().Unmap().IsLoopback() && Loopback(r.Host) && !handedOn(r) && !CrossSite(r)
}

// handedOn says whether a proxy made the request. It is then somebody else's, who may sit anywhere. nginx with no more than
// a proxy_pass gives us the name that we listen at and no header of its own, but speaks HTTP/1.0, which no client of today
// does. A tunnel that forwards bytes can't be noticed.
func handedOn(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Cf-Connecting-Ip"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// CrossSite says whether a page of another origin has made a browser send the request, other than by a link that its
// user followed. Doors that a browser opens by itself, by a cookie or by being where it is, must not open to it.
func CrossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !read || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
			return true
		}
	}
	// A browser too old for Sec-Fetch-Site tells the origin.
	return new(http.CrossOriginProtection).Check(r) != nil
}

// Loopback says whether host, or host:port, names this machine and nothing else. A name other than localhost may resolve
// to 127.0.0.1 today and to something else tomorrow.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
