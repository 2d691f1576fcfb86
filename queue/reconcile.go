package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// reconcileBatch bounds one round; the rest is found in the next.
const reconcileBatch = 100

// reconcileLoop looks for hand-outs that show no sign of life. One server does it in each period.
func (s *Server) reconcileLoop(ctx context.Context) {
	every := s.cfg.DeadAfter / 4
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !s.trusts() {
			continue
		}
		mine, err := s.claimTick(ctx, "reconcile", every*9/10)
		if err == nil && mine && s.trusts() { // asked again: the claim itself may have waited for a Redis that hung
			err = s.reconcile(ctx)
		}
		if err != nil {
			s.complain(ctx, "reconcile", err)
		}
	}
}

// reconcile drives again what asynq lost or what died in a worker's hands.
func (s *Server) reconcile(ctx context.Context) error {
	// Whoever passes sentence looks at the clock first: a machine that slept is behind until its next beat.
	if err := s.setClock(ctx); err != nil || !s.trusts() {
		return err
	}
	silentSince := strconv.FormatInt(s.clock.now().Add(-s.cfg.DeadAfter).UnixMilli(), 10)
	for _, step := range []Step{StepStatus, StepTransfer} {
		members, err := s.rdb.ZRangeByScore(ctx, keyFlight(step), &redis.ZRangeBy{Min: "-inf", Max: silentSince, Count: reconcileBatch}).Result()
		if err != nil {
			return fmt.Errorf("look for silent runs: %w", err)
		}
		for _, m := range members {
			if err := s.redrive(ctx, step, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// redrive decides about one silent hand-out.
func (s *Server) redrive(ctx context.Context, step Step, member string) error {
	field, epoch, ok := splitFlight(member)
	if !ok {
		return s.ledger.unlist(ctx, &held{}, keyFlight(step), member) // not a name of ours
	}
	hs, err := s.ledger.read(ctx, field)
	if err != nil {
		return err
	}
	h := hs[0]
	if h.entry == nil || !h.entry.Flight || h.entry.Epoch != epoch || h.entry.Step != step {
		return s.ledger.unlist(ctx, h, keyFlight(step), member)
	}
	begun := h.prog != nil && h.prog.Epoch == epoch
	if !begun {
		waiting, err := s.waitsInAsynq(h.entry)
		if err != nil {
			return err
		}
		if waiting { // looked at; not again before DeadAfter, or a long backlog would hide what is behind it
			return s.touch(ctx, step, member)
		}
	}
	next := h.entry.clone()
	next.Flight = false
	now := s.clock.now()
	next.Updated = now.UnixMilli()
	if begun {
		next.Cut = InterruptedByCrash
		if h.prog.Parts > 0 {
			next.Failures = 0
			next.Assets = mergeAssets(next.Assets, h.prog.Assets)
		} else {
			next.Error = &ErrorInfo{Code: "worker_died", Message: errDied.Error(), Hint: "look at the worker's memory limit and its last log lines"}
			next.died(s.cfg)
		}
	} else {
		next.giveBack()
	}
	ch := change{from: h, now: now.UnixMilli()}
	if next.State.Settled() {
		ch.done = next
	} else {
		ch.next = next
	}
	if err := s.announce(&ch, h.entry.State, next); err != nil {
		return err
	}
	done, err := s.ledger.apply(ctx, next.Account, []change{ch})
	if err != nil || done[0] != 1 {
		return err
	}
	s.log.Warn("a video showed no sign of life; it is handed out again", "video_id", next.ID, "step", string(step), "attempt", next.Failures)
	s.note(next, nil)
	s.tell(Change{Status: next.status(nil), Previous: h.entry.State})
	s.kick()
	return nil
}

// died counts a failure, but without a pause: the wait for the sign of life was one.
func (e *entry) died(cfg ServerConfig) {
	e.Failures++
	if e.Failures >= cfg.MaxFailures {
		e.State, e.Reason = StateFailed, ReasonGaveUp
	}
}

// waitsInAsynq says whether the task of a hand-out that nobody began will still come to a worker. An active
// one will not: its worker died between taking it and saying so.
func (s *Server) waitsInAsynq(e *entry) (bool, error) {
	p := payload{Account: e.Account, VideoID: e.ID, Step: e.Step, Epoch: e.Epoch}
	info, err := s.inspector.GetTaskInfo(string(e.Step), p.taskID())
	switch {
	case errors.Is(err, asynq.ErrQueueNotFound), errors.Is(err, asynq.ErrTaskNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look up the task of %s: %w", e.ID, err)
	}
	switch info.State {
	case asynq.TaskStatePending, asynq.TaskStateScheduled, asynq.TaskStateRetry:
		return true, nil
	}
	return false, nil
}

func (s *Server) touch(ctx context.Context, step Step, member string) error {
	z := redis.Z{Score: float64(s.clock.now().UnixMilli()), Member: member}
	if err := s.rdb.ZAddXX(ctx, keyFlight(step), z).Err(); err != nil {
		return fmt.Errorf("mark a waiting task as seen: %w", err)
	}
	return nil
}
