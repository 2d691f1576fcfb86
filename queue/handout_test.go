package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// between runs at the first command or pipeline that on accepts: after it, or instead of it where it returns an error.
type between struct {
	on   func(cmd redis.Cmder) bool
	run  func() error
	once sync.Once
}

func (b *between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && b.on(cmd) {
			b.once.Do(func() { err = b.run() })
		}
		return err
	}
}

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var err error
		if b.on(cmds[0]) {
			b.once.Do(func() { err = b.run() })
		}
		if err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

func TestVideoHandedOutInTheMomentOfADeployReachesAsynq(t *testing.T) {
	t.Parallel()
	s, mr := insider(t, ServerConfig{}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	for _, account := range []string{"a", "b"} {
		if _, err := s.Client().Enqueue(t.Context(), Job{VideoID: "v", Account: account}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.rdb.AddHook(&between{
		on:  func(redis.Cmder) bool { return mr.Exists(keyFlight(StepStatus)) },
		run: func() error { cancel(); return nil },
	})
	if err := s.dispatch(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if tasks, _ := mr.List("asynq:{status}:pending"); ctx.Err() == nil || len(tasks) != 2 {
		t.Errorf("asynq has %v of two videos that are marked as handed out", tasks)
	}
}

func TestVideoPutOffAgainIsNotDueAtOnce(t *testing.T) {
	t.Parallel()
	s, mr := insider(t, ServerConfig{}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	ctx := t.Context()
	if _, err := s.Client().Enqueue(ctx, Job{VideoID: "v"}); err != nil {
		t.Fatal(err)
	}
	hs, err := s.ledger.read(ctx, "default/v")
	if err != nil {
		t.Fatal(err)
	}
	now := s.clock.now()
	next := hs[0].entry.clone()
	next.Due = now.Add(time.Hour).UnixMilli()
	if _, err := s.ledger.apply(ctx, next.Account, []change{{from: hs[0], next: next, now: now.UnixMilli()}}); err != nil {
		t.Fatal(err)
	}
	// Another server put it off after this one had seen it among what is due.
	if err := s.promote(ctx, StepStatus, []string{"default/v"}, now.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if waiting, err := mr.ZMembers(keyLater(StepStatus)); err != nil || len(waiting) != 1 {
		t.Errorf("put off are %v (%v); the video is due in an hour", waiting, err)
	}
}

func TestCancelledVideoIsToldOfAlthoughRedisFailed(t *testing.T) {
	t.Parallel()
	var told []State
	s, mr := insider(t, ServerConfig{OnChange: func(c Change) { told = append(told, c.State) }}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	ctx := t.Context()
	for _, id := range []string{"v", "w"} {
		if _, err := s.Client().Enqueue(ctx, Job{VideoID: id}); err != nil {
			t.Fatal(err)
		}
		if err := s.Client().Cancel(ctx, "", id); err != nil {
			t.Fatal(err)
		}
	}
	away := errors.New("connection reset")
	s.rdb.AddHook(&between{
		on:  func(cmd redis.Cmder) bool { return cmd.Name() == "hmget" },
		run: func() error { return away },
	})
	if err := s.dispatch(ctx); !errors.Is(err, away) {
		t.Fatalf("%v; the test shall disturb the look at the videos", err)
	}
	for range 3 {
		if err := s.dispatch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 2 || told[0] != StateCancelled || mr.Exists(keyCancelled) {
		t.Errorf("told of %v; want both cancelled videos, once", told)
	}
}
