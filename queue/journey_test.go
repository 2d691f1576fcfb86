package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func TestVideoGoesFromEnqueueToArchived(t *testing.T) { onAll(t, fromEnqueueToArchived) }

// fromEnqueueToArchived takes one video through all that a healthy one meets.
func fromEnqueueToArchived(b *bench) {
	died := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	sealed := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	total := int64(900)
	var polls atomic.Int64
	var mu sync.Mutex
	var seen []queue.Work
	s := b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		mu.Lock()
		seen = append(seen, w)
		mu.Unlock()
		switch {
		case w.Step == queue.StepStatus && polls.Add(1) == 1:
			return queue.Outcome{State: queue.StateRendering, After: time.Millisecond, Title: "Hello"}, nil
		case w.Step == queue.StepStatus:
			return queue.Outcome{State: queue.StateTransferring, Deadline: died, FirstCompleted: sealed}, nil
		}
		p.Stored("video", 900, 900)
		return queue.Outcome{State: queue.StateArchived, Bytes: 900, SealedAt: sealed,
			Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetStored, Bytes: 900, Total: &total}, {Asset: "gif", State: queue.AssetAbsent}}}, nil
	})
	rs := b.enqueue(queue.Job{VideoID: "vid_7c1", Metadata: map[string]string{"order": "42"}})
	if diff := cmp.Diff(queue.Receipt{VideoID: "vid_7c1", State: queue.StateAccepted}, rs[0].Receipt); diff != "" {
		b.t.Error(diff)
	}
	s.untilState("vid_7c1", queue.StateRendering)
	s.untilState("vid_7c1", queue.StateArchived)

	st := b.status("vid_7c1")
	want := queue.Status{VideoID: "vid_7c1", Account: "default", State: queue.StateArchived, Title: "Hello", Deadline: &died,
		Attempts: 1, SealedAt: &sealed, Bytes: 900, Metadata: map[string]string{"order": "42"}, Priority: queue.PriorityInteractive,
		Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetStored, Bytes: 900, Total: &total}, {Asset: "gif", State: queue.AssetAbsent}}}
	want.AcceptedAt, want.UpdatedAt = st.AcceptedAt, st.UpdatedAt
	if diff := cmp.Diff(want, st); diff != "" {
		b.t.Errorf("status of an archived video (-want +got):\n%s", diff)
	}
	last := seen[len(seen)-1]
	if last.Step != queue.StepTransfer || !last.Deadline.Equal(died) || !last.FirstCompleted.Equal(sealed) || last.Metadata["order"] != "42" || last.Epoch != 3 {
		b.t.Errorf("the transfer was handed %+v", last)
	}
	b.assertNothingUnderWay()
	counts, err := b.client.Counts(b.t.Context())
	if err != nil || counts[queue.StateArchived] != 1 || counts[queue.StateRendering] != 0 || len(counts) != 8 {
		b.t.Errorf("counts: %v, %v", counts, err)
	}
}

func TestManyTinyVideosPassInSeconds(t *testing.T) {
	onAll(t, func(b *bench) {
		n := 100
		if _, ok := b.rdb.(*redis.Client); ok {
			n = 300
		}
		start := time.Now()
		s := b.serve(queue.ServerConfig{}, archives)
		b.enqueue(videos("v", n)...)
		s.untilSettled(n)
		b.t.Logf("%d videos took %s", n, time.Since(start).Round(time.Millisecond))
		b.assertNothingUnderWay()
	})
}

func TestPartialVideoComesBackForItsLateAsset(t *testing.T) {
	onEach(t, func(b *bench) {
		var transfers atomic.Int64
		s := b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			if transfers.Add(1) == 1 {
				return queue.Outcome{State: queue.StatePartial, After: time.Millisecond, SealedAt: time.Now()}, nil
			}
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "late"})
		if st := s.untilState("late", queue.StatePartial); st.SealedAt == nil || st.NotBefore == nil {
			b.t.Errorf("a partial video is sealed and has a time to come back, got %+v", st)
		}
		if st := s.untilState("late", queue.StateArchived); st.SealedAt == nil {
			b.t.Error("the archived video lost the time of its seal")
		}
	})
}

func TestNotReadyNeverUsesUpTheFailureBudget(t *testing.T) {
	onEach(t, func(b *bench) {
		var polls atomic.Int64
		s := b.serve(queue.ServerConfig{MaxFailures: 2}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus && polls.Add(1) < 15 {
				return queue.Outcome{State: queue.StateRendering}, later(time.Millisecond)
			}
			return archives(ctx, w, p)
		})
		b.enqueue(queue.Job{VideoID: "slow"})
		if st := s.untilState("slow", queue.StateRendering); st.Failures != 0 || st.Error == nil {
			b.t.Errorf("not ready: %d failures, error %v; want none, and what it waits for", st.Failures, st.Error)
		}
		if st := s.untilState("slow", queue.StateArchived); st.Error != nil {
			b.t.Errorf("an archived video still shows %v", st.Error)
		}
	})
}

func TestGivenUpAfterTenFailures(t *testing.T) {
	onEach(t, func(b *bench) {
		var tries atomic.Int64
		s := b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			tries.Add(1)
			return queue.Outcome{}, errBroken
		})
		b.enqueue(queue.Job{VideoID: "cursed"})
		s.untilState("cursed", queue.StateFailed)
		st := b.status("cursed")
		if tries.Load() != 10 || st.Reason != queue.ReasonGaveUp || st.Error == nil || st.Error.Message != errBroken.Error() {
			b.t.Errorf("after %d tries: %+v (error %+v); want gave_up after 10 with the last error", tries.Load(), st, st.Error)
		}
		b.assertNothingUnderWay()
	})
}

func TestStoredPartResetsTheFailureBudget(t *testing.T) {
	onEach(t, func(b *bench) {
		var tries atomic.Int64
		s := b.serve(queue.ServerConfig{MaxFailures: 3}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			n := tries.Add(1)
			if n%2 == 0 {
				p.Stored("video", n, 100)
			}
			if n < 9 {
				return queue.Outcome{}, errBroken
			}
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "bumpy"})
		s.untilSettled(1)
		if st := b.status("bumpy"); st.State != queue.StateArchived {
			b.t.Errorf("state %s (%s) after %d tries; a video that makes progress is not given up", st.State, st.Reason, tries.Load())
		}
	})
}

func TestBytesThatMoveAreSeenAndAreNoProgressAgainstFailures(t *testing.T) {
	onEach(t, func(b *bench) {
		var tries atomic.Int64
		seen := make(chan struct{})
		s := b.serve(queue.ServerConfig{MaxFailures: 3}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			p.Fetching("Launch", "video", 10, 100)
			p.Fetched("video", 15)
			p.Fetched("video", 15)
			p.Fetched("gif", 15) // nobody knows it yet
			if tries.Add(1) == 1 {
				select {
				case <-seen:
				case <-ctx.Done():
				}
			}
			return queue.Outcome{}, errBroken
		})
		b.enqueue(queue.Job{VideoID: "slow"})
		queuetest.Await(b.t, "the bytes to show", func() bool {
			st := b.status("slow")
			return st.Title == "Launch" && st.Fetched() == 40 && st.Bytes == 10 && len(st.Assets) == 1 && *st.Assets[0].Total == 100
		})
		close(seen)
		s.untilState("slow", queue.StateFailed)
		if st := b.status("slow"); tries.Load() != 3 || st.Fetched() > 10 {
			b.t.Errorf("%d tries, %+v", tries.Load(), st)
		}
	})
}

func TestHandlerEndsAVideoWithAReason(t *testing.T) {
	onEach(t, func(b *bench) {
		s := b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{}, ending{"failed", "render_failed"}
		})
		b.enqueue(queue.Job{VideoID: "broken"})
		s.untilState("broken", queue.StateFailed)
		st := b.status("broken")
		want := &queue.ErrorInfo{Code: "quota", Message: "render failed: quota used up", Hint: "buy more credits"}
		if diff := cmp.Diff(want, st.Error); diff != "" || st.Reason != "render_failed" {
			b.t.Errorf("reason %q; error (-want +got):\n%s", st.Reason, diff)
		}
	})
}

func TestPanicIsAFailureAndNotTheEnd(t *testing.T) {
	onEach(t, func(b *bench) {
		var tries atomic.Int64
		s := b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if tries.Add(1) == 1 {
				panic("nil map")
			}
			return archives(ctx, w, p)
		})
		b.enqueue(queue.Job{VideoID: "boom"})
		st := s.until("the failure to show", func(st queue.Status) bool { return st.Failures == 1 })
		if !strings.Contains(st.Error.Message, "nil map") {
			b.t.Errorf("error %q does not say what happened", st.Error.Message)
		}
		s.untilState("boom", queue.StateArchived)
	})
}

func TestLongErrorIsCut(t *testing.T) {
	onEach(t, func(b *bench) {
		s := b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{}, errors.New(strings.Repeat("ä", 5000))
		})
		b.enqueue(queue.Job{VideoID: "chatty"})
		st := s.until("the failure to show", func(st queue.Status) bool { return st.Failures == 1 })
		if n := len(st.Error.Message); n > 500 || n < 490 {
			b.t.Errorf("the error keeps %d bytes; want at most 500", n)
		}
	})
}

func TestDeadlineNeverMovesLater(t *testing.T) {
	onEach(t, func(b *bench) {
		first := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		s := b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring, Deadline: first}, nil
			}
			return queue.Outcome{State: queue.StateArchived, Deadline: first.Add(time.Hour)}, nil
		})
		b.enqueue(queue.Job{VideoID: "d", Deadline: first.Add(2 * time.Hour)})
		if st := s.untilState("d", queue.StateArchived); !st.Deadline.Equal(first) {
			b.t.Errorf("deadline %s; want the earliest ever seen, %s", st.Deadline, first)
		}
	})
}

func TestProgressShowsWhileBytesMove(t *testing.T) {
	onEach(t, func(b *bench) {
		release := make(chan struct{})
		s := b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			p.Stored("video", 30, 100)
			p.Stored("gif", 7, 7)
			p.Stored("video", 40, 100)
			<-release
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "p"})
		hundred, seven := int64(100), int64(7)
		want := []queue.AssetStatus{
			{Asset: "video", State: queue.AssetTransferring, Bytes: 40, Total: &hundred},
			{Asset: "gif", State: queue.AssetStored, Bytes: 7, Total: &seven},
		}
		queuetest.Await(b.t, "progress in the status", func() bool {
			st := b.status("p")
			return st.Bytes == 47 && st.State == queue.StateTransferring && st.Working && cmp.Equal(want, st.Assets)
		})
		close(release)
		s.untilState("p", queue.StateArchived)
	})
}
