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

// count ends an effort that has used up its tries.
func (f *File) count(e *effort, ft *fault) error {
	e.tries++
	if e.tries < f.client.cfg.Retry.Tries {
		return nil
	}
	return &GiveUpError{Link: f.links.shown(), Tries: e.tries, Wait: ft.after, Cause: ft}
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
	case e.deniedSince.IsZero():
		e.deniedSince = time.Now()
	default:
		left := cfg.FreshWait - time.Since(e.deniedSince)
		if left <= 0 {
			return notThere(u.link.URL, cfg.FreshWait, ft)
		}
		pause = min(pause, left)
	}
	if e.denials > 1 {
		f.log.Warn("link denied, will ask for a new one", "attempt", e.denials, "dur", pause, "err", ft)
	}
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	return f.links.renew(ctx, u.gen, refreshReason(ft.status, expired))
}
