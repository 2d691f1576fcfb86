package fetch

import (
	"context"
	"sync"
)

// streams bounds the requests under way to each host. The transport has such a limit too, but waits for it inside
// the request, where a queue would look like a stalled host.
type streams struct {
	limit int
	mu    sync.Mutex
	hosts map[string]*slots
}

type slots struct {
	free  chan struct{}
	users int
}

// enter waits for a slot and returns how to give it back.
func (s *streams) enter(ctx context.Context, host string) (leave func(), err error) {
	s.mu.Lock()
	h := s.hosts[host]
	if h == nil {
		h = &slots{free: make(chan struct{}, s.limit)}
		s.hosts[host] = h
	}
	h.users++
	s.mu.Unlock()
	forget := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(s.hosts, host)
		}
	}
	select {
	case h.free <- struct{}{}:
		return sync.OnceFunc(func() { <-h.free; forget() }), nil
	case <-ctx.Done():
		forget()
		return nil, context.Cause(ctx)
	}
}

// full says whether the next request to the host would have to wait.
func (s *streams) full(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[host]
	return h != nil && h.users >= s.limit
}
