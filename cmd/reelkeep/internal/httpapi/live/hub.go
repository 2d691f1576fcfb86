package live

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
)

const (
	// MostListeners are served at a time, and MostOfAccount by the tokens of one account.
	MostListeners = 64
	MostOfAccount = 16
	// LookEvery is how often the watcher looks, unless that takes long.
	LookEvery = time.Second

	longestPause = 5 * time.Second
	heartbeat    = 15 * time.Second
	// streamStall is for how long a listener may take nothing.
	streamStall = 30 * time.Second
	// longestStream is when a browser has to come again, and to show that it may still listen.
	longestStream = 30 * time.Minute
	// frames wait for a listener who reads slowly; one who falls further behind is cut, and starts afresh.
	framesAhead = 8
)

// A Watcher looks for all who listen.
type Watcher interface {
	// Look sees how things stand for them. Its context ends when nobody listens any more.
	Look(ctx context.Context, audience []*Listener)
	// Frame is what has changed for one of them since his last frame: pieces of the page, each with the id of what it takes
	// the place of. Empty: nothing has.
	Frame(ctx context.Context, l *Listener) []byte
}

// Listener is one stream.
type Listener struct {
	Account string            // whose videos it may hear of; "": all
	Sent    map[string]string // signs of the pieces that it was sent, by id; the Watcher's to keep

	frames chan []byte
}

// Hub has the one watcher of the process: while anybody listens it looks once a second, for all of them.
type Hub struct {
	watcher func() Watcher

	mu        sync.Mutex
	listeners map[*Listener]struct{}
	closed    bool
	stop      context.CancelFunc // nil: nobody watches
	done      chan struct{}      // closed when the last watch has ended
}

// New returns a hub. It asks for a new watcher whenever somebody is the first to listen.
func New(watcher func() Watcher) *Hub {
	u := &Hub{watcher: watcher, listeners: map[*Listener]struct{}{}, done: make(chan struct{})}
	close(u.done)
	return u
}

// join adds a listener, unless there are too many; the first one starts the watcher.
func (u *Hub) join(l *Listener) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := 0
	for other := range u.listeners {
		if l.Account != "" && other.Account == l.Account {
			same++
		}
	}
	if u.closed || len(u.listeners) >= MostListeners || same >= MostOfAccount {
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
func (u *Hub) leave(l *Listener) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(l)
	if len(u.listeners) == 0 && u.stop != nil {
		u.stop()
		u.stop = nil
	}
}

// drop ends a stream. It needs the lock.
func (u *Hub) drop(l *Listener) {
	if _, ok := u.listeners[l]; ok {
		delete(u.listeners, l)
		close(l.frames)
	}
}

// Close ends all streams, and returns when nobody watches any more. No new one begins after it.
func (u *Hub) Close() { <-u.end() }

func (u *Hub) end() <-chan struct{} {
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
func (u *Hub) watch(ctx context.Context) {
	w := u.watcher()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		began := time.Now()
		w.Look(ctx, u.audience())
		if ctx.Err() == nil {
			u.tell(ctx, w)
		}
		took := time.Since(began)
		pause.Reset(min(max(LookEvery-took, 4*took), longestPause))
	}
}

// audience is who listens just now.
func (u *Hub) audience() []*Listener {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]*Listener, 0, len(u.listeners))
	for l := range u.listeners {
		out = append(out, l)
	}
	return out
}

// tell gives everybody his frame.
func (u *Hub) tell(ctx context.Context, w Watcher) {
	for _, l := range u.audience() {
		frame := patch(w.Frame(ctx, l))
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

// Serve streams what changes for the viewers of an account ("": of all) as server-sent events.
func (u *Hub) Serve(w http.ResponseWriter, r *http.Request, account string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep them until it has some kilobytes
	if r.Method == http.MethodHead {
		return
	}
	l := &Listener{Account: account}
	if !u.join(l) { //nolint:contextcheck // the watcher is everybody's, and outlives this request
		p := problem.New(http.StatusServiceUnavailable, "too_many", "too many pages are open here", "load the page again later; it shows how things stood")
		p.RetryAfter = heartbeat
		p.ServeHTTP(w, r)
		return
	}
	defer u.leave(l)
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

// patch is the event that carries pieces of the page. A line of its data is a line of HTML.
func patch(html []byte) []byte {
	if len(html) == 0 {
		return nil
	}
	var out bytes.Buffer
	out.WriteString("event: patch\n")
	html = bytes.ReplaceAll(html, []byte("\r"), []byte("\n")) // a browser takes either for the end of a line
	for line := range bytes.Lines(html) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out.WriteString("data: ")
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	out.WriteByte('\n')
	return out.Bytes()
}
