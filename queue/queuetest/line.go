package queuetest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Line is the wire between one client and its Redis. Give its Dial to the client's options.
type Line struct {
	To string // every address leads here; "": where it says

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

var errCut = errors.New("queuetest: the line is cut")

// Dial connects unless the line is cut.
func (l *Line) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errCut
	}
	if l.To != "" {
		addr = l.To
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if l.conns == nil {
		l.conns = map[net.Conn]struct{}{}
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// Cut ends all connections and refuses new ones: to Redis and to its other clients, this one has died.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// Mend lets connections through again.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}
