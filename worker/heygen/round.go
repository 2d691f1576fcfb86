package heygen

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// lingerQuiet ends the gathering of a round once nobody has come for that long, lingerMost in any case. Videos that are
	// polled become due together, and their askers come one after the other as the queue hands them out.
	lingerQuiet = 50 * time.Millisecond
	lingerMost  = 500 * time.Millisecond
)

// round gathers those who want to know how far their videos are, so that one call answers them all.
type round struct {
	ids    []string // each once
	askers int
	joined chan struct{}      // somebody came
	full   chan struct{}      // closed when no more fit in
	done   chan struct{}      // closed when what is below is set
	stop   context.CancelFunc // nobody waits any more

	words map[string]string // HeyGen's, by id; whoever is not in it asks by himself
	first *Video            // what a plain call said of the first id, if one was made
	err   error             // for all
}

// Look says how far a video is. Those who ask at about the same time share one call, which tells no more than
// the status (Video.Brief); whatever it leaves open is asked for by a plain call: why a render has failed, and
// whether HeyGen really does not know the video. If it leaves many open, some are told to come back (Error.Busy). Who is
// alone gets the answer of a plain call at once, links and all, and the transfer that follows is spared another.
func (d *Desk) Look(ctx context.Context, id string) (*Video, error) {
	if v := d.known(id); v != nil {
		return v, nil
	}
	if !ValidID(id) || !d.offersBulk() {
		return d.look(ctx, id)
	}
	r := d.join(ctx, id)
	select {
	case <-r.done:
	case <-ctx.Done():
		d.abandon(r)
		return nil, fmt.Errorf("ask HeyGen for video %s: %w", id, ended(ctx))
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.first != nil && r.first.ID == id {
		return r.first, nil
	}
	word, told := r.words[id]
	if st := bulkStatus(word); told && st != StatusFailed && st != StatusNotFound {
		return &Video{ID: id, Status: st, VendorStatus: d.api.clean(word), API: VersionV3, AsOf: d.api.cfg.Now(), Brief: true}, nil
	}
	return d.settle(ctx, id)
}

// look makes a plain call and keeps the answer for the transfer that may follow.
func (d *Desk) look(ctx context.Context, id string) (*Video, error) {
	v, err := d.ask(ctx, id)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.binder.keep(v, d.api.cfg.Now())
	}
	return v, err
}

// offersBulk says whether it makes sense to wait for others.
func (d *Desk) offersBulk() bool {
	generations, _ := d.api.memory.order()
	d.mu.Lock()
	defer d.mu.Unlock()
	return generations[0] == VersionV3 && !d.api.cfg.Now().Before(d.bulk.off)
}

// join adds the asker to the round that gathers, or begins one.
func (d *Desk) join(ctx context.Context, id string) *round {
	most := d.most()
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.round
	if r == nil {
		// The call outlives the one who began it, as long as anybody waits for it.
		rctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		r = &round{joined: make(chan struct{}, 1), full: make(chan struct{}), done: make(chan struct{}), stop: stop, words: map[string]string{}}
		d.round = r
		go d.run(rctx, r)
	}
	r.askers++
	if _, twice := r.words[id]; !twice {
		r.words[id] = ""
		r.ids = append(r.ids, id)
	}
	if len(r.ids) >= min(pageSize, most) {
		d.round = nil
		close(r.full)
	}
	select {
	case r.joined <- struct{}{}:
	default:
	}
	return r
}

// abandon is for an asker who cannot wait. The others' answer is not his to lose.
func (d *Desk) abandon(r *round) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.askers--; r.askers > 0 {
		return
	}
	if d.round == r {
		d.round = nil
	}
	r.stop()
}

// run is the life of a round.
func (d *Desk) run(ctx context.Context, r *round) {
	defer r.stop()
	defer close(r.done)
	r.gather(ctx)
	d.mu.Lock()
	if d.round == r {
		d.round = nil
	}
	clear(r.words)
	inDoubt := !d.bulk.open(d.api.cfg.Now())
	d.mu.Unlock()
	if len(r.ids) == 1 {
		return
	}
	// Which generation answers has to be found out, too: a plain call does that and is an answer as well.
	if _, sure := d.api.memory.order(); (inDoubt || !sure) && !d.scout(ctx, r) {
		return
	}
	words, err := d.api.words(ctx, r.ids)
	if err == nil {
		r.words = words
	}
	d.judge(ctx, r, err)
}

// gather waits until all have come who come together.
func (r *round) gather(ctx context.Context) {
	quiet, most := time.NewTimer(lingerQuiet), time.NewTimer(lingerMost)
	defer quiet.Stop()
	defer most.Stop()
	for {
		select {
		case <-r.joined:
			quiet.Reset(lingerQuiet)
		case <-quiet.C:
			return
		case <-most.C:
			return
		case <-r.full:
			return
		case <-ctx.Done():
			return
		}
	}
}

// judge decides what the end of the call means for the round and for the rounds to come.
func (d *Desk) judge(ctx context.Context, r *round, err error) {
	now := d.api.cfg.Now()
	e, ok := errors.AsType[*Error](err)
	d.mu.Lock()
	switch {
	case err == nil:
		d.bulk.worked()
		for id, word := range r.words {
			if bulkStatus(word) == StatusCompleted {
				d.soon.wanted(id, now)
			}
		}
	case errors.Is(err, ErrUnsupported):
		d.bulk.off = now.Add(routeRest)
	case ok && !e.everybody() && !e.aboutRequest():
		d.bulk.failed(now)
	}
	d.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsupported), ok && e.aboutRequest():
		// Each asks by himself, such as when HeyGen refuses a whole call for one id in it. But one goes ahead: if HeyGen
		// is down, the others need not find out one by one.
		if r.first == nil {
			d.scout(ctx, r)
		}
	default:
		r.err = err
	}
}

// aboutRequest says that HeyGen understood the call and did not want it.
func (e *Error) aboutRequest() bool {
	return e.Kind == BadRequest || e.Kind == Forbidden || e.Kind == NotFound
}

// scout asks for the first video by a plain call, and says whether it makes sense for the others to ask at all.
func (d *Desk) scout(ctx context.Context, r *round) bool {
	v, err := d.look(ctx, r.ids[0])
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		r.first = v
	case !ok, e.everybody(), e.Kind == Down, e.Kind == Unintelligible:
		r.err = err
		return false
	}
	return true
}
