package worker

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Buffers is the memory of all transfers of the process: a budget in bytes that part buffers are taken from.
//
// No transfer waits for a buffer while its reader holds another one, and a filled buffer is always on its way
// into the store, so buffers always come back: one part's worth of budget is enough for any number of transfers.
// Waiters are served in order.
type Buffers struct {
	budget int64
	part   int64
	sem    *semaphore.Weighted

	mu   sync.Mutex
	idle [][]byte // of part capacity; reused, so that the heap does not grow and shrink with every part
	held int64
}

// NewBuffers returns a budget of that many bytes, tuned for parts of part bytes. It refuses a budget of less
// than one part.
func NewBuffers(budget, part int64) (*Buffers, error) {
	if budget < part {
		return nil, fmt.Errorf("REELKEEP_MEMORY: %d bytes hold no part of REELKEEP_PART_SIZE %d: raise the first or lower the second", budget, part)
	}
	return &Buffers{budget: budget, part: part, sem: semaphore.NewWeighted(budget)}, nil
}

// Take waits for room and returns a buffer of n bytes. The caller gives it back with Give.
// A part larger than the whole budget (a video so long that its parts had to grow) takes all of it.
func (b *Buffers) Take(ctx context.Context, n int64) ([]byte, error) {
	size := n
	if n > b.part/2 && n <= b.part {
		size = b.part // so that buffers can be reused for each other
	}
	if err := b.sem.Acquire(ctx, b.weight(size)); err != nil {
		return nil, context.Cause(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held += size
	if last := len(b.idle) - 1; size == b.part && last >= 0 {
		buf := b.idle[last]
		b.idle = b.idle[:last]
		return buf[:n], nil
	}
	// Idle buffers are memory, too: they make room for what cannot reuse them.
	for len(b.idle) > 0 && b.held+int64(len(b.idle))*b.part > b.budget {
		b.idle = b.idle[:len(b.idle)-1]
	}
	return make([]byte, n, size), nil
}

// Give takes back a buffer of Take, which may have been shortened.
func (b *Buffers) Give(buf []byte) {
	size := int64(cap(buf))
	b.mu.Lock()
	b.held -= size
	if size == b.part {
		b.idle = append(b.idle, buf)
	}
	b.mu.Unlock()
	b.sem.Release(b.weight(size))
}

// Held returns how many bytes are taken.
func (b *Buffers) Held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *Buffers) weight(n int64) int64 { return min(n, b.budget) }
