package worker

import (
	"context"
	"sync"
	"time"
)

// sendsBeside is how many parts at least may be on their way into the store while all streams read ranges.
const sendsBeside = 4

// A gate lets parts of one asset begin: as many at once as the pace allows streams, and not too many more that are read
// and not stored yet.
type gate struct {
	now     func() time.Time
	inOrder bool          // one part after the other, each done before the next begins
	changed chan struct{} // holds one token after a change; only one goroutine waits for it

	mu       sync.Mutex
	pace     *pace
	reading  int
	inFlight int // reading, on their way into the store, or waiting to be hashed
}

func newGate(p *pace, inOrder bool, now func() time.Time) *gate {
	return &gate{now: now, pace: p, inOrder: inOrder, changed: make(chan struct{}, 1)}
}

// enter waits until another part may begin. It is for one goroutine.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		limit := g.pace.limit
		if g.reading < limit && g.inFlight < g.most() {
			g.reading++
			g.inFlight++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-g.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// most is how many parts may be in flight.
func (g *gate) most() int {
	if g.inOrder {
		return 1
	}
	return g.pace.limit + max(sendsBeside, g.pace.limit)
}

// read: a part has been read, or will not be.
func (g *gate) read() { g.change(func() { g.reading-- }) }

// done: a part needs its buffer no longer.
func (g *gate) done() { g.change(func() { g.inFlight-- }) }

// tick: so many bytes have been read so far.
func (g *gate) tick(moved int64) {
	g.change(func() { g.pace.tick(g.now(), moved, 8*g.reading >= 7*g.pace.limit) })
}

// refused: the source wants fewer streams.
func (g *gate) refused() { g.change(func() { g.pace.refused(g.now(), g.reading) }) }

func (g *gate) change(f func()) {
	g.mu.Lock()
	f()
	g.mu.Unlock()
	select {
	case g.changed <- struct{}{}:
	default:
	}
}
