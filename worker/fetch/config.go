package fetch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Config says how a Client reads. The zero value of every field is a working default.
type Config struct {
	// StallTimeout cuts a request or a read that brings no byte for this long: 30 s, the longest pause seen from
	// a healthy CDN being far below that.
	StallTimeout time.Duration
	// HostStreams is how many requests may be under way to one host: 64.
	HostStreams int
	// Bandwidth is how many bytes a second all files together are read at; 0: no limit.
	Bandwidth int64
	// SourceHosts are the host suffixes that links and redirects may point to; empty: any public host.
	SourceHosts []string
	// PrivateSources are addresses that may be fetched although they are not public, on any port, also over http.
	PrivateSources []netip.Prefix
	UserAgent      string
	Retry          Retry
	// FreshWait is how long 403 or 404 on an unexpired link may mean "not there yet": 60 s. HeyGen names files up
	// to half a minute before its CDN serves them.
	FreshWait time.Duration
	RootCAs   *x509.CertPool // nil: the system's
	Log       *slog.Logger
	Now       func() time.Time // decides which links are expired
	Observe   Observer
}

// Retry bounds what is done without success.
type Retry struct {
	Base    time.Duration // first pause, doubled from try to try: 500 ms
	Cap     time.Duration // longest pause of our own: 15 s
	Longest time.Duration // longest Retry-After that is obeyed in full: 60 s
	Tries   int           // tries in a row without one new byte before *GiveUpError: 8
}

// Observer is told what happened on the way. It MUST be safe for concurrent use.
type Observer interface {
	// Resumed: an answer broke and the rest is asked for again. Causes: dropped, stalled, short.
	Resumed(cause string)
	// Refreshed: a new link was fetched. Reasons: expired, forbidden, not_found, ahead.
	Refreshed(reason string)
}

type silent struct{}

func (silent) Resumed(string)   {}
func (silent) Refreshed(string) {}

func (cfg Config) withDefaults() Config {
	orDuration := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDuration(&cfg.StallTimeout, 30*time.Second)
	orDuration(&cfg.FreshWait, 60*time.Second)
	orDuration(&cfg.Retry.Base, 500*time.Millisecond)
	orDuration(&cfg.Retry.Cap, 15*time.Second)
	orDuration(&cfg.Retry.Longest, 60*time.Second)
	if cfg.Retry.Tries == 0 {
		cfg.Retry.Tries = 8
	}
	if cfg.HostStreams == 0 {
		cfg.HostStreams = 64
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "reelkeep"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = silent{}
	}
	return cfg
}

// check names every bad value at once, by its setting.
func (cfg Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if cfg.StallTimeout < 0 {
		bad("REELKEEP_STALL_TIMEOUT: want a positive duration, got %s", cfg.StallTimeout)
	}
	if cfg.HostStreams < 0 {
		bad("REELKEEP_HOST_STREAMS: want at least 1, got %d", cfg.HostStreams)
	}
	if cfg.Bandwidth < 0 {
		bad("REELKEEP_BANDWIDTH: want a positive number of bytes a second, got %d", cfg.Bandwidth)
	}
	for _, host := range cfg.SourceHosts {
		if name := hostSuffix(host); name == "" || strings.ContainsAny(name, "/?#@ *") {
			bad("REELKEEP_SOURCE_HOSTS: want host names such as heygen.ai, got %q", host)
		}
	}
	for _, prefix := range cfg.PrivateSources {
		if !prefix.IsValid() {
			bad("REELKEEP_PRIVATE_SOURCES: want addresses such as 10.0.0.0/8, got an empty one")
		}
	}
	if cfg.FreshWait < 0 {
		bad("FreshWait: want a positive duration, got %s", cfg.FreshWait)
	}
	if r := cfg.Retry; r.Base < 0 || r.Cap < 0 || r.Longest < 0 || r.Tries < 0 {
		bad("Retry: want positive values, got %+v", r)
	}
	return errors.Join(errs...)
}
