package fetch

import (
	"context"
	"errors"
	"time"
)

// recover returns nil when it is time to ask again, after whatever pause or new link that takes; otherwise why not.
func (f *File) recover(ctx context.Context, e *effort, u used, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var ft *fault
	if !errors.As(err, &ft) {
		return err
	}
	if ft.kind == denied {
		return f.recoverDenied(ctx, e, u, ft)
	}
	if ft.kind == busy {
		f.tooMany()
		f.hush(min(ft.after, f.client.cfg.Retry.Longest))
	}
	if err := f.count(e, ft); err != nil {
		return err
	}
	f.observe(ft)
	pause := f.client.cfg.Retry.pause(e.tries, ft)
	f.log.Warn("source in trouble, will ask again", "attempt", e.tries, "dur", pause, "err", ft)
	return sleep(ctx, pause)
}

// resume is recover for an answer that broke while it was read. If it had brought a new byte, the rest is asked
// for at once, and it is not counted: as long as every try moves on, it may break as often as it likes.
func (f *File) resume(ctx context.Context, e *effort, broke error) error {
	var ft *fault
	if e.moved && ctx.Err() == nil && errors.As(broke, &ft) {
		f.observe(ft)
		return nil
	}
	return f.recover(ctx, e, used{}, broke)
}

func (f *File) observe(ft *fault) {
	if ft.kind.lostConnection() {
		f.client.cfg.Observe.Resumed(string(ft.kind))
	}
}

// count ends an effort that has used up its tries. While other ranges of the file bring something it goes on: the host
// may allow fewer connections than we have, and then this one's turn comes when another one is through.
func (f *File) count(e *effort, ft *fault) error {
	most := f.client.cfg.Retry.Tries
	if f.others(e) {
		e.tries = min(e.tries, max(most-2, 0))
	}
	if e.since.IsZero() {
		e.since = time.Now()
	}
	if e.tries++; e.tries < most {
		return nil
	}
	return &GiveUpError{Link: f.links.shown(), Tries: e.tries, Wait: ft.after, Since: e.since, Away: ft.kind.away(), Cause: ft}
}

// others says whether anything of the file has come since it was last asked. A range that has brought something itself
// has a new effort.
func (f *File) others(e *effort) bool {
	moved := f.moved.Load()
	if moved == e.seen {
		return false
	}
	e.seen = moved
	return true
}

// recoverDenied gets a new link: the first time at once, for whatever the clock says, the link may be dead. If
// links that are not expired are denied too, the file may not be there yet, and only time helps.
func (f *File) recoverDenied(ctx context.Context, e *effort, u used, ft *fault) error {
	cfg := f.client.cfg
	expired := u.link.endsBefore(cfg.Now())
	pause := time.Duration(0)
	if e.denials++; e.denials > 1 {
		pause = cfg.Retry.backoff(e.denials - 1)
	}
	switch {
	case expired:
		if err := f.count(e, ft); err != nil {
			return err
		}
	case e.deniedSince.IsZero(), f.others(e):
		e.deniedSince = time.Now()
	default:
		left := cfg.FreshWait - time.Since(e.deniedSince)
		if left <= 0 {
			return notThere(u.link.URL, cfg.FreshWait, ft)
		}
		pause = min(pause, left)
	}
	if e.denials > 1 {
		f.tooMany() // some hosts say 403 to one connection too many
		f.log.Warn("link denied, will ask for a new one", "attempt", e.denials, "dur", pause, "err", ft)
	}
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	return f.links.renew(ctx, u.gen, refreshReason(ft.status, expired))
}
