package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
)

const (
	mostListeners = 64
	mostOfAccount = 16 // by the tokens of one account
	lookEvery     = time.Second
	lookPatience  = 5 * time.Second
	longestPause  = 5 * time.Second
	heartbeat     = 15 * time.Second
	// streamStall is for how long a listener may take nothing.
	streamStall = 30 * time.Second
	// longestStream is when a browser has to come again, and to show that it may still listen.
	longestStream = 30 * time.Minute
	// frames wait for a listener who reads slowly; one who falls further behind is cut, and starts afresh.
	framesAhead = 8
)

// hub is the one watcher of the process: while anybody listens it looks at the in-tray once a second, for all of them.
type hub struct {
	h *Handler

	mu        sync.Mutex
	listeners map[*listener]struct{}
	closed    bool
	stop      context.CancelFunc // nil: nobody watches
	done      chan struct{}      // closed when the last watch has ended
}

// listener is one stream.
type listener struct {
	account string            // whose videos it may hear of; "": all
	sent    map[string]string // signs of the sections that it was sent, by id
	frames  chan []byte
}

func newHub(h *Handler) *hub {
	u := &hub{h: h, listeners: map[*listener]struct{}{}, done: make(chan struct{})}
	close(u.done)
	return u
}

// join adds a listener, unless there are too many; the first one starts the watcher.
func (u *hub) join(l *listener) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := 0
	for other := range u.listeners {
		if l.account != "" && other.account == l.account {
			same++
		}
	}
	if u.closed || len(u.listeners) >= mostListeners || same >= mostOfAccount {
		return false
	}
	l.frames = make(chan []byte, framesAhead)
	u.listeners[l] = struct{}{}
	if u.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		before, done := u.done, make(chan struct{})
		u.stop, u.done = stop, done
		go func() {
			defer close(done)
			<-before // listeners belong to one watch at a time
			u.watch(ctx)
		}()
	}
	return true
}

// leave takes a listener out; the last one ends the watcher.
func (u *hub) leave(l *listener) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(l)
	if len(u.listeners) == 0 && u.stop != nil {
		u.stop()
		u.stop = nil
	}
}

// drop ends a stream. It needs the lock.
func (u *hub) drop(l *listener) {
	if _, ok := u.listeners[l]; ok {
		delete(u.listeners, l)
		close(l.frames)
	}
}

// close ends all streams, and returns when nobody watches any more.
func (u *hub) close() {
	<-u.end()
}

func (u *hub) end() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for l := range u.listeners {
		u.drop(l)
	}
	if u.stop != nil {
		u.stop()
		u.stop = nil
	}
	return u.done
}

// watch looks until ctx ends. A look that takes longer than a second delays the next one, so that a large queue is not
// asked without a pause.
func (u *hub) watch(ctx context.Context) {
	w := &watch{u.h, map[string]*view{}}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		began := time.Now()
		w.look(ctx, u.audience())
		if ctx.Err() == nil {
			u.tell(ctx, w)
		}
		took := time.Since(began)
		pause.Reset(min(max(lookEvery-took, 4*took), longestPause))
	}
}

// audience is who listens just now.
func (u *hub) audience() []*listener {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]*listener, 0, len(u.listeners))
	for l := range u.listeners {
		out = append(out, l)
	}
	return out
}

// tell gives everybody his frame.
func (u *hub) tell(ctx context.Context, w *watch) {
	for _, l := range u.audience() {
		frame := w.frame(ctx, l)
		u.mu.Lock()
		if _, ok := u.listeners[l]; ok && len(frame) > 0 {
			select {
			case l.frames <- frame:
			default:
				u.drop(l)
			}
		}
		u.mu.Unlock()
	}
}

// events is a stream of what changes: pieces of the page, each with the id of what it takes the place of.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	access := auth.Of(r.Context())
	if access.None() {
		problem.Write(w, http.StatusUnauthorized, "unauthorized", "events are for those who have signed in", "load the page again")
		return
	}
	h.private(w, r)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep them until it has some kilobytes
	if r.Method == http.MethodHead {
		return
	}
	l := &listener{account: access.Account}
	if !h.live.join(l) { //nolint:contextcheck // the watcher is everybody's, and outlives this request
		p := problem.New(http.StatusServiceUnavailable, "too_many", "too many pages are open here", "load the page again later; it shows how things stood")
		p.RetryAfter = heartbeat
		p.ServeHTTP(w, r)
		return
	}
	defer h.live.leave(l)
	patient, _ := stall.Guard(w, r, streamStall)
	stream(r.Context(), patient, l.frames)
}

// stream writes frames until one of the two sides has had enough.
func stream(ctx context.Context, w http.ResponseWriter, frames <-chan []byte) {
	out := http.NewResponseController(w)
	ctx, cancel := context.WithTimeout(ctx, longestStream)
	defer cancel()
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	frame := []byte("retry: 2000\n\n")
	for open := true; open; {
		if _, err := w.Write(frame); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-alive.C:
			frame = []byte(": still here\n\n")
		case frame, open = <-frames:
		}
	}
}

// event writes one event. A line of its data is a line of HTML.
func event(out *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(out, "event: %s\n", name)
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out.WriteString("data: ")
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	out.WriteByte('\n')
}
