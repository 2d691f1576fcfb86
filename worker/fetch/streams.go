package fetch

import (
	"context"
	"slices"
	"sync"
)

// streams bounds the requests under way to each host. The transport has such a limit too, but waits for it inside
// the request, where a queue would look like a stalled host.
//
// Files share a host's slots fairly: the next free one goes to the file that has fewest, and among equals to the one
// that asked first. So a large file with many streams does not keep small ones waiting.
type streams struct {
	limit int
	mu    sync.Mutex
	hosts map[string]*slots
}

type slots struct {
	taken   int
	by      map[*turn]int
	waiting []*slotWaiter // in the order of asking
}

type slotWaiter struct {
	file *turn
	got  chan struct{}
}

// enter waits for a slot and returns how to give it back.
func (s *streams) enter(ctx context.Context, host string, file *turn) (leave func(), err error) {
	w := &slotWaiter{file: file, got: make(chan struct{})}
	s.mu.Lock()
	h := s.hosts[host]
	if h == nil {
		h = &slots{by: map[*turn]int{}}
		s.hosts[host] = h
	}
	h.waiting = append(h.waiting, w)
	s.serve(host, h)
	s.mu.Unlock()
	leave = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.taken--
		if h.by[file]--; h.by[file] == 0 {
			delete(h.by, file)
		}
		s.serve(host, h)
	})
	select {
	case <-w.got:
		return leave, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(h.waiting, w)
	if i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
		s.serve(host, h)
	}
	s.mu.Unlock()
	if i < 0 { // it was served in this very moment
		leave()
	}
	return nil, context.Cause(ctx)
}

// serve hands out free slots, and forgets a host that nobody uses.
func (s *streams) serve(host string, h *slots) {
	for len(h.waiting) > 0 && h.taken < s.limit {
		next := 0
		for i, w := range h.waiting {
			if h.by[w.file] < h.by[h.waiting[next].file] {
				next = i
			}
		}
		w := h.waiting[next]
		h.waiting = slices.Delete(h.waiting, next, next+1)
		h.taken++
		h.by[w.file]++
		close(w.got)
	}
	if h.taken == 0 && s.hosts[host] == h {
		delete(s.hosts, host)
	}
}

// full says whether the next request to the host would have to wait.
func (s *streams) full(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[host]
	return h != nil && h.taken+len(h.waiting) >= s.limit
}
