package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Link is an address that may stop working.
type Link struct {
	URL     secret.String
	Expires time.Time // zero: unsigned or unknown
}

// endsBefore says whether the link is known to be dead at that time.
func (l Link) endsBefore(at time.Time) bool { return !l.Expires.IsZero() && !at.Before(l.Expires) }

// Refresh gets a new link to the same file. It MAY take its time; it MUST obey ctx. Its error ends the read, so
// retries of the API belong into it. One call at a time for a File, however many ranges wait for the answer.
type Refresh func(ctx context.Context) (Link, error)

// ahead is how close to its end a link is no longer worth a request: hosts check it when the request arrives,
// and clocks differ a little.
const ahead = 5 * time.Second

// links holds the one current link of a File and the one refresh that may be under way.
type links struct {
	refresh Refresh
	now     func() time.Time
	observe Observer

	mu      sync.Mutex
	link    Link
	gen     int  // counts links, so that a range that failed on an old one doesn't renew the new one
	brief   bool // this link was nearly expired when it came: renewing ahead would never end
	pending *renewal
}

type renewal struct {
	done chan struct{}
	err  error
	left bool // the goroutine that asked was cancelled: the error is its own, not the others'
}

// current returns the link and its generation, and whether it should be renewed before it is used.
func (l *links) current() (link Link, gen int, stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stale = l.refresh != nil && !l.brief && l.expiresWithin(ahead)
	return l.link, l.gen, stale
}

func (l *links) expiresWithin(d time.Duration) bool {
	return l.link.endsBefore(l.now().Add(d))
}

// renew replaces the link of generation gen. Whoever comes while that is under way waits for the same answer;
// whoever comes with an older generation has the new link already.
func (l *links) renew(ctx context.Context, gen int, reason string) error {
	for {
		l.mu.Lock()
		if l.gen != gen || l.refresh == nil {
			l.mu.Unlock()
			return nil
		}
		flight := l.pending
		if flight == nil {
			flight = &renewal{done: make(chan struct{})}
			l.pending = flight
			l.mu.Unlock()
			return l.lead(ctx, flight, reason)
		}
		l.mu.Unlock()
		select {
		case <-flight.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !flight.left {
			return flight.err
		}
	}
}

// lead makes the call the others wait for. They are let go even if refresh panics.
func (l *links) lead(ctx context.Context, flight *renewal, reason string) error {
	flight.err = errors.New("refresh the link: call did not return")
	defer func() {
		l.mu.Lock()
		l.pending = nil
		l.mu.Unlock()
		close(flight.done)
	}()
	link, err := l.refresh(ctx)
	if err == nil && link.URL.IsZero() {
		err = errors.New("the answer holds no link")
	}
	if err != nil {
		flight.left = ctx.Err() != nil
		flight.err = fmt.Errorf("refresh the link of %s: %w", l.shown(), err)
		return flight.err
	}
	l.mu.Lock()
	l.link = link
	l.gen++
	l.brief = l.expiresWithin(ahead)
	l.mu.Unlock()
	flight.err = nil
	l.observe.Refreshed(reason)
	return nil
}

func (l *links) shown() secret.String {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link.URL
}
