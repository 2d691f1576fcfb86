package fetch

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// An effort is what has been tried since the last new byte. A new byte makes a new effort.
type effort struct {
	moved       bool      // the answer that is being read has brought a new byte
	tries       int       // ended without one
	since       time.Time // of the first of them
	denials     int       // in a row
	deniedSince time.Time // of a link that was not expired
	seen        int64     // of the file's bytes, when others moved last
}

// backoff is the pause before try n (from 1): doubling, capped, and spread so that many ranges that broke
// together do not come back together.
func (r Retry) backoff(n int) time.Duration {
	d := r.Cap
	if shift := n - 1; shift < 32 {
		d = min(r.Base<<shift, r.Cap)
	}
	return d/2 + rand.N(d/2+1)
}

// pause says how long to wait after the fault.
func (r Retry) pause(tries int, f *fault) time.Duration {
	return max(r.backoff(tries), min(f.after, r.Longest))
}

// sleep waits, or returns why it could not.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func refreshReason(status int, expired bool) string {
	switch {
	case expired:
		return "expired"
	case status == http.StatusNotFound || status == http.StatusGone:
		return "not_found"
	}
	return "forbidden"
}
