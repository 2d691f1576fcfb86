package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Buffers is the memory of all transfers of the process: a budget in bytes that part buffers are taken from. Each
// transfer takes them through a Share of its own.
//
// Two rules make any budget from one part's worth on enough for any number of transfers:
//
//   - whoever holds no buffer comes before whoever holds one, in the order of asking; among those who hold some,
//     whoever holds least comes first;
//   - whoever holds a buffer can always do without another one: it is on its way into the store, or a read that waits
//     for nothing but the source will set it on its way. So buffers always come back.
//
// A transfer that has many buffers loses them one after another, as its parts are stored, while others wait for their first.
type Buffers struct {
	budget int64
	part   int64

	mu      sync.Mutex
	idle    [][]byte // of part capacity; reused, so that the heap does not grow and shrink with every part
	held    int64
	closed  bool
	waiting []*waiter // in the order of asking
}

// waiter is one Take that is not served yet.
type waiter struct {
	share *Share
	n     int64
	got   chan []byte
}

// A Share is one transfer's part in the Buffers. It may be used by several goroutines.
type Share struct {
	pool *Buffers
	held int64 // guarded by pool.mu
}

// NewBuffers returns a budget of that many bytes, tuned for parts of part bytes. It refuses a budget of less
// than one part.
func NewBuffers(budget, part int64) (*Buffers, error) {
	if budget < part {
		return nil, fmt.Errorf("REELKEEP_MEMORY: %d bytes hold no part of REELKEEP_PART_SIZE %d: raise the first or lower the second", budget, part)
	}
	return &Buffers{budget: budget, part: part}, nil
}

// Share returns a new share.
func (b *Buffers) Share() *Share { return &Share{pool: b} }

// Take waits for room and returns a buffer of n bytes. The caller gives it back with Give.
// A part larger than the whole budget (a source says that its file is so long that its parts had to grow) is refused: the
// budget is a promise, and anybody can say anything of a file.
func (s *Share) Take(ctx context.Context, n int64) ([]byte, error) {
	b := s.pool
	if n > b.budget {
		return nil, &PartTooLargeError{Part: n, Memory: b.budget}
	}
	w := &waiter{share: s, n: n, got: make(chan []byte, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.serve()
	b.mu.Unlock()
	select {
	case buf := <-w.got:
		return buf, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else {
		b.put(s, <-w.got) // it was served in this very moment
	}
	b.serve() // it may have stood in the way of others
	return nil, context.Cause(ctx)
}

// Give takes back a buffer of Take, which may have been shortened.
func (s *Share) Give(buf []byte) {
	b := s.pool
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(s, buf)
	b.serve()
}

// Most returns the size of the largest buffer that there can be.
func (b *Buffers) Most() int64 { return b.budget }

// Held returns how many bytes are taken.
func (b *Buffers) Held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// OnHeap returns how much of Go's heap the buffers may take.
func (b *Buffers) OnHeap() int64 {
	if buffersOnHeap {
		return b.budget
	}
	return 0
}

// Close gives all memory back to the system: what is idle now, what is taken when it comes back.
func (b *Buffers) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, buf := range b.idle {
		free(buf)
	}
	b.idle = nil
}

// serve hands out what there is room for. The first in turn may need more than there is; then nobody passes it, or
// it would wait for ever.
func (b *Buffers) serve() {
	for len(b.waiting) > 0 {
		next := 0
		for i, w := range b.waiting {
			if w.share.held < b.waiting[next].share.held {
				next = i
			}
		}
		w := b.waiting[next]
		if b.held+b.size(w.n) > b.budget {
			return
		}
		b.waiting = slices.Delete(b.waiting, next, next+1)
		w.got <- b.get(w.share, w.n)
	}
}

func (b *Buffers) get(s *Share, n int64) []byte {
	size := b.size(n)
	s.held += size
	b.held += size
	if last := len(b.idle) - 1; size == b.part && last >= 0 {
		buf := b.idle[last]
		b.idle = b.idle[:last]
		return buf[:n]
	}
	// Idle buffers are memory, too: they make room for what cannot reuse them.
	for len(b.idle) > 0 && b.held+int64(len(b.idle))*b.part > b.budget {
		free(b.idle[len(b.idle)-1])
		b.idle = b.idle[:len(b.idle)-1]
	}
	return allocate(size)[:n]
}

func (b *Buffers) put(s *Share, buf []byte) {
	size := int64(cap(buf))
	s.held -= size
	b.held -= size
	if size == b.part && !b.closed {
		b.idle = append(b.idle, buf)
	} else {
		free(buf)
	}
}

// size is the capacity of a buffer for n bytes: those of most parts can be reused for each other.
func (b *Buffers) size(n int64) int64 {
	if n > b.part/2 && n <= b.part {
		return b.part
	}
	return n
}
