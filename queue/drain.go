package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ErrNotStopped is Run's word for a drain whose end something did not hear: a command to a Redis that hangs has not come
// back. The connection MUST NOT be closed after it (asynq would crash the process); ending the process is safe.
var ErrNotStopped = errors.New("queue: Redis (REELKEEP_REDIS) hangs, and the server has not stopped; end the process without closing its connection")

const (
	// drainAnswer is how long Redis may take to answer a command during a drain. go-redis's own patience, with its
	// retries, is longer than the whole drain may be.
	drainAnswer = 500 * time.Millisecond
	// drainRest is how long after DrainGrace the last videos may be handed back.
	drainRest = time.Second
	// drainOld is the longest that an attempt lasts which began before the drain: go-redis's time limit for replies.
	drainOld = 5 * time.Second
)

// drainHook bounds all commands on the server's connection while it drains, asynq's among them, which know no
// deadline. After the end none is begun any more: whoever still asks is told so at once, and can stop.
type drainHook struct {
	over context.Context // ends soon after the drain has begun, and with it what was asked before

	mu    sync.Mutex
	begun bool
	end   time.Time
	off   bool // the drain is over; the connection is the caller's alone again
}

func (h *drainHook) begin(end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun, h.end = true, end
}

func (h *drainHook) lift() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off = true
}

func (h *drainHook) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	h.mu.Lock()
	begun, end, off := h.begun, h.end, h.off
	h.mu.Unlock()
	switch {
	case off:
		return ctx, func() {}
	case begun:
		if limit := time.Now().Add(drainAnswer); limit.Before(end) {
			end = limit
		}
		return context.WithDeadline(ctx, end)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.over, cancel) // no retry after that
	return ctx, func() { stop(); cancel() }
}

func (h *drainHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *drainHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		ctx, cancel := h.bound(ctx)
		defer cancel()
		return next(ctx, cmd)
	}
}

func (h *drainHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		// A client on the same connection may be waiting for the disk, which has a limit of its own.
		if !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Name() == "waitaof" }) {
			var cancel context.CancelFunc
			ctx, cancel = h.bound(ctx)
			defer cancel()
		}
		return next(ctx, cmds)
	}
}

// drain hands back what is under way. Order matters: the flag first, so that a task asynq starts in the meantime is
// handed back; then the handlers, at a part boundary; asynq last, since it pushes tasks back without
// asking once its own patience ends.
func (s *Server) drain(ctx context.Context, motors []*asynq.Server) error {
	begun := time.Now()
	end := begun.Add(s.cfg.DrainGrace + drainRest)
	s.hook.begin(end)
	close(s.bell.over)
	grace := time.NewTimer(s.cfg.DrainGrace)
	defer grace.Stop()
	last := time.NewTimer(max(time.Until(end), drainOld) + drainAnswer)
	defer last.Stop()
	late := time.AfterFunc(drainAnswer, s.stopAsking)
	defer late.Stop()

	s.endTelling()
	s.mu.Lock()
	s.draining = true
	for _, r := range s.runs {
		r.cancel(ErrDraining)
	}
	n := len(s.runs)
	s.mu.Unlock()
	s.log.Info("draining", "runs", n)
	s.leave(ctx)

	var stopping sync.WaitGroup
	for _, m := range motors {
		stopping.Go(m.Shutdown)
	}
	if !ends(&s.working, grace.C) {
		s.abandon(ctx)
	}
	s.endGrace()
	if !ends(&stopping, last.C) {
		s.log.Error("asynq has not stopped: redis hangs", "after", time.Since(begun))
		s.stuck()
		return ErrNotStopped
	}
	return nil
}

// ends waits for all of wg unless limit comes first.
func ends(wg *sync.WaitGroup, limit <-chan time.Time) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-limit:
		return false
	}
}

// abandon hands back the videos of handlers that did not return in time. They may still be running: whatever
// they do is harmless, since their epoch has passed.
func (s *Server) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainRest)
	defer cancel()
	s.mu.Lock()
	left := make([]*run, 0, len(s.runs))
	for _, r := range s.runs {
		left = append(left, r)
	}
	s.mu.Unlock()
	for _, r := range left {
		s.log.Warn("handler did not stop in time; its video is handed back", "video_id", r.work.VideoID, "step", string(r.work.Step))
		if err := s.release(ctx, r); err != nil {
			s.log.Warn("hand a video back", "video_id", r.work.VideoID, "err", err)
		}
	}
}
