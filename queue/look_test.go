package queue_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func TestManyVideosAreAskedForAtOnce(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		jobs := videos("v", 600)
		for i := range jobs {
			jobs[i].Account = "acme"
		}
		b.enqueue(jobs...)
		b.rdb.HSet(ctx, "{reelkeep}:ledger", "acme/bad", "{not json")
		ids := []string{"nobody", "../x", "bad"}
		for _, j := range jobs {
			ids = append(ids, j.VideoID)
		}
		rs, err := b.client.StatusMany(ctx, "acme", ids)
		if err != nil {
			b.t.Fatal(err)
		}
		var damaged *queue.EntryError
		if !errors.Is(rs[0].Err, queue.ErrUnknown) || !errors.Is(rs[1].Err, queue.ErrInvalidJob) ||
			!errors.As(rs[2].Err, &damaged) || damaged.VideoID != "bad" || damaged.Account != "acme" {
			b.t.Errorf("unknown, invalid, unreadable: %v, %v, %v", rs[0].Err, rs[1].Err, rs[2].Err)
		}
		for i, r := range rs[3:] {
			if r.Err != nil || r.VideoID != jobs[i].VideoID || r.State != queue.StateAccepted || r.Account != "acme" {
				b.t.Fatalf("video %d: %+v", i, r)
			}
		}
	})
}

func TestWhatIsUnderWayIsShownWithItsProgress(t *testing.T) {
	onEach(t, func(b *bench) {
		started, release := make(chan struct{}, 3), make(chan struct{})
		s := b.serve(queue.ServerConfig{Concurrency: 3}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			p.Stored("video", 40, 100)
			started <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "v"}, queue.Job{VideoID: "v-1"}, queue.Job{VideoID: "v-2"})
		for range 3 {
			receive(b.t, "the transfers", started)
		}
		working := func(limit int) []queue.Status {
			sts, err := b.client.Working(b.t.Context(), queue.StepTransfer, limit)
			if err != nil {
				b.t.Fatal(err)
			}
			return sts
		}
		queuetest.Await(b.t, "the progress of all", func() bool {
			sts := working(10)
			for _, st := range sts {
				if st.Bytes != 40 {
					return false
				}
			}
			return len(sts) == 3
		})
		if sts := working(2); len(sts) != 2 || sts[0].VideoID != "v" || sts[1].VideoID != "v-1" || sts[0].State != queue.StateTransferring {
			b.t.Errorf("the first two: %+v", sts)
		}
		if sts := working(0); len(sts) != 0 {
			b.t.Errorf("none asked for, got %+v", sts)
		}
		close(release)
		s.untilSettled(3)
		if sts := working(10); len(sts) != 0 {
			b.t.Errorf("nothing is under way any more, got %+v", sts)
		}
	})
}

func TestTheLastTroubleIsShownUntilItIsOver(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		var mu sync.Mutex
		mended := false
		s := b.serve(queue.ServerConfig{StatusConcurrency: 1}, func(c context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case w.VideoID == "gone" || w.VideoID == "failed":
				return queue.Outcome{State: queue.State(w.VideoID), Reason: "why"}, nil
			case w.VideoID == "waits" && !mended:
				return queue.Outcome{}, later(time.Hour)
			}
			return archives(c, w, p)
		})
		for _, id := range []string{"fine", "failed", "waits", "gone"} {
			for moment := time.Now().UnixMilli(); time.Now().UnixMilli() == moment; { // troubles of one millisecond have no order
				runtime.Gosched()
			}
			b.enqueue(queue.Job{VideoID: id})
			if id == "waits" {
				s.until("the trouble", func(st queue.Status) bool { return st.Error != nil })
			} else {
				s.untilSettled(1)
			}
		}
		troubled := func() (ids []string) {
			sts, err := b.client.Troubled(ctx)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, st := range sts {
				ids = append(ids, st.VideoID)
			}
			return ids
		}
		if diff := cmp.Diff([]string{"gone", "waits", "failed"}, troubled()); diff != "" {
			b.t.Errorf("what went wrong, newest first (-want +got):\n%s", diff)
		}
		b.enqueue(queue.Job{VideoID: "waits", Metadata: map[string]string{"a": "change"}})
		if diff := cmp.Diff([]string{"gone", "waits", "failed"}, troubled()); diff != "" {
			b.t.Errorf("a change that is no trouble brought one up (-want +got):\n%s", diff)
		}
		mu.Lock()
		mended = true
		mu.Unlock()
		if _, err := b.client.Retry(ctx, "", "waits"); err != nil {
			b.t.Fatal(err)
		}
		s.untilState("waits", queue.StateArchived)
		if _, err := b.client.Retry(ctx, "", "failed"); err != nil {
			b.t.Fatal(err)
		}
		s.untilState("failed", queue.StateFailed)
		if diff := cmp.Diff([]string{"failed", "gone"}, troubled()); diff != "" {
			b.t.Errorf("what recovered is no trouble, what failed again comes first (-want +got):\n%s", diff)
		}
		s.drain()
		for i := range 70 {
			b.rdb.ZAdd(ctx, "{reelkeep}:trouble", redis.Z{Score: float64(i), Member: fmt.Sprintf("default/old%d", i)})
		}
		again := b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{State: queue.StateFailed}, nil
		})
		b.enqueue(queue.Job{VideoID: "one_more"})
		again.untilSettled(1)
		if n := b.rdb.ZCard(ctx, "{reelkeep}:trouble").Val(); n != 50 {
			b.t.Errorf("%d videos are remembered; want no more than 50", n)
		}
	})
}

// cutOff lets so many scripts through to Redis and fails from then on.
type cutOff struct {
	mu   sync.Mutex
	left int
}

var errCutOff = errors.New("the line is dead")

func (c *cutOff) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *cutOff) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (c *cutOff) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		if c.left == 0 {
			return errCutOff
		}
		c.left--
		return next(ctx, cmd)
	}
}

func TestResultsSayWhatIsAcceptedWhenRedisFailsOnTheWay(t *testing.T) {
	onEach(t, func(b *bench) {
		ctx := b.t.Context()
		b.enqueue(videos("known", 2)...) // and the script is loaded
		b.rdb.(*redis.Client).AddHook(&cutOff{left: 2})
		jobs := append(videos("known", 2), videos("v", 1000)...)
		jobs[10].VideoID = "../x"
		rs, err := b.client.EnqueueMany(ctx, jobs)
		if !errors.Is(err, errCutOff) {
			b.t.Fatalf("error %v", err)
		}
		accepted, refused, silent := 0, 0, 0
		for i, r := range rs {
			st, serr := b.client.Status(ctx, jobs[i].VideoID)
			switch {
			case r.VideoID != jobs[i].VideoID:
				b.t.Errorf("result %d is about %q, want %q", i, r.VideoID, jobs[i].VideoID)
			case r.Err != nil:
				refused++
			case r.State == "":
				silent++
				if serr == nil {
					b.t.Errorf("%s was accepted and its result does not say so", r.VideoID)
				}
			default:
				accepted++
				if serr != nil || st.State != queue.StateAccepted {
					b.t.Errorf("%s is said to be %s, and is %v, %v", r.VideoID, r.State, st.State, serr)
				}
			}
		}
		if accepted != 500 || refused != 1 || silent != 501 {
			b.t.Errorf("%d accepted, %d refused, %d without an answer; want 500, 1, 501", accepted, refused, silent)
		}
	})
}
