package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

var errStalled = errors.New("no byte arrived in time")

// A watch cuts what is silent for too long. It runs only while somebody waits for the host: a reader that takes
// its time (its own store may be slow) is not the host's fault.
type watch struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	cause  func() error // why the request was cut, nil if it was not
	since  time.Time    // when the host was begun to be waited for
	waited time.Duration
}

// newWatch returns a context for one request that outlives ctx until bound to it.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	w := &watch{limit: limit, cancel: cancel, cause: func() error { return context.Cause(own) }}
	w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	w.timer.Stop()
	return own, w
}

// bind ends the request when ctx ends, until the returned function is called.
func (w *watch) bind(ctx context.Context) (unbind func() bool) {
	return context.AfterFunc(ctx, func() { w.cancel(context.Cause(ctx)) })
}

func (w *watch) start() {
	w.since = time.Now()
	w.timer.Reset(w.limit)
}

func (w *watch) stop() {
	w.timer.Stop()
	w.waited += time.Since(w.since)
}

// lap returns how long the host has been waited for since it was last asked.
func (w *watch) lap() time.Duration {
	d := w.waited
	w.waited = 0
	return d
}

// sort turns an error of the network into a fault.
func (w *watch) sort(err error) error {
	if errors.Is(w.cause(), errStalled) {
		return &fault{kind: stalled, text: "no byte for " + w.limit.String()}
	}
	return &fault{kind: dropped, text: "connection lost: " + cut(err.Error(), longestText)}
}

// A body is an answer that was believed: it stands at byte pos of the file and reaches to end.
type body struct {
	src      io.ReadCloser
	pos, end int64 // end -1: wherever the host ends it in good order
	measured bool  // the protocol itself keeps the answer from being longer than end
	watch    *watch
	unbind   func() bool
	host     string
	leave    func()      // gives the host's slot back
	pay      func(n int) // waits until n bytes are within the bandwidth; nil: no limit
	piece    int         // the most to be read at once then
}

// Read returns a *fault when the answer breaks, and io.EOF only where it is complete.
func (b *body) Read(p []byte) (int, error) {
	if b.end >= 0 {
		if b.pos == b.end {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), b.end-b.pos)]
	}
	n, err := b.read(p)
	if b.end >= 0 && b.pos+int64(n) == b.end && !b.measured && b.longer() {
		return 0, &fault{kind: wrong, text: "the answer is longer than announced"}
	}
	b.pos += int64(n)
	switch {
	case n > 0 || err == nil:
		return n, nil
	case err != io.EOF:
		return 0, b.watch.sort(err)
	case b.end >= 0 && b.pos < b.end:
		return 0, &fault{kind: short, text: "the answer ended early"}
	}
	return 0, io.EOF
}

func (b *body) read(p []byte) (int, error) {
	if b.pay != nil {
		p = p[:min(len(p), b.piece)]
	}
	b.watch.start()
	n, err := b.src.Read(p)
	b.watch.stop() // what follows is our own slowness
	if b.pay != nil {
		b.pay(n)
	}
	return n, err
}

// longer looks for a byte behind the end. Not getting an end at all is no harm: the announced bytes are there.
func (b *body) longer() bool {
	var surplus [1]byte
	for {
		n, err := b.read(surplus[:])
		if n > 0 || err != nil {
			return n > 0
		}
	}
}

// bind ends the answer when ctx ends, until release.
func (b *body) bind(ctx context.Context) { b.unbind = b.watch.bind(ctx) }

func (b *body) release() {
	b.unbind()
	b.unbind = func() bool { return false }
}

// Close may come more than once.
func (b *body) Close() {
	b.unbind()
	b.src.Close()
	b.watch.timer.Stop()
	b.watch.cancel(nil)
	b.leave()
}
