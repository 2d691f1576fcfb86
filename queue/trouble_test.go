package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// blocks archives after release is closed, and says on started when a transfer begins and on ended why it ended.
type blocks struct {
	started chan string
	ended   chan error
	release chan struct{}
	part    bool // stores a part first
}

func newBlocks() *blocks {
	return &blocks{started: make(chan string, 1000), ended: make(chan error, 1000), release: make(chan struct{})}
}

func (h *blocks) handle(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
	if w.Step == queue.StepStatus {
		return queue.Outcome{State: queue.StateTransferring}, nil
	}
	if h.part {
		p.Stored("video", 1, 2)
	}
	h.started <- w.VideoID
	select {
	case <-ctx.Done():
		h.ended <- context.Cause(ctx)
		return queue.Outcome{}, ctx.Err()
	case <-h.release:
		return queue.Outcome{State: queue.StateArchived, Bytes: 2}, nil
	}
}

func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func TestDeployIsNotAFailureAndAnotherWorkerGoesOn(t *testing.T) {
	onEach(t, func(b *bench) {
		h := newBlocks()
		old := b.serve(queue.ServerConfig{MaxFailures: 1}, h.handle)
		b.enqueue(videos("d", 3)...)
		for range 3 {
			receive(b.t, "the transfer to start", h.started)
		}
		begun := time.Now()
		old.drain()
		if took := time.Since(begun); took > 5*time.Second {
			b.t.Errorf("draining obedient handlers took %s", took)
		}
		for range 3 {
			if cause := receive(b.t, "the handler to end", h.ended); !errors.Is(cause, queue.ErrDraining) {
				b.t.Errorf("the handler's context ended because of %v; want ErrDraining", cause)
			}
		}
		for i := range 3 {
			if st := b.status(fmt.Sprintf("d%d", i)); st.Failures != 0 || st.Error != nil || st.Working || st.State != queue.StateTransferring {
				b.t.Errorf("after the drain: %+v", st)
			}
		}
		s := b.serve(queue.ServerConfig{MaxFailures: 1}, archives)
		s.untilSettled(3)
		if st := b.status("d0"); st.State != queue.StateArchived || st.Attempts != 1 {
			b.t.Errorf("after the deploy: state %s, %d attempts; want archived with the drained one not counted", st.State, st.Attempts)
		}
		b.assertNothingUnderWay()
	})
}

func TestHandlerThatIgnoresTheDrainLosesItsVideo(t *testing.T) {
	onEach(t, func(b *bench) {
		started, release := make(chan struct{}), make(chan struct{})
		returned := make(chan struct{})
		old := b.serve(queue.ServerConfig{DrainGrace: time.Second}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			defer close(returned)
			close(started)
			<-release
			return queue.Outcome{State: queue.StateGone}, nil
		})
		b.enqueue(queue.Job{VideoID: "stubborn"})
		receive(b.t, "the handler to start", started)
		begun := time.Now()
		old.drain()
		if took := time.Since(begun); took > 4*time.Second {
			b.t.Errorf("a grace of 1 s took %s", took)
		}
		if st := b.status("stubborn"); st.Working || st.Failures != 0 || st.Error != nil {
			b.t.Errorf("the video was not handed back when the grace ended: %+v", st)
		}
		s := b.serve(queue.ServerConfig{}, archives)
		s.untilState("stubborn", queue.StateArchived)
		close(release)
		receive(b.t, "the stubborn handler to return", returned)
		if st := b.status("stubborn"); st.State != queue.StateArchived || st.Failures != 0 {
			b.t.Errorf("the stale run changed the outcome: %+v", st)
		}
	})
}

func TestKilledWorkerIsReplacedAndItsLateWordIsIgnored(t *testing.T) {
	onAll(t, killedWorkerIsReplaced)
}

// killedWorkerIsReplaced lets the reconciler find a run whose worker was cut off.
func killedWorkerIsReplaced(b *bench) {
	dead, alive := newBlocks(), newBlocks()
	killed := b.serve(queue.ServerConfig{}, dead.handle)
	b.enqueue(queue.Job{VideoID: "k", Metadata: map[string]string{"a": "b"}})
	receive(b.t, "the first transfer", dead.started)
	killed.line.Cut() // to everybody else it has been killed

	s := b.serve(queue.ServerConfig{}, alive.handle)
	receive(b.t, "the second transfer", alive.started)
	if st := b.status("k"); st.Failures != 1 || st.Error == nil || st.Error.Code != "worker_died" {
		b.t.Errorf("a death must count as a failure: %+v", st)
	}
	killed.line.Mend() // it was only cut off: it must find out and stop
	if cause := receive(b.t, "the first transfer to be stopped", dead.ended); !errors.Is(cause, queue.ErrSuperseded) {
		b.t.Errorf("the replaced run ended because of %v; want ErrSuperseded", cause)
	}
	close(alive.release)
	if st := s.untilState("k", queue.StateArchived); st.Metadata["a"] != "b" {
		b.t.Error("metadata was lost on the way")
	}
}

func TestVideoThatKillsItsWorkerIsGivenUpUnlessPartsWereStored(t *testing.T) {
	for _, part := range []bool{false, true} {
		t.Run(fmt.Sprintf("part stored %v", part), func(t *testing.T) {
			onEach(t, func(b *bench) {
				h := newBlocks()
				h.part = part
				for round := range 2 {
					s := b.serve(queue.ServerConfig{MaxFailures: 2}, h.handle)
					if round == 0 {
						b.enqueue(queue.Job{VideoID: "killer"})
					}
					receive(b.t, "a transfer", h.started)
					if part {
						queuetest.Await(b.t, "the part in the status", func() bool { return b.status("killer").Bytes > 0 })
					}
					s.line.Cut()
					s.stop()
				}
				final := b.serve(queue.ServerConfig{MaxFailures: 2}, archives)
				final.untilSettled(1)
				st := b.status("killer")
				if !part && (st.State != queue.StateFailed || st.Reason != queue.ReasonGaveUp) {
					b.t.Errorf("state %s; a video that kills two workers of two allowed is given up", st.State)
				}
				if part && st.State != queue.StateArchived {
					b.t.Errorf("state %s (%s); parts were stored each time", st.State, st.Reason)
				}
			})
		})
	}
}

func TestOutcomeSurvivesRedisBeingAway(t *testing.T) {
	t.Parallel()
	srv := queuetest.Redis(t)
	b := newBench(t, single(t, srv.Addr()))
	h := newBlocks()
	s := b.serve(queue.ServerConfig{MaxFailures: 1}, h.handle)
	b.enqueue(videos("r", 3)...)
	for range 3 {
		receive(t, "a transfer", h.started)
	}
	srv.Kill()
	close(h.release) // all three finish while there is no Redis
	srv.Start()
	s.untilSettled(3)
	for i := range 3 {
		if st := b.status(fmt.Sprintf("r%d", i)); st.State != queue.StateArchived || st.Failures != 0 {
			t.Errorf("after Redis came back: %+v", st)
		}
	}
}

// TestRedisThatHangsIsNotTheDeathOfItsWorkers: no call fails, they all wait; and when Redis goes on, whoever looks for
// the dead may be served before those who show that they are alive.
func TestRedisThatHangsIsNotTheDeathOfItsWorkers(t *testing.T) {
	t.Parallel()
	srv := queuetest.Redis(t)
	b := newBench(t, single(t, srv.Addr()))
	h := newBlocks()
	s := b.serve(queue.ServerConfig{Concurrency: 4, MaxFailures: 1}, h.handle)
	b.enqueue(videos("h", 4)...)
	for range 4 {
		receive(t, "a transfer", h.started)
	}
	for range 2 {
		srv.Freeze()
		hang := time.NewTimer(1800 * time.Millisecond) // longer than DeadAfter
		<-hang.C
		srv.Thaw()
		// Two looks of the reconciler later all four must still be in the same hands.
		later := time.Now().Add(800 * time.Millisecond)
		queuetest.Await(t, "the reconciler to have looked", func() bool {
			for i := range 4 {
				if st := b.status(fmt.Sprintf("h%d", i)); st.Failures != 0 || !st.Working || st.Attempts != 1 {
					t.Fatalf("after a Redis that hung: %+v", st)
				}
			}
			return time.Now().After(later)
		})
	}
	close(h.release)
	s.untilSettled(4)
}

func TestAcceptedVideosSurviveKillsOfRedis(t *testing.T) {
	t.Parallel()
	srv := queuetest.Redis(t)
	b := newBench(t, single(t, srv.Addr()))
	const n = 300
	b.enqueue(videos("s", n)...)
	srv.Kill()
	srv.Start()
	half := make(chan struct{})
	var handled atomic.Int64
	b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		if handled.Add(1) == n {
			close(half)
		}
		return archives(ctx, w, p)
	})
	receive(t, "half of the work", half)
	srv.Kill()
	srv.Start()
	queuetest.Await(t, "all videos to be archived", func() bool {
		counts, err := b.client.Counts(t.Context())
		return err == nil && counts[queue.StateArchived] == n
	})
	b.assertLedgerEmpty()
}

func TestEmptiedRedisCostsTimeOnly(t *testing.T) {
	onAll(t, func(b *bench) {
		h := newBlocks()
		s := b.serve(queue.ServerConfig{Concurrency: 2, Fingerprint: "store-1"}, h.handle)
		b.enqueue(queue.Job{VideoID: "e0", Metadata: map[string]string{"k": "v"}}, queue.Job{VideoID: "e1"})
		receive(b.t, "a transfer", h.started)
		receive(b.t, "a transfer", h.started)
		if err := b.rdb.FlushAll(b.t.Context()).Err(); err != nil {
			b.t.Fatal(err)
		}
		queuetest.Await(b.t, "the running videos to be known again", func() bool {
			st, err := b.client.Status(b.t.Context(), "e0")
			return err == nil && st.Working && st.Metadata["k"] == "v"
		})
		queuetest.Await(b.t, "the fingerprint to be back", func() bool {
			return b.rdb.Get(b.t.Context(), "{reelkeep}:fingerprint").Val() == "store-1"
		})
		close(h.release)
		s.untilSettled(2)
		b.enqueue(queue.Job{VideoID: "after"}) // and new work flows as before
		s.untilState("after", queue.StateArchived)
		b.assertNothingUnderWay()
	})
}

func TestOutcomeIsKeptWhenRedisIsEmptiedJustBeforeIt(t *testing.T) {
	onEach(t, func(b *bench) {
		started, release := make(chan string, 2), make(chan struct{})
		s := b.serve(queue.ServerConfig{BeatEvery: time.Minute, DeadAfter: 3 * time.Minute}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			started <- w.VideoID
			<-release
			return queue.Outcome{State: queue.State(w.VideoID)}, nil
		})
		b.enqueue(queue.Job{VideoID: "archived"}, queue.Job{VideoID: "gone"})
		receive(b.t, "a step", started)
		receive(b.t, "a step", started)
		b.rdb.FlushAll(b.t.Context())
		close(release)
		s.untilSettled(2)
		for _, id := range []string{"archived", "gone"} {
			if st := b.status(id); st.State != queue.State(id) {
				b.t.Errorf("%s is %s; its worker is the only one who still knew", id, st.State)
			}
		}
	})
}

func TestTaskThatAsynqLostIsDrivenAgainWithoutAFailure(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		// A server that hands out but whose asynq loses everything: the tasks vanish while both slots are taken.
		h := newBlocks()
		s := b.serve(queue.ServerConfig{Concurrency: 1}, h.handle)
		b.enqueue(videos("l", 2)...)
		first := receive(b.t, "the first transfer", h.started)
		queuetest.Await(b.t, "the second to wait in asynq", func() bool { return b.rdb.LLen(ctx, "asynq:{transfer}:pending").Val() == 1 })
		id := b.rdb.LRange(ctx, "asynq:{transfer}:pending", 0, -1).Val()[0]
		b.rdb.Del(ctx, "asynq:{transfer}:pending")
		b.rdb.Del(ctx, "asynq:{transfer}:t:"+id)
		close(h.release)
		if second := receive(b.t, "the lost transfer", h.started); second == first {
			b.t.Errorf("%s ran twice", first)
		}
		s.untilSettled(2)
		for _, j := range []string{"l0", "l1"} {
			if st := b.status(j); st.State != queue.StateArchived || st.Attempts != 1 {
				b.t.Errorf("%s: state %s, %d attempts; want archived at the first", j, st.State, st.Attempts)
			}
		}
	})
}

func TestCancelStopsTheHandler(t *testing.T) {
	onEach(t, func(b *bench) {
		ctx := b.t.Context()
		h := newBlocks()
		b.serve(queue.ServerConfig{}, h.handle)
		b.enqueue(queue.Job{VideoID: "c"})
		receive(b.t, "the transfer", h.started)
		if err := b.client.Cancel(ctx, "", "c"); err != nil {
			b.t.Fatal(err)
		}
		if cause := receive(b.t, "the handler to be stopped", h.ended); !errors.Is(cause, queue.ErrCancelled) {
			b.t.Errorf("the handler ended because of %v; want ErrCancelled", cause)
		}
		if st := b.status("c"); st.State != queue.StateCancelled {
			b.t.Errorf("state %s", st.State)
		}
		b.assertNothingUnderWay()
		if r, err := b.client.Enqueue(ctx, queue.Job{VideoID: "c"}); err != nil || r.Duplicate || r.State != queue.StateAccepted {
			b.t.Errorf("a cancelled video is accepted afresh, got %+v, %v", r, err)
		}
	})
}

func TestArchivedWinsOverACancelThatCameTooLate(t *testing.T) {
	onEach(t, func(b *bench) {
		h := newBlocks()
		s := b.serve(queue.ServerConfig{BeatEvery: time.Minute, DeadAfter: 3 * time.Minute}, h.handle)
		b.enqueue(queue.Job{VideoID: "c"})
		receive(b.t, "the transfer", h.started)
		if err := b.client.Cancel(b.t.Context(), "", "c"); err != nil {
			b.t.Fatal(err)
		}
		close(h.release) // the manifest was sealed before the cancel was heard
		s.untilState("c", queue.StateArchived)
		counts, err := b.client.Counts(b.t.Context())
		if err != nil || counts[queue.StateCancelled] != 0 || counts[queue.StateArchived] != 1 {
			b.t.Errorf("counts %v, %v", counts, err)
		}
	})
}

func TestWorkerOfAnotherFleetIsRefused(t *testing.T) {
	onEach(t, func(b *bench) {
		first := b.serve(queue.ServerConfig{Fingerprint: "s3://ours"}, archives)
		b.enqueue(queue.Job{VideoID: "one"})
		first.untilState("one", queue.StateArchived)
		srv, err := queue.NewServer(b.rdb, fast(queue.ServerConfig{Fingerprint: "s3://theirs"}), queue.HandlerFunc(archives))
		if err != nil {
			b.t.Fatal(err)
		}
		var other *queue.FingerprintError
		ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
		defer cancel()
		if err := srv.Run(ctx); !errors.As(err, &other) || other.Hint() == "" {
			b.t.Errorf("Run returned %v; want a FingerprintError with a hint", err)
		}
		if err := srv.Run(ctx); err == nil || errors.As(err, &other) {
			b.t.Errorf("a second Run returned %v; want a plain refusal", err)
		}
	})
}

func TestServerWaitsForRedisToAppear(t *testing.T) {
	t.Parallel()
	srv := queuetest.Redis(t)
	srv.Stop()
	b := newBench(t, single(t, srv.Addr()))
	s := b.serve(queue.ServerConfig{}, archives)
	srv.Start()
	queuetest.Await(t, "a job to be accepted", func() bool {
		_, err := b.client.Enqueue(t.Context(), queue.Job{VideoID: "w"})
		return err == nil
	})
	s.untilState("w", queue.StateArchived)
}

func TestServerThatNeverReachedRedisStopsWhenTold(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { rdb.Close() })
	srv, err := queue.NewServer(rdb, queue.ServerConfig{}, queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Run(ctx); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// A server whose store is away, say, is handed nothing until it can work again.
func TestAServerThatCannotWorkIsHandedNothing(t *testing.T) {
	onEach(t, func(b *bench) {
		var ready atomic.Bool
		var steps atomic.Int32
		s := b.serve(queue.ServerConfig{Name: "idle", Ready: ready.Load}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			steps.Add(1)
			return archives(ctx, w, p)
		})
		b.enqueue(videos("a", 5)...)
		queuetest.Await(t, "a few beats", beats(b, "idle", 3))
		if n := steps.Load(); n != 0 {
			t.Errorf("%d steps were handed to a server that can't work", n)
		}
		ready.Store(true)
		s.untilSettled(5)
	})
}

// beats waits until a server has announced itself so many times more.
func beats(b *bench, name string, n int) func() bool {
	last := ""
	return func() bool {
		if now := b.rdb.HGet(b.t.Context(), "{reelkeep}:servers", name).Val(); now != last {
			last = now
			n--
		}
		return n < 0
	}
}

// loses runs the first write of an archived video and then loses its reply.
type loses struct{ once sync.Once }

func (l *loses) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *loses) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l *loses) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil || cmd.Name() != "evalsha" || !strings.Contains(fmt.Sprint(cmd.Args()...), "transferring>archived") {
			return err
		}
		l.once.Do(func() {
			err = io.ErrUnexpectedEOF
			cmd.SetErr(err)
		})
		return err
	}
}

// The outcome was written and only the reply was lost: whoever counts outcomes must still hear of it, once.
func TestALostReplyHidesNoOutcome(t *testing.T) {
	onEach(t, func(b *bench) {
		lost := new(loses)
		dial := b.dial
		b.dial = func(line *queuetest.Line) redis.UniversalClient {
			rdb := dial(line)
			rdb.AddHook(lost)
			return rdb
		}
		s := b.serve(queue.ServerConfig{}, archives)
		b.enqueue(queue.Job{VideoID: "a"})
		s.untilState("a", queue.StateArchived)
		s.drain()
		for len(s.changes) > 0 {
			if c := <-s.changes; c.State == queue.StateArchived {
				t.Error("one outcome was told twice")
			}
		}
	})
}
