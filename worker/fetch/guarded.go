package fetch

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Guarded is an http.RoundTripper that dials only what a link may be fetched from: public addresses, by https and on port 443,
// and those of private, also over http and on any port. It goes through no proxy, which would do the dialling in our stead.
// Errors carry no query. An http.Client on it SHOULD NOT follow redirects; whoever follows them is guarded all the same.
type Guarded struct {
	secure, plain *http.Transport
}

// NewGuarded makes one. private is what REELKEEP_PRIVATE_SOURCES holds.
func NewGuarded(private []netip.Prefix) *Guarded {
	cfg := Config{HostStreams: guardedIdle}
	g := &Guarded{secure: newTransport(cfg, newGuard(private, true)), plain: newTransport(cfg, newGuard(private, false))}
	for _, t := range []*http.Transport{g.secure, g.plain} {
		t.ReadBufferSize, t.ResponseHeaderTimeout, t.MaxResponseHeaderBytes = 0, time.Minute, 64<<10
	}
	return g
}

// guardedIdle is how many connections to one host are kept.
const guardedIdle = 16

// RoundTrip sends a request as it is.
func (g *Guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	// What is wrong with the address itself is told before anybody is asked for its name.
	if _, err := parseTarget(secret.New(r.URL.String()), nil); err != nil {
		return nil, err
	}
	transport := g.secure
	if r.URL.Scheme == "http" {
		transport = g.plain
	}
	res, err := transport.RoundTrip(r)
	if refusal, ok := errors.AsType[*detail](err); ok {
		return nil, refusal
	}
	if err != nil && r.Context().Err() == nil {
		return nil, errors.New(secret.Scrub(err.Error()))
	}
	return res, err
}

// CloseIdleConnections lets idle connections go.
func (g *Guarded) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}
