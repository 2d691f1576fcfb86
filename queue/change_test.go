package queue_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// reached collects, from all changes up to the one that settles the video, which states it came to from another one.
func (s *server) reached(id string) []queue.State {
	s.t.Helper()
	var states []queue.State
	limit := time.After(30 * time.Second)
	for {
		select {
		case c := <-s.changes:
			if c.VideoID != id {
				continue
			}
			if c.State != c.Previous {
				states = append(states, c.State)
			}
			if c.State.Settled() {
				return states
			}
		case <-limit:
			s.t.Fatalf("waited in vain for %s to settle", id)
		}
	}
}

// A look for late assets goes through a status call, a transfer that finds nothing, and an outage.
func TestPartialVideoStaysPartialWhileItIsLookedAt(t *testing.T) {
	onEach(t, func(b *bench) {
		var looks atomic.Int64
		sealed := time.Now()
		s := b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if looks.Load() > 0 && w.State != queue.StatePartial {
				b.t.Errorf("the sealed video was handed out for a %s as %s", w.Step, w.State)
			}
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			switch looks.Add(1) {
			case 1, 2:
				return queue.Outcome{State: queue.StatePartial, After: time.Millisecond, SealedAt: sealed}, nil
			case 3:
				return queue.Outcome{State: queue.StateRendering}, later(time.Millisecond)
			case 4:
				return queue.Outcome{State: queue.StateRendering, After: time.Millisecond}, nil
			}
			return queue.Outcome{State: queue.StateArchived, SealedAt: time.Now()}, nil
		})
		b.enqueue(queue.Job{VideoID: "late"})
		want := []queue.State{queue.StateTransferring, queue.StatePartial, queue.StateArchived}
		if diff := cmp.Diff(want, s.reached("late")); diff != "" {
			b.t.Errorf("states it came to (-want +got):\n%s", diff)
		}
	})
}

func TestNextWorkerIsToldWhatCutTheLastOneOff(t *testing.T) {
	onEach(t, func(b *bench) {
		works := make(chan queue.Work, 10)
		stuck := func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus {
				return queue.Outcome{State: queue.StateTransferring}, nil
			}
			p.Stored("video", 1, 9)
			works <- w
			<-ctx.Done()
			return queue.Outcome{}, ctx.Err()
		}
		next := func(want queue.Interruption, why string) {
			b.t.Helper()
			if w := receive(b.t, "a transfer", works); w.Interrupted != want {
				b.t.Errorf("%s: the transfer was told %q, want %q", why, w.Interrupted, want)
			}
		}
		drained := b.serve(queue.ServerConfig{}, stuck)
		b.enqueue(queue.Job{VideoID: "v"})
		next("", "a first transfer")
		drained.drain()

		killed := b.serve(queue.ServerConfig{}, stuck)
		next(queue.InterruptedByDrain, "after a deploy")
		queuetest.Await(b.t, "the sign of life", func() bool { return b.status("v").Bytes > 0 })
		killed.line.Cut()

		var tries atomic.Int64
		s := b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			works <- w
			switch tries.Add(1) {
			case 1: // nothing was stored: what there is to go on with is still the killed worker's
				return queue.Outcome{}, later(time.Millisecond)
			case 2:
				p.Stored("video", 2, 9)
				return queue.Outcome{}, errBroken
			}
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		next(queue.InterruptedByCrash, "after a kill")
		next(queue.InterruptedByCrash, "after an outage before anything was stored")
		next("", "after a failure")
		s.untilState("v", queue.StateArchived)
	})
}

func TestOneServerTellsOfAVideoThatAClientCancelled(t *testing.T) {
	onAll(t, func(b *bench) {
		waits := func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{State: queue.StateRendering, After: time.Hour}, nil
		}
		told := make(chan queue.Status, 10)
		cfg := queue.ServerConfig{OnSettle: func(st queue.Status) { told <- st }}
		b.serve(cfg, waits)
		b.serve(cfg, waits)
		b.enqueue(videos("c", 3)...)
		for i := range 3 {
			for range 2 { // the second time nothing changes
				if err := b.client.Cancel(b.t.Context(), "", fmt.Sprintf("c%d", i)); err != nil {
					b.t.Fatal(err)
				}
			}
		}
		seen := map[string]queue.State{}
		for range 3 {
			st := receive(b.t, "word of a cancelled video", told)
			seen[st.VideoID] = st.State
		}
		want := map[string]queue.State{"c0": queue.StateCancelled, "c1": queue.StateCancelled, "c2": queue.StateCancelled}
		if diff := cmp.Diff(want, seen); diff != "" {
			b.t.Errorf("told (-want +got):\n%s", diff)
		}
		if n := b.rdb.Exists(b.t.Context(), "{reelkeep}:cancelled").Val(); n != 0 || len(told) > 0 {
			b.t.Errorf("more is told: %d keys, %d calls", n, len(told))
		}
	})
}

func TestOverviewTellsWhatWaitsForLaterByStep(t *testing.T) {
	onEach(t, func(b *bench) {
		b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			switch {
			case w.Step == queue.StepTransfer:
				return queue.Outcome{}, later(time.Hour) // an outage
			case w.VideoID == "r0" || w.VideoID == "r1":
				return queue.Outcome{State: queue.StateRendering, After: time.Hour}, nil
			}
			return queue.Outcome{State: queue.StateTransferring}, nil
		})
		b.enqueue(append(videos("r", 2), queue.Job{VideoID: "outage"})...)
		want := map[queue.Step]map[string]int64{
			queue.StepStatus:   {"waiting": 0, "working": 0, "later": 2},
			queue.StepTransfer: {"waiting": 0, "working": 0, "later": 1},
			queue.StepNotify:   {"waiting": 0, "working": 0, "later": 0},
		}
		var o queue.Overview
		defer func() {
			if b.t.Failed() {
				b.t.Logf("at last: %+v", o.Tasks)
			}
		}()
		queuetest.Await(b.t, "two polls and one transfer to wait", func() bool {
			var err error
			o, err = b.client.Overview(b.t.Context())
			return err == nil && cmp.Equal(want, o.Tasks)
		})
	})
}
