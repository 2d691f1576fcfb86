package heygen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DeskConfig says what a Desk cannot know by itself.
type DeskConfig struct {
	// Wanted says how many videos of the account wait for their transfer just now, wherever they will be transferred. It is
	// asked often and must be quick. nil: unknown, and every video is asked for by itself.
	Wanted func() int
	// Most says how many videos may be asked about at all, if somebody knows: then nobody is waited for who can't come.
	Most func() int
}

// Desk answers what many ask about the videos of one account, with as few calls as it can: on v3, one call tells the
// status of 100 videos, and one page of the list has fresh links of 100. It is safe for use by several goroutines.
type Desk struct {
	api    *Client
	wanted func() int
	most   func() int

	plain    chan struct{} // a place for each call about a single video
	doubtful chan struct{} // a place for each of those about videos that a call about many left open
	reading  chan struct{} // one place: pages are read one after the other

	mu     sync.Mutex
	binder binder
	soon   soon
	search search
	outlay outlay
	list   route
	bulk   route
	turn   time.Time // when the last of those comes back who found no place among the doubtful
	round  *round    // gathers askers; nil: the next one begins another
}

const (
	// plainCalls is how many calls about single videos are made at once. More would only queue up at HeyGen.
	plainCalls = 16

	// crowd is the number of wanted videos from which on a page of the list may be worth its size.
	crowd = 20

	// rereadAfter is how old a page must be to be read again for a video that it could not serve, because the video was not
	// completed then or was served already. That is one call as well, and serves others, too.
	rereadAfter = 5 * time.Second
)

// NewDesk opens a desk. It contacts nobody and needs no closing.
func NewDesk(api *Client, cfg DeskConfig) *Desk {
	if cfg.Wanted == nil {
		cfg.Wanted = func() int { return 0 }
	}
	if cfg.Most == nil {
		cfg.Most = func() int { return pageSize }
	}
	return &Desk{
		api: api, wanted: cfg.Wanted, most: cfg.Most, binder: newBinder(),
		plain: make(chan struct{}, plainCalls), doubtful: make(chan struct{}, doubtfulCalls), reading: make(chan struct{}, 1),
	}
}

// Video describes one video, with links that nobody was given before: for its transfer, or because a link has failed. The answer
// may be some minutes old (Video.AsOf), but no link in it has lost more than half of its life.
//
// If many videos are wanted, whole pages of the list are read, and everybody is served from them. In any case the
// result is what Client.Video would say, errors included.
func (d *Desk) Video(ctx context.Context, id string) (*Video, error) {
	defer d.served(id)
	for reread := true; ; {
		_, worth := d.plan(id, reread)
		if v := d.give(id); v != nil { // looked for after the plan: others read pages all the time
			return v, nil
		}
		if !worth {
			return d.ask(ctx, id)
		}
		known, err := d.read(ctx, id, reread)
		if err != nil {
			return nil, fmt.Errorf("ask HeyGen for video %s: %w", id, err)
		}
		reread = reread && !known
	}
}

// give hands out an answer that is at hand, for good.
func (d *Desk) give(id string) *Video {
	now := d.api.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.binder.has(id, now) {
		return nil
	}
	v := d.peek(id, now)
	d.binder.forget(id)
	if p, ok := d.binder.where[id]; ok && p.sheet.usable[p.at] {
		p.sheet.usable[p.at] = false
		d.outlay.paidBack()
	}
	return v
}

// served is told that a video has its links, or that they could not be had.
func (d *Desk) served(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.soon.served(id)
}

func (d *Desk) has(id string) bool {
	now := d.api.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.binder.has(id, now)
}

// known is an answer that is at hand, left there for the transfer that follows.
func (d *Desk) known(id string) *Video {
	now := d.api.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.binder.has(id, now) {
		return nil
	}
	return d.peek(id, now)
}

// peek reads an answer that is at hand. It needs the lock; unpacking takes a tenth of a millisecond.
func (d *Desk) peek(id string, now time.Time) *Video {
	if one, ok := d.binder.singles[id]; ok && now.Before(one.until) {
		return one.video
	}
	p := d.binder.where[id]
	d.binder.use(p.sheet)
	raw := inflate(p.sheet.blocks[p.at/blockSize], p.at%blockSize)
	f, ok := object(raw)
	if !ok {
		p.sheet.usable[p.at] = false
		return nil
	}
	v := d.api.video(VersionV3, f, raw)
	v.ID, v.AsOf = id, p.sheet.asOf
	return v
}

// ask makes a plain call about one video.
func (d *Desk) ask(ctx context.Context, id string) (*Video, error) {
	select {
	case d.plain <- struct{}{}:
		defer func() { <-d.plain }()
	case <-ctx.Done():
		return nil, fmt.Errorf("ask HeyGen for video %s: %w", id, ended(ctx))
	}
	v, err := d.api.Video(ctx, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list.compare(err, d.api.cfg.Now())
	d.bulk.compare(err, d.api.cfg.Now())
	return v, err
}

// plan says which page is worth reading for a video. It needs no call.
func (d *Desk) plan(id string, reread bool) (page plan, worth bool) {
	wanted := d.wanted()
	generations, sure := d.api.memory.order()
	if !sure || generations[0] != VersionV3 || !ValidID(id) {
		return plan{}, false
	}
	now := d.api.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if wanted = max(wanted, d.soon.count(now)); wanted < crowd {
		return plan{}, false
	}
	if !d.list.open(now) || !d.outlay.affords(wanted, now) {
		return plan{}, false
	}
	if p, ok := d.binder.where[id]; ok {
		return plan{token: p.sheet.token, known: true}, reread && (!p.sheet.fresh(now) || now.Sub(p.sheet.asOf) >= rereadAfter)
	}
	return d.search.plan(now)
}

// plan is a page to be read.
type plan struct {
	token string
	known bool // the video was on it when it was read last
	first bool // a search begins with it
}

// read reads one page that may tell of the video. known says that the video was on it when it was read last. An error
// concerns everybody who asks just now; whatever else went wrong shows in the next plan.
func (d *Desk) read(ctx context.Context, id string, reread bool) (known bool, err error) {
	select {
	case d.reading <- struct{}{}:
		defer func() { <-d.reading }()
	case <-ctx.Done():
		return false, ended(ctx)
	}
	page, worth := d.plan(id, reread)
	if !worth || d.has(id) {
		return false, nil // somebody read it while we waited, or found that it can't be read
	}
	now := d.api.cfg.Now()
	t := d.api.turn()
	p, err := t.page(ctx, VersionV3, cursor{token: page.token, limit: pageSize})
	err = t.end(ctx, err)
	s := newSheet(page.token, now, p.items)

	d.mu.Lock()
	defer d.mu.Unlock()
	d.outlay.paid(now)
	if err != nil {
		return page.known, d.misread(page, err, now)
	}
	d.list.worked()
	news := d.binder.file(s, now)
	if !page.known {
		d.search.found(page, p.next, news, now)
	}
	return page.known, nil
}

// misread decides what a page that could not be read means for who asked. It needs the lock.
func (d *Desk) misread(page plan, err error, now time.Time) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok, e.everybody():
		return err
	case e.HTTPStatus/100 == 4 && page.token != "":
		// Tokens may die. All of them are of one age, so the others are not tried.
		d.binder.tear()
		d.search = search{}
		return nil
	}
	d.list.failed(now)
	return err
}

// everybody says whether an error is about everybody who asks with this key, and not about one way to ask.
func (e *Error) everybody() bool {
	return e.closed || e.Kind == Throttled || e.Kind == Unauthorized
}
