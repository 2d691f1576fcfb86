package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Range reads n bytes from off on, or to the end with n < 0. The reader yields exactly those bytes and then io.EOF,
// or another error; breaks on the way are mended inside. It obeys ctx, and holds one of the host's connections
// until it is read to the end or closed.
//
// While a file's Size is unknown, n < 0 is the way to read it: a range that turns out to reach past the end yields
// io.ErrUnexpectedEOF.
func (f *File) Range(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	size := f.Size()
	end := off + n
	switch {
	case n < 0:
		end = size
	case end < off, size >= 0 && end > size:
		end = -2
	}
	if off < 0 || end < -1 || (size >= 0 && off > size) {
		return nil, fmt.Errorf("read %s: bytes %d+%d of a file of %d", f.links.shown(), off, n, size)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, fmt.Errorf("read %s: file is closed", f.links.shown())
	}
	if f.inOrder {
		if f.inUse {
			return nil, ErrInUse
		}
		f.inUse = true
	}
	r := &reader{file: f, pos: off, end: end, flow: flow{from: f.came.Load()}}
	r.mend = func(broke error) (*body, error) {
		if broke == nil {
			if b := f.take(r.pos); b != nil {
				b.bind(ctx)
				return b, nil
			}
		} else {
			if err := f.resume(ctx, &r.effort, broke); err != nil {
				return nil, err
			}
			f.mended.Store(true)
		}
		return f.connect(ctx, &r.effort, r.pos, r.end)
	}
	return r, nil
}

// reader is one range on its way. It is for one goroutine.
type reader struct {
	file     *File
	pos, end int64 // end -1: to the file's end, unknown so far
	body     *body // nil before the first byte and after a break
	broke    error // why there is none
	effort   effort
	flow     flow
	scratch  []byte
	err      error // final
	mend     func(broke error) (*body, error)
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err == nil && r.pos == r.end {
		r.finish(io.EOF)
	}
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err := r.read(p)
	if err != nil {
		if err != io.EOF {
			err = fmt.Errorf("read %s at byte %d: %w", r.file.links.shown(), r.pos, err)
		}
		r.finish(err)
	}
	return n, err
}

// read goes on until there is a byte or a final error.
func (r *reader) read(p []byte) (int, error) {
	for {
		if r.body == nil {
			b, err := r.mend(r.broke)
			if err != nil {
				return 0, err
			}
			r.body, r.broke = b, nil
			r.effort.moved = false
		}
		into, wanted := r.window(p)
		n, err := r.body.Read(into)
		trickles := r.flow.trickles(r.body.watch.lap(), r.file.came.Add(int64(n)))
		if n > 0 && wanted {
			r.pos += int64(n)
			r.effort = effort{moved: true, seen: r.file.moved.Add(int64(n))}
		}
		if err == nil && trickles {
			r.giveWay()
		}
		if n > 0 && wanted {
			return n, nil
		}
		if err == nil {
			continue
		}
		open := r.body.end < 0
		r.body.Close()
		r.body, r.broke = nil, err
		if err == io.EOF {
			if err := r.atEnd(open, wanted); err != nil {
				return 0, err
			}
			r.broke = nil
			if !r.effort.moved { // else a host whose answers bring nothing would be asked without end
				r.broke = &fault{kind: short, text: "the answer brought no new byte"}
			}
		}
	}
}

// giveWay ends an answer that trickles. Another one may be faster; but what it brings is no progress that another eight tries
// are worth.
func (r *reader) giveWay() {
	r.body.Close()
	r.body, r.broke = nil, tooSlow()
	r.effort.moved, r.effort.tries, r.effort.since = false, r.flow.slow-1, r.flow.since
}

// window says where the next bytes go: to the caller, or nowhere while an answer that started over is still
// before the caller's position.
func (r *reader) window(p []byte) (into []byte, wanted bool) {
	if skip := r.pos - r.body.pos; skip > 0 {
		if r.scratch == nil {
			r.scratch = make([]byte, 64<<10)
		}
		return r.scratch[:min(skip, int64(len(r.scratch)))], false
	}
	if r.end >= 0 {
		p = p[:min(int64(len(p)), r.end-r.pos)]
	}
	return p, true
}

// atEnd says what a complete answer means when the caller still wants bytes. A host may answer with less than the
// range it was asked for; then the rest is asked for. The end of a file of unknown size is the end.
func (r *reader) atEnd(open, wanted bool) error {
	switch {
	case !open && (r.end >= 0 || !r.file.inOrder):
		return nil // in order, an answer with a length is the whole file, even if earlier ones told none
	case !wanted:
		return fmt.Errorf("%w: it ends before byte %d now", ErrChanged, r.pos)
	}
	r.file.learnSize(r.pos)
	if r.end >= 0 {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// finish gives everything back. A file in order keeps its answer for the next range.
func (r *reader) finish(err error) {
	if r.err != nil {
		return
	}
	r.err = err
	f := r.file
	if b := r.body; b != nil {
		r.body = nil
		if f.inOrder && (b.end < 0 || b.pos < b.end) {
			f.keep(b)
		} else {
			b.Close()
		}
	}
	if f.inOrder {
		f.mu.Lock()
		f.inUse = false
		f.mu.Unlock()
	}
}

var errClosed = errors.New("fetch: range is closed")

// Close ends the range. It is not for stopping a Read in another goroutine: cancel the context for that.
func (r *reader) Close() error {
	r.finish(errClosed)
	return nil
}
