package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxErrorText bounds what one error may take in Redis and in a table on somebody's screen.
const maxErrorText = 500

// conclude writes what a run came to and returns what has changed, or nil if the run had nothing left to say because
// somebody else settled the video or took it over.
func (s *Server) conclude(ctx context.Context, r *run, v verdict) (*Change, error) {
	h := r.held
	if r.ended.IsZero() {
		r.ended = s.clock.now()
	}
	now := r.ended // the same for all tries: it tells our own write from others'
	for range maxContention {
		if r.wrote != nil && h.holds(r.wrote.Status) {
			return r.wrote, nil // the reply to an earlier try was lost
		}
		base := h.entry
		if base == nil || base.Epoch != r.work.Epoch || !base.Flight {
			base = r.orphaned(h, v)
		}
		if base == nil {
			return nil, nil
		}
		next := s.after(r, base, v, now)
		next.Updated = now.UnixMilli()
		ch := change{from: h, now: now.UnixMilli()}
		if next.State.Settled() {
			ch.done = next
		} else {
			ch.next = next
		}
		if err := s.announce(&ch, base.State, next); err != nil {
			return nil, err
		}
		r.wrote = &Change{Status: next.status(nil), Previous: base.State}
		done, err := s.ledger.apply(ctx, next.Account, []change{ch})
		if err != nil {
			return nil, err
		}
		if done[0] == 1 {
			if ch.note != "" {
				s.mailed()
			}
			s.note(next, v.err)
			return r.wrote, nil
		}
		hs, err := s.ledger.read(ctx, h.field)
		if err != nil {
			return nil, err
		}
		h = hs[0]
	}
	return nil, fmt.Errorf("settle %s: %w", r.work.VideoID, errContended)
}

// holds says whether a status that was written is what Redis holds now. No other write of the video has the same millisecond
// and state.
func (h *held) holds(s Status) bool {
	now, err := h.status()
	return err == nil && !now.Working && now.State == s.State && now.UpdatedAt.Equal(s.UpdatedAt)
}

// orphaned decides for a run whose entry is not its own any more. An archived video is archived whoever says so: the
// manifest is the truth. And if Redis was emptied, the run is the only one who still knows of
// the video. In all other cases the one who took over has the word.
func (r *run) orphaned(h *held, v verdict) *entry {
	emptied := h.entry == nil && h.record == nil
	archived := v.err == nil && v.out.State == StateArchived
	if h.record != nil && h.record.State == StateArchived {
		return nil
	}
	if !emptied && !archived {
		return nil
	}
	if h.entry != nil {
		return h.entry
	}
	e := r.held.entry.clone()
	e.Epoch = max(e.Epoch, h.epoch())
	return e
}

// after is the entry as it is when the handler has answered.
func (s *Server) after(r *run, base *entry, v verdict, now time.Time) *entry {
	next := base.clone()
	next.Flight = false
	next.Due = 0
	if r.tracker.parts() > 0 {
		next.Failures = 0
		next.Assets = mergeAssets(next.Assets, r.tracker.assets())
	}
	if r.tracker.parts() > 0 || v.err == nil {
		next.Cut = ""
	}
	next.learn(v.out)
	if v.err == nil {
		next.Error = nil
		next.follow(v.out, now)
		return next
	}
	next.Error = errorInfo(v.err)
	var wait retryAfter
	var end settler
	switch {
	case errors.As(v.err, &end):
		state, reason := end.Settle()
		next.Error.Code = cmp.Or(next.Error.Code, reason, state)
		next.follow(Outcome{State: State(state), Reason: reason}, now)
	case errors.Is(v.cause, ErrDraining):
		next.Error = base.Error
		next.giveBack()
		next.Cut = InterruptedByDrain
	case errors.As(v.err, &wait):
		if v.out.State != "" && !v.out.State.Settled() && next.Sealed == 0 {
			next.State = v.out.State
		}
		next.Due = now.Add(max(wait.RetryAfter(), 0)).UnixMilli()
		if isQuiet(v.err) {
			next.Error = base.Error
		}
	default:
		next.fail(s.cfg, now)
	}
	return next
}

// learn keeps what the handler found out, whether or not it succeeded.
func (e *entry) learn(out Outcome) {
	if out.Title != "" {
		e.Title = clip(out.Title, 300)
	}
	e.Deadline = earliest(e.Deadline, millis(out.Deadline))
	e.Completed = earliest(e.Completed, millis(out.FirstCompleted))
	if out.Bytes > 0 {
		e.Bytes = out.Bytes
	}
	if !out.SealedAt.IsZero() {
		e.Sealed = out.SealedAt.UnixMilli()
	}
	if out.Assets != nil {
		e.Assets = out.Assets
	}
}

// follow goes where the outcome says. A state nobody knows is treated as "look again": a job is never lost over a word.
// A video that is sealed stays partial until it is settled, whatever is done to find its late assets.
func (e *entry) follow(out Outcome, now time.Time) {
	e.Reason = out.Reason
	e.State = out.State
	e.Step = StepStatus
	switch out.State {
	case StateTransferring:
		e.Step = StepTransfer
	case StateAccepted, StateRendering, StatePartial, StateArchived, StateFailed, StateGone, StateCancelled:
	default:
		e.State = StateAccepted
		out.After = max(out.After, time.Minute)
	}
	if e.Sealed != 0 && !e.State.Settled() {
		e.State = StatePartial
	}
	if out.After > 0 && !e.State.Settled() && !e.Called {
		e.Due = now.Add(out.After).UnixMilli()
	}
}

// fail counts a failure and sets the pause before the next try, or gives the video up.
func (e *entry) fail(cfg ServerConfig, now time.Time) {
	e.Failures++
	if e.Failures >= cfg.MaxFailures {
		e.State, e.Reason = StateFailed, ReasonGaveUp
		return
	}
	e.Due = now.Add(backoff(cfg, e.Failures-1)).UnixMilli()
}

// giveBack makes the video free at once as if it had not been handed out.
func (e *entry) giveBack() {
	if e.Step == StepTransfer && e.Attempts > 0 {
		e.Attempts--
	}
	e.Flight = false
	e.Due = 0
}

// backoff doubles from base to cap, less up to a fifth by chance, so that what failed together does not return together.
func backoff(cfg ServerConfig, n int) time.Duration {
	d := cfg.BackoffBase
	for ; n > 0 && d < cfg.BackoffCap; n-- {
		d *= 2
	}
	d = min(d, cfg.BackoffCap)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// release hands a video back, because its worker drains, without a word about how it went.
func (s *Server) release(ctx context.Context, r *run) error {
	h := r.held
	for range maxContention {
		if h.entry == nil || !h.entry.Flight || h.entry.Epoch != r.work.Epoch {
			return nil
		}
		next := h.entry.clone()
		next.giveBack()
		next.Cut = InterruptedByDrain
		now := s.clock.now().UnixMilli()
		next.Updated = now
		done, err := s.ledger.apply(ctx, next.Account, []change{{from: h, next: next, now: now}})
		if err != nil || done[0] == 1 {
			return err
		}
		hs, err := s.ledger.read(ctx, h.field)
		if err != nil {
			return err
		}
		h = hs[0]
	}
	return errContended
}

func errorInfo(err error) *ErrorInfo {
	info := &ErrorInfo{Message: clip(err.Error(), maxErrorText)}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		info.Hint = clip(hint.Hint(), maxErrorText)
	}
	var code interface{ Code() string }
	if errors.As(err, &code) {
		info.Code = clip(code.Code(), 60)
	}
	return info
}

// note logs what became of a step.
func (s *Server) note(e *entry, herr error) {
	switch {
	case e.State == StateFailed:
		s.log.Error("video failed", "video_id", e.ID, "reason", e.Reason, "err", errText(e))
	case e.State.Settled():
		s.log.Info("video settled", "video_id", e.ID, "state", string(e.State), "bytes", e.Bytes)
	case waits(herr):
		// One outage would tell this of every video; whoever watches the dependency tells it once.
		s.log.Debug("step put off", "video_id", e.ID, "step", string(e.Step), "err", errText(e))
	case herr != nil && e.Error != nil:
		s.log.Warn("step will be tried again", "video_id", e.ID, "step", string(e.Step), "attempt", e.Failures, "err", errText(e))
	}
}

// isQuiet says whether an error is nothing to be told of.
func isQuiet(err error) bool {
	var q quiet
	return errors.As(err, &q) && q.Quiet()
}

// waits says whether an error only puts the step off.
func waits(err error) bool {
	var wait retryAfter
	return errors.As(err, &wait)
}

func errText(e *entry) string {
	if e.Error == nil {
		return ""
	}
	return e.Error.Message
}
