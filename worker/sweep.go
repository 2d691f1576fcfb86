package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Sweep compares the account with the archive once, now. The report's Err says why it ended early; what was handed in by
// then stays.
func (s *Sweeper) Sweep(ctx context.Context, account string, opt SweepOptions) SweepReport {
	r := SweepReport{Kind: SweepNewest, Started: s.cfg.Now()}
	if opt.Full && opt.Since.IsZero() {
		r.Kind = SweepFull
	}
	stopsEarly := !opt.Full && opt.Since.IsZero()
	list, ok := s.deps.Lists[account]
	if !ok {
		r.Err = fmt.Errorf("sweep: there is no account %q", account)
		return r
	}
	if !opt.Dry {
		if r.Err = s.restoreIndex(ctx); r.Err != nil {
			return r
		}
	}
	horizon, err := s.deps.Timetable.Horizon(ctx, account)
	if err != nil {
		r.Err = err
		return r
	}
	for page, err := range list.Pages(ctx, heygen.ListOptions{Since: opt.Since}) {
		var item *heygen.ItemError
		if errors.As(err, &item) {
			s.cfg.Log.Warn("an entry of the list is left out", "account", account, "err", err)
			continue
		}
		if err != nil {
			r.Err = fmt.Errorf("sweep account %s: %w", account, err)
			return r
		}
		unknown, err := s.page(ctx, account, page, opt.Dry, &r)
		if err != nil {
			r.Err = err
			return r
		}
		if stopsEarly && unknown == 0 && reaches(page, horizon) {
			break
		}
	}
	s.cfg.Log.Info("account swept", "account", account, "kind", r.Kind, "pages", r.Pages, "missing", r.Missing, "waiting", r.Waiting,
		"dur", s.cfg.Now().Sub(r.Started))
	return r
}

// page hands in what is missing of one page, and counts. unknown is how many videos of it were missing or may be soon.
func (s *Sweeper) page(ctx context.Context, account string, page []*heygen.Video, dry bool, r *SweepReport) (unknown int, err error) {
	r.Pages++
	r.Seen += len(page)
	var completed []*heygen.Video
	for _, v := range page {
		switch v.Status {
		case heygen.StatusCompleted:
			completed = append(completed, v)
		case heygen.StatusFailed:
			r.Failed++
		case heygen.StatusDraft:
			r.Drafts++
		default:
			r.Waiting++
			if s.awaited(v) {
				unknown++
				r.Horizon = earlier(r.Horizon, v.CreatedAt)
			}
		}
	}
	if len(completed) == 0 {
		return unknown, nil
	}
	missing, err := s.deps.Intake.Offer(ctx, account, completed, dry)
	r.Completed += len(completed)
	r.Missing += missing
	return unknown + missing, err
}

// awaited says whether a render is young enough to be still waited for.
func (s *Sweeper) awaited(v *heygen.Video) bool {
	return !v.CreatedAt.IsZero() && s.cfg.Now().Sub(v.CreatedAt) <= s.cfg.RenderWait
}

// earlier of two times where zero is unknown.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// reaches says whether the page goes back to the horizon. A list without times can't be measured; the full sweep
// makes up for it.
func reaches(page []*heygen.Video, horizon time.Time) bool {
	if horizon.IsZero() {
		return true
	}
	dated := false
	for _, v := range page {
		if !v.CreatedAt.IsZero() && !v.CreatedAt.After(horizon) {
			return true
		}
		dated = dated || !v.CreatedAt.IsZero()
	}
	return !dated
}

// mostBehind bounds the seals that a new index looks behind.
const mostBehind = 5_000

// restoreBatch is how many manifests are handed over at once.
const restoreBatch = 250

// indexWait is how often a process looks whether another one has made the index.
const indexWait = 2 * time.Second

// restoreIndex makes the index from the manifests if it is not complete, or waits for the process that is at it.
func (s *Sweeper) restoreIndex(ctx context.Context) error {
	for {
		complete, err := s.deps.Timetable.Indexed(ctx)
		if err != nil || complete {
			return err
		}
		making, err := s.deps.Timetable.BeginIndex(ctx)
		if err != nil {
			return err
		}
		if making != nil {
			err := s.makeIndex(ctx, making)
			if err != nil {
				giving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				return errors.Join(err, making.GiveUp(giving))
			}
			return nil
		}
		timer := time.NewTimer(indexWait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// makeIndex reads all manifests. Those that cannot be read are left out: their videos are looked at again when somebody
// asks for them.
func (s *Sweeper) makeIndex(ctx context.Context, making Indexing) error {
	began, restored := s.cfg.Now(), 0
	var batch []*storage.Manifest
	behindSeals := behind{s.deps.Archive, s.cfg.Now, s.cfg.Log}
	var fresh []*storage.Manifest
	flush := func() error {
		n, err := s.deps.Intake.Restore(ctx, batch)
		restored += n
		batch = batch[:0]
		return errors.Join(err, making.Renew(ctx))
	}
	for m, err := range s.deps.Archive.Manifests(ctx) {
		var damaged *storage.DamagedError
		if errors.As(err, &damaged) {
			s.cfg.Log.Error("a manifest can't be read; its video is left out of the index", "err", err)
			continue
		}
		if err != nil {
			return storeError(fmt.Errorf("make the index from the manifests: %w", err))
		}
		if behindSeals.worth(m) && len(fresh) < mostBehind {
			// Without what it holds: thousands of whole manifests would be more memory than all else.
			fresh = append(fresh, &storage.Manifest{VideoID: m.VideoID, Account: m.Account, State: m.State, Generation: m.Generation, SealedAt: m.SealedAt})
		}
		if batch = append(batch, m); len(batch) < restoreBatch {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if err := flush(); err != nil {
		return err
	}
	s.cfg.Log.Info("index made from the manifests", "videos", restored, "dur", s.cfg.Now().Sub(began))
	if err := making.Done(ctx); err != nil {
		return err
	}
	// Whoever sealed them may have died of what has emptied the in-tray, and from now on nobody comes to them again. Now that the
	// index is there, nobody waits for it.
	behindSeals.look(ctx, fresh...)
	return nil
}
