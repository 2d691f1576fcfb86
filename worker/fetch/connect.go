package fetch

import (
	"context"
	"net/http"
)

// used is the link that a request went out with.
type used struct {
	link Link
	gen  int
}

// fresh returns the current link, renewed first if it would be dead on arrival.
func (f *File) fresh(ctx context.Context) (Link, int, error) {
	link, gen, stale := f.links.current()
	if !stale {
		return link, gen, nil
	}
	dead, reason := link.endsBefore(f.links.now()), "ahead"
	if dead {
		reason = "expired"
	}
	if err := f.links.renew(ctx, gen, reason); err != nil {
		if ctx.Err() != nil || dead {
			return link, gen, err
		}
		f.log.Warn("link not renewed ahead of its end, still using it", "err", err)
		return link, gen, nil
	}
	link, gen, _ = f.links.current()
	return link, gen, nil
}

// connect gets a body that can serve byte pos, and tries until an error is final.
func (f *File) connect(ctx context.Context, e *effort, pos, end int64) (*body, error) {
	for {
		if err := f.quiet(ctx); err != nil {
			return nil, err
		}
		link, gen, err := f.fresh(ctx)
		if err != nil {
			return nil, err
		}
		b, err := f.request(ctx, link, pos, end)
		if err == nil {
			return b, nil
		}
		if err := f.recover(ctx, e, used{link, gen}, err); err != nil {
			return nil, err
		}
	}
}

// request asks once. The body it returns is proven to be of the pinned file.
func (f *File) request(ctx context.Context, link Link, pos, end int64) (*body, error) {
	q := question{link: link, off: pos, end: end, turn: f.turn}
	f.mu.Lock()
	pin := f.pin
	switch {
	case f.inOrder:
		q.off, q.end = -1, -1
	case !f.noIfRange && strong(pin.ETag):
		q.ifRange = pin.ETag
	}
	f.mu.Unlock()
	a, err := f.client.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	seen, wrongSpan := a.read(q)
	// Other bytes matter more than a range that does not fit them: only the first of the two is worth a new upload.
	for _, err := range []error{f.compare(a, q, pin, seen), wrongSpan, f.fits(a, q, pin)} {
		if err != nil {
			a.body.Close()
			if a.status == http.StatusRequestedRangeNotSatisfiable && seen.Size < 0 && pos > 0 {
				return nil, f.probe(ctx, link)
			}
			return nil, err
		}
	}
	return a.body, nil
}

// compare says whether an answer is about the pinned file.
func (f *File) compare(a *answer, q question, pin, seen Pin) error {
	if a.page() && !isPage(f.contentType) {
		// Whatever its ETag says: somebody in between speaks, not the source.
		return wrongAnswer("a web page instead of the file")
	}
	same, known := pin.sameVersion(seen)
	sized := pin.Size >= 0 && seen.Size >= 0
	refused := a.status == http.StatusRequestedRangeNotSatisfiable
	switch {
	case refused && sized && pin.Size != seen.Size, !refused && known && !same:
		return changed(q.link.URL, pin, seen)
	case refused, known && (!sized || pin.Size == seen.Size), !known && sized && pin.Size == seen.Size:
		return nil
	case strong(pin.ETag) && pin.ETag == seen.ETag:
		return wrongAnswer("same version, but %d bytes instead of %d", seen.Size, pin.Size)
	case sized && (f.inOrder || a.status == http.StatusPartialContent), !pin.provable():
		return changed(q.link.URL, pin, seen)
	}
	return wrongAnswer("nothing in the answer says that it is the same file")
}

// fits says whether the body of an answer about the right file can be used for the question.
func (f *File) fits(a *answer, q question, pin Pin) error {
	switch {
	case f.inOrder && a.status == http.StatusOK:
		if a.body.end < 0 {
			a.body.end = pin.Size
		}
		return nil
	case !f.inOrder && a.status == http.StatusPartialContent:
		return nil
	case !f.inOrder && a.status == http.StatusOK && q.off == 0 && a.length == pin.Size:
		return nil
	case a.status == http.StatusOK && q.ifRange != "":
		f.mu.Lock()
		f.noIfRange = true
		f.mu.Unlock()
	}
	return wrongAnswer("status %d to a request for bytes %d to %d of %d", a.status, q.off, q.end-1, pin.Size)
}

// probe finds out why a range was refused without a word on the size: has the file changed?
func (f *File) probe(ctx context.Context, link Link) error {
	b, err := f.request(ctx, link, 0, 1)
	if err != nil {
		return err
	}
	b.Close()
	return wrongAnswer("status 416 to a range that the file has")
}
