package heygen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// ListOptions narrows a list.
type ListOptions struct {
	Since time.Time // leave out videos known to be older; zero: all
}

// Videos walks over the account's videos, newest first as far as HeyGen keeps to that. Items of a v1 list carry no links.
//
// An *ItemError is about one entry; the walk goes on behind it. Any other error is the last thing the walk yields: what came
// before it is true but not complete. Pages that HeyGen could not serve for a moment are asked for again a few times.
// Videos that are made meanwhile may be missed, and one that moved to the next page may come twice.
func (c *Client) Videos(ctx context.Context, opt ListOptions) iter.Seq2[*Video, error] {
	return func(yield func(*Video, error) bool) {
		for videos, err := range c.Pages(ctx, opt) {
			if err != nil && !yield(nil, err) {
				return
			}
			for _, v := range videos {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Pages is the walk of Videos, a page of the list at a time: whoever looks for what is new can stop at the first page
// that is known. It yields either videos, at least one, or an error. What cannot be used of a page comes
// before the page itself, one *ItemError each.
func (c *Client) Pages(ctx context.Context, opt ListOptions) iter.Seq2[[]*Video, error] {
	return func(yield func([]*Video, error) bool) {
		w := &walk{c: c, since: opt.Since, tokens: map[string]bool{}}
		for {
			p, err := w.nextPage(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("list HeyGen's videos: %w", err))
				return
			}
			videos, unusable := w.read(p)
			for _, item := range unusable {
				if !yield(nil, item) {
					return
				}
			}
			if (len(videos) > 0 && !yield(videos, nil)) || w.done(p) {
				return
			}
		}
	}
}

// emptyPages is how many pages without a video may follow each other before the list counts as endless.
const emptyPages = 100

// walk is the state of one walk over a list.
type walk struct {
	c      *Client
	since  time.Time
	api    string          // the generation of the first page; tokens mean nothing to the other
	token  string          // of the page to come
	tokens map[string]bool // those used so far
	before map[string]bool // ids of the page before
	empty  int             // pages without a video, in a row
	order  order
	allOld bool // the last page held only videos older than since
}

// nextPage asks for the page to come, and guards against a list that leads back to itself.
func (w *walk) nextPage(ctx context.Context) (page, error) {
	switch {
	case w.tokens[w.token]:
		return page{}, &Error{Kind: Unintelligible, Message: "the list leads back to a page already read", api: w.api}
	case w.empty >= emptyPages:
		return page{}, &Error{Kind: Unintelligible, Message: "the list goes on and on without a video", api: w.api}
	}
	w.tokens[w.token] = true
	return patiently(ctx, func() (page, error) {
		t := w.c.turn()
		p, err := w.ask(ctx, t)
		return p, t.end(ctx, err)
	})
}

// ask asks for the page to come. The first decides which generation is asked for all others.
func (w *walk) ask(ctx context.Context, t *turn) (page, error) {
	if w.api != "" {
		return t.page(ctx, w.api, cursor{token: w.token, limit: pageSize})
	}
	p, api, err := ask(ctx, t, func(ctx context.Context, api string) (page, error) {
		return t.page(ctx, api, cursor{limit: pageSize})
	})
	if err == nil {
		w.api = api
	}
	return p, err
}

// read returns what is wanted of a page, and what of it cannot be used.
func (w *walk) read(p page) (videos []*Video, unusable []*ItemError) {
	seen := make(map[string]bool, len(p.items))
	w.allOld = len(p.items) > 0
	for _, raw := range p.items {
		f, ok := object(raw)
		if !ok {
			w.allOld = false
			unusable = append(unusable, &ItemError{Err: errors.New("the entry is not an object")})
			continue
		}
		v := w.c.video(w.api, f, raw)
		w.order.see(v.CreatedAt)
		old := !v.CreatedAt.IsZero() && v.CreatedAt.Before(w.since)
		w.allOld = w.allOld && old
		again := w.before[v.ID] || seen[v.ID]
		seen[v.ID] = true
		switch {
		case !ValidID(v.ID):
			unusable = append(unusable, &ItemError{ID: w.c.clean(v.ID), Err: ErrInvalidID})
		case !old && !again:
			videos = append(videos, v)
		}
	}
	w.before = seen
	return videos, unusable
}

// done says whether p was the last page of interest, and otherwise moves to the next.
func (w *walk) done(p page) bool {
	w.empty++
	if len(p.items) > 0 {
		w.empty = 0
	}
	// A list may end by offering its last token again over nothing.
	circular := len(p.items) == 0 && w.tokens[p.next]
	if p.next == "" || circular || (w.allOld && w.order.newestFirst()) {
		return true
	}
	w.token = p.next
	return false
}

// order watches how a list is sorted. HeyGen does not promise "newest first", so the walk stops early only after having
// seen it, and never after having seen the opposite.
type order struct {
	last          time.Time
	falls, climbs bool
}

func (o *order) see(t time.Time) {
	if t.IsZero() {
		return
	}
	if !o.last.IsZero() {
		o.falls = o.falls || t.Before(o.last)
		o.climbs = o.climbs || t.After(o.last)
	}
	o.last = t
}

func (o *order) newestFirst() bool { return o.falls && !o.climbs }

const (
	pageTries   = 4 // half a second, one and two between them
	firstPause  = 500 * time.Millisecond
	longestRest = 30 * time.Second // a throttle that lasts longer is the caller's business
)

// patiently repeats a call that met an outage or a throttle. A walk over a large account takes hundreds of pages;
// starting it anew for one bad moment would make the load worse.
func patiently(ctx context.Context, call func() (page, error)) (page, error) {
	pause := firstPause
	for try := 1; ; try++ {
		p, err := call()
		e, ok := errors.AsType[*Error](err)
		if !ok || try == pageTries || (e.Kind != Throttled && !e.outage()) || e.Wait > longestRest {
			return p, err
		}
		timer := time.NewTimer(max(pause, e.Wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return page{}, ended(ctx)
		case <-timer.C:
		}
		pause *= 2
	}
}
