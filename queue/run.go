package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// run is one step of one video in the hands of this server.
type run struct {
	work    Work
	held    *held // as read when the run began
	member  string
	tracker *tracker
	cancel  context.CancelCauseFunc
	done    chan struct{}
	ended   time.Time // when the handler had answered; zero: it has not
	wrote   *Change   // the outcome as we last tried to write it
}

// verdict is what the handler said, and why its context had ended by then, if it had.
type verdict struct {
	out   Outcome
	err   error
	cause error
}

// motorHandler takes tasks from asynq. It answers nil once the ledger holds the outcome, so that asynq forgets the
// task; an error means that Redis could not be asked, and asynq brings the task again.
func (s *Server) motorHandler(step Step) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		var p payload
		if err := json.Unmarshal(t.Payload(), &p); err != nil || p.Step != step {
			s.log.Error("a task that is not ours is in our queue; dropped", "queue", string(step))
			return nil
		}
		r, err := s.begin(ctx, p)
		if err != nil || r == nil {
			return err
		}
		select {
		case <-r.done:
		case <-s.grace.Done(): // the video was handed back; asynq shall not wait for the handler
		case <-ctx.Done():
			// asynq has given the task up and will not listen to us any more. If it lost its lease (Redis was away
			// for 30 s) the work goes on: the ledger, not the lease, says whose video it is.
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				r.cancel(errTooLong)
			} else {
				s.log.Warn("asynq lost its lease; the work goes on", "video_id", p.VideoID, "step", string(step))
			}
		}
		return nil
	})
}

// begin looks whether the task is still wanted and starts the work. A nil run means that there is nothing to do.
func (s *Server) begin(ctx context.Context, p payload) (*run, error) {
	hs, err := s.ledger.read(ctx, fieldOf(p.Account, p.VideoID))
	if err != nil {
		return nil, err
	}
	h := hs[0]
	if h.entry == nil || !h.entry.Flight || h.entry.Epoch != p.Epoch || h.entry.Step != p.Step {
		return nil, nil
	}
	if s.begunBefore(h) {
		return nil, nil
	}
	r := &run{work: h.entry.work(), held: h, member: h.entry.flightMember(), done: make(chan struct{}),
		tracker: newTracker(s.owner, p.Epoch)}
	// asynq ends its own context when it loses a lease; the work outlives that.
	working, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.cancel = cancel

	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		defer r.cancel(ErrDraining)
		return nil, s.release(ctx, r)
	}
	s.runs[r.member] = r
	s.working.Add(1)
	s.mu.Unlock()
	if err := s.beatRuns(ctx, []*run{r}, true); err != nil {
		s.forget(r)
		return nil, err
	}
	go s.carryOut(working, r)
	return r, nil
}

// begunBefore says whether this very hand-out was begun already. Whether that run lives or died, the reconciler
// decides. Only our own mark without a run behind it is none: the reply to it was lost.
func (s *Server) begunBefore(h *held) bool {
	if h.prog == nil || h.prog.Epoch != h.entry.Epoch {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, running := s.runs[h.entry.flightMember()]
	return running || h.prog.Owner != s.owner
}

func (s *Server) forget(r *run) {
	r.cancel(context.Canceled)
	s.mu.Lock()
	delete(s.runs, r.member)
	s.mu.Unlock()
	s.working.Done()
	close(r.done)
}

// carryOut runs the handler and writes the outcome. Its own slot is needed beside asynq's: a run that outlives its
// lease no longer counts there, and Concurrency is a promise about memory.
func (s *Server) carryOut(ctx context.Context, r *run) {
	defer s.forget(r)
	var v verdict
	select {
	case s.slots[r.work.Step] <- struct{}{}:
		v.out, v.err = s.safely(ctx, r)
		<-s.slots[r.work.Step]
	case <-ctx.Done():
		v.err = context.Cause(ctx)
	}
	v.cause = context.Cause(ctx)
	s.settle(context.WithoutCancel(ctx), r, v)
	s.kick()
}

// safely keeps a panic of the handler from ending the process and every other transfer with it.
func (s *Server) safely(ctx context.Context, r *run) (out Outcome, err error) {
	defer func() {
		if x := recover(); x != nil {
			s.log.Error("handler panicked", "video_id", r.work.VideoID, "err", fmt.Sprint(x), "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %v", x)
		}
	}()
	return s.handler.Handle(ctx, r.work, r.tracker)
}

// settle writes the outcome into the ledger, however long Redis is away: the outcome of an hour's
// transfer is worth the wait. Only the end of a drain cuts it short.
func (s *Server) settle(ctx context.Context, r *run, v verdict) {
	wait := 50 * time.Millisecond
	for {
		ch, err := s.conclude(ctx, r, v)
		if err == nil {
			if ch != nil {
				s.tell(*ch)
			}
			return
		}
		s.complain(ctx, "outcome", fmt.Errorf("write the outcome of %s: %w", r.work.VideoID, err))
		s.mu.Lock()
		draining := s.draining
		s.mu.Unlock()
		if draining && (wait > 2*time.Second || s.grace.Err() != nil) {
			return // the reconciler of another server finds the run without a sign of life
		}
		select {
		case <-time.After(wait):
		case <-s.grace.Done():
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// tellCancelled tells of videos that clients have cancelled. What has become of one since is told by others. A name is
// taken off the list once the video has been read, and whoever takes it off tells.
func (s *Server) tellCancelled(ctx context.Context, fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	known, err := s.ledger.read(ctx, fields...)
	if err != nil {
		return err
	}
	pipe := s.rdb.Pipeline()
	taken := make([]*redis.IntCmd, len(known))
	for i, h := range known {
		taken[i] = pipe.LRem(ctx, keyCancelled, 1, h.field)
	}
	_, err = pipe.Exec(ctx)
	for i, h := range known {
		if taken[i].Val() == 1 && h.record != nil && h.record.State == StateCancelled {
			s.tell(Change{Status: h.record.status(h.field)})
		}
	}
	if err != nil {
		return fmt.Errorf("take the cancelled videos off their list: %w", err)
	}
	return nil
}

func (s *Server) tell(c Change) {
	s.cfg.OnChange(c)
	if c.State.Settled() {
		s.cfg.OnSettle(c.Status)
	}
}
