package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
)

func TestWaitingVideoHandedInAgainIsADuplicate(t *testing.T) {
	onEach(t, func(b *bench) {
		soon := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		b.enqueue(queue.Job{VideoID: "v", Priority: queue.PriorityBackfill, Metadata: map[string]string{"a": "1"}})
		before := b.status("v")
		if r := b.enqueue(queue.Job{VideoID: "v", Priority: queue.PriorityBackfill})[0]; !r.Duplicate || r.State != queue.StateAccepted {
			b.t.Errorf("second time: %+v", r)
		}
		if diff := cmp.Diff(before, b.status("v")); diff != "" {
			b.t.Errorf("a duplicate that brings nothing new changed something:\n%s", diff)
		}
		b.enqueue(queue.Job{VideoID: "v", Metadata: map[string]string{"a": "2", "b": "3"}, Deadline: soon})
		st := b.status("v")
		if diff := cmp.Diff(map[string]string{"a": "1", "b": "3"}, st.Metadata); diff != "" {
			b.t.Errorf("metadata keys are added, known ones stay:\n%s", diff)
		}
		if st.Priority != queue.PriorityInteractive || !st.Deadline.Equal(soon) || !st.AtRisk(time.Now()) {
			b.t.Errorf("the higher priority and the earlier deadline win, got %s %v", st.Priority, st.Deadline)
		}
		b.enqueue(queue.Job{VideoID: "v", Priority: queue.PriorityBackfill})
		if st := b.status("v"); st.Priority != queue.PriorityInteractive {
			b.t.Error("a lower priority won")
		}
		if n := b.rdb.ZCard(b.t.Context(), "{reelkeep}:ready:status:backfill:default").Val(); n != 0 {
			b.t.Error("the video is still among the backfill")
		}
	})
}

func TestDuplicateWhileUnderWayDisturbsNothing(t *testing.T) {
	onEach(t, func(b *bench) {
		h := newBlocks()
		h.part = true
		s := b.serve(queue.ServerConfig{MaxFailures: 1}, h.handle)
		b.enqueue(queue.Job{VideoID: "v", Priority: queue.PriorityBackfill})
		receive(b.t, "the transfer", h.started)
		before := b.rdb.HGet(b.t.Context(), "{reelkeep}:progress", "default/v").Val()
		b.enqueue(queue.Job{VideoID: "v", Metadata: map[string]string{"x": "y"}})
		if _, err := b.client.Retry(b.t.Context(), "", "v"); err != nil {
			b.t.Fatal(err)
		}
		if after := b.rdb.HGet(b.t.Context(), "{reelkeep}:progress", "default/v").Val(); before == "" || after == "" {
			b.t.Errorf("progress %q became %q", before, after)
		}
		close(h.release)
		if st := s.untilState("v", queue.StateArchived); st.Metadata["x"] != "y" || st.Priority != queue.PriorityInteractive {
			b.t.Errorf("what the duplicate brought was lost: %+v", st)
		}
		b.assertNothingUnderWay()
	})
}

func TestSettledVideoHandedInAgain(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		s := b.serve(queue.ServerConfig{}, archives)
		b.enqueue(queue.Job{VideoID: "v"})
		s.untilState("v", queue.StateArchived)
		if r := b.enqueue(queue.Job{VideoID: "v"})[0]; !r.Duplicate || r.State != queue.StateArchived {
			b.t.Errorf("an archived video: %+v", r)
		}
		if r, err := b.client.Retry(ctx, "", "v"); err != nil || !r.Duplicate || r.State != queue.StateArchived {
			b.t.Errorf("retry of an archived video: %+v, %v", r, err)
		}
		if err := b.client.Cancel(ctx, "", "v"); !errors.Is(err, queue.ErrSettled) {
			b.t.Errorf("cancel of an archived video: %v", err)
		}
		s.drain()

		ends := b.serve(queue.ServerConfig{}, func(_ ctxT, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{}, ending{w.VideoID, "why"}
		})
		for _, state := range []queue.State{queue.StateFailed, queue.StateGone, queue.StateCancelled} {
			id := string(state)
			b.enqueue(queue.Job{VideoID: id})
			ends.untilState(id, state)
			if r := b.enqueue(queue.Job{VideoID: id})[0]; r.Duplicate || r.State != queue.StateAccepted {
				b.t.Errorf("a %s video handed in again: %+v; want accepted afresh", state, r)
			}
			ends.untilState(id, state)
			if r, err := b.client.Retry(ctx, "", id); err != nil || r.Duplicate || r.State != queue.StateAccepted {
				b.t.Errorf("retry of a %s video: %+v, %v; want accepted afresh", state, r, err)
			}
			ends.untilState(id, state)
		}
	})
}

func TestRetryMakesAWaitingVideoDueAtOnce(t *testing.T) {
	onEach(t, func(b *bench) {
		first := make(chan struct{}, 10)
		s := b.serve(queue.ServerConfig{BackoffBase: time.Hour, BackoffCap: time.Hour}, func(ctx ctxT, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Epoch == 1 {
				first <- struct{}{}
				return queue.Outcome{}, errBroken
			}
			return archives(ctx, w, p)
		})
		b.enqueue(queue.Job{VideoID: "v"})
		st := s.until("the failure", func(st queue.Status) bool { return st.Failures == 1 })
		if st.NotBefore == nil || time.Until(*st.NotBefore) < 40*time.Minute {
			b.t.Errorf("after a failure the video waits, got %v", st.NotBefore)
		}
		if _, err := b.client.Retry(b.t.Context(), "", "v"); err != nil {
			b.t.Fatal(err)
		}
		s.untilState("v", queue.StateArchived)
	})
}

func TestUnknownVideoIsSaidToBeUnknown(t *testing.T) {
	onEach(t, func(b *bench) {
		ctx := b.t.Context()
		_, err := b.client.Status(ctx, "nobody")
		_, err2 := b.client.Retry(ctx, "", "nobody")
		err3 := b.client.Cancel(ctx, "acme", "nobody")
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, queue.ErrUnknown) || !strings.Contains(err.Error(), "nobody") {
				b.t.Errorf("%v; want ErrUnknown naming the video", err)
			}
		}
	})
}

func TestInvalidJobAmongValidOnesIsRefusedAlone(t *testing.T) {
	onEach(t, func(b *bench) {
		bad := []queue.Job{{VideoID: ""}, {VideoID: "a/b"}, {VideoID: "../x"}, {VideoID: strings.Repeat("x", 129)}, {VideoID: "ü"},
			{VideoID: "ok", Account: "a b"}, {VideoID: "ok", Priority: "urgent"},
			{VideoID: "ok", Metadata: map[string]string{"k": strings.Repeat("v", 9000)}}}
		jobs := append([]queue.Job{{VideoID: "first"}}, bad...)
		jobs = append(jobs, queue.Job{VideoID: "last"}, queue.Job{VideoID: "first"})
		rs, err := b.client.EnqueueMany(b.t.Context(), jobs)
		if err != nil {
			b.t.Fatal(err)
		}
		for i, r := range rs {
			wantErr := i > 0 && i <= len(bad)
			if (r.Err != nil) != wantErr || wantErr && !errors.Is(r.Err, queue.ErrInvalidJob) || r.VideoID != jobs[i].VideoID {
				b.t.Errorf("job %d: %+v", i, r)
			}
		}
		if !rs[len(rs)-1].Duplicate {
			b.t.Error("a video named twice in one call: the second is a duplicate")
		}
		if counts, _ := b.client.Counts(b.t.Context()); counts[queue.StateAccepted] != 2 {
			b.t.Errorf("counts %v; want two accepted", counts)
		}
	})
}

func TestTenThousandJobsAreAcceptedInSeconds(t *testing.T) {
	onEach(t, func(b *bench) {
		start := time.Now()
		b.enqueue(videos("v", 10000)...)
		took := time.Since(start)
		b.t.Logf("10,000 jobs took %s", took.Round(time.Millisecond))
		if took > 20*time.Second {
			b.t.Errorf("10,000 jobs took %s", took)
		}
		if counts, _ := b.client.Counts(b.t.Context()); counts[queue.StateAccepted] != 10000 {
			b.t.Errorf("counts %v", counts)
		}
	})
}

func TestListShowsWaitingAndSettledVideos(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		s := b.serve(queue.ServerConfig{}, archives)
		b.enqueue(videos("done", 60)...)
		s.untilSettled(60)
		s.drain()
		b.enqueue(videos("old", 500)...)
		for i := range 500 {
			if err := b.client.Cancel(ctx, "", fmt.Sprint("old", i)); err != nil {
				b.t.Fatal(err)
			}
		}
		b.enqueue(queue.Job{VideoID: "w1", Account: "acme"}, queue.Job{VideoID: "w2"})
		b.rdb.HSet(ctx, "{reelkeep}:ledger", "default/bad", "{not json")
		list := func(f queue.Filter) (n int, errs int) {
			for st, err := range b.client.List(ctx, f) {
				if err != nil {
					errs++
				} else if n++; st.VideoID == "" || st.State == "" {
					b.t.Errorf("an empty status: %+v", st)
				}
			}
			return n, errs
		}
		for _, c := range []struct {
			f    queue.Filter
			want int
		}{
			{queue.Filter{}, 562},
			{queue.Filter{States: []queue.State{queue.StateArchived}}, 60},
			{queue.Filter{Account: "acme"}, 1},
			{queue.Filter{Text: "TITLE OF DONE5"}, 11},
			{queue.Filter{Text: "w"}, 2},
		} {
			if n, errs := list(c.f); n != c.want || errs != 1 {
				b.t.Errorf("%+v: %d videos and %d errors; want %d and the damaged one", c.f, n, errs, c.want)
			}
		}
		for range b.client.List(ctx, queue.Filter{}) {
			break // stopping early must not hang or panic
		}
	})
}

func TestOverviewShowsWhatIsAtRisk(t *testing.T) {
	onAll(t, func(b *bench) {
		now := time.Now()
		b.enqueue(queue.Job{VideoID: "overdue", Deadline: now.Add(-time.Hour)}, queue.Job{VideoID: "risk", Deadline: now.Add(time.Hour)},
			queue.Job{VideoID: "fine", Deadline: now.Add(48 * time.Hour)}, queue.Job{VideoID: "unknown"})
		o, err := b.client.Overview(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if o.Overdue != 1 || o.AtRisk != 1 || o.EarliestDeadline.UnixMilli() != now.Add(-time.Hour).UnixMilli() ||
			o.Tasks[queue.StepStatus]["waiting"] != 4 || o.States[queue.StateAccepted] != 4 {
			b.t.Errorf("%+v", o)
		}
	})
}

// TestListsAgreeWhateverHappensAtOnce lets many hands pull at a few videos and then checks that every video
// is in exactly one list, and that the counters are right.
func TestListsAgreeWhateverHappensAtOnce(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		s := b.serve(queue.ServerConfig{MaxFailures: 3}, func(c ctxT, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if rand.IntN(3) == 0 {
				return queue.Outcome{}, errBroken
			}
			if rand.IntN(4) == 0 {
				return queue.Outcome{State: queue.StateRendering, After: time.Duration(rand.IntN(20)) * time.Millisecond}, nil
			}
			return archives(c, w, p)
		})
		var hands sync.WaitGroup
		for range 4 {
			hands.Go(func() {
				for range 60 {
					id := fmt.Sprintf("v%d", rand.IntN(12))
					var err error
					switch rand.IntN(4) {
					case 0:
						_, err = b.client.Retry(ctx, "", id)
					case 1:
						err = b.client.Cancel(ctx, "", id)
					default:
						_, err = b.client.Enqueue(ctx, queue.Job{VideoID: id, Priority: []queue.Priority{"interactive", "backfill"}[rand.IntN(2)]})
					}
					if err != nil && !errors.Is(err, queue.ErrUnknown) && !errors.Is(err, queue.ErrSettled) {
						b.t.Error(err)
					}
				}
			})
		}
		hands.Wait()
		s.drain()
		b.assertListsAgree()
	})
}

func (b *bench) assertListsAgree() {
	b.t.Helper()
	ctx := b.t.Context()
	in := map[string]int{}
	for _, key := range []string{"{reelkeep}:later:status", "{reelkeep}:later:transfer", "{reelkeep}:ready:status:interactive:default", "{reelkeep}:ready:status:backfill:default",
		"{reelkeep}:ready:transfer:interactive:default", "{reelkeep}:ready:transfer:backfill:default"} {
		for _, f := range b.rdb.ZRange(ctx, key, 0, -1).Val() {
			in[f]++
		}
	}
	for _, key := range []string{"{reelkeep}:flight:status", "{reelkeep}:flight:transfer"} {
		for _, f := range b.rdb.ZRange(ctx, key, 0, -1).Val() {
			in[f[:strings.LastIndexByte(f, '/')]]++
		}
	}
	states := map[queue.State]int64{}
	for st, err := range b.client.List(ctx, queue.Filter{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		states[st.State]++
		want := 1
		if st.State.Settled() {
			want = 0
		}
		if got := in["default/"+st.VideoID]; got != want {
			b.t.Errorf("%s (%s) is in %d lists; want %d", st.VideoID, st.State, got, want)
		}
	}
	counts, err := b.client.Counts(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range queue.States() {
		if counts[s] != states[s] {
			b.t.Errorf("%s is counted %d times, there are %d", s, counts[s], states[s])
		}
	}
}

func TestClientClosesOnlyItsOwnConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t, backends()[0].open(t))
	if err := b.client.Close(); err != nil {
		t.Error(err)
	}
	if err := b.rdb.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the caller's connection was closed: %v", err)
	}
	own, err := queue.NewClient("redis://" + b.rdb.(*redis.Client).Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	if _, err := own.Status(t.Context(), "v"); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
