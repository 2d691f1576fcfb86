package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

type ctxT = context.Context

func TestUrgentVideosGoFirst(t *testing.T) { onAll(t, urgentFirst) }

// urgentFirst lets the dispatcher choose among nine videos.
func urgentFirst(b *bench) {
	now := time.Now()
	at := func(id string, prio queue.Priority, account string, in time.Duration) queue.Job {
		return queue.Job{VideoID: id, Priority: prio, Account: account, Deadline: now.Add(in)}
	}
	b.enqueue(
		at("back", queue.PriorityBackfill, "", 50*time.Hour),
		at("back-sooner", queue.PriorityBackfill, "", 30*time.Hour),
		at("int-later", queue.PriorityInteractive, "", 90*time.Hour),
		at("int", queue.PriorityInteractive, "", 60*time.Hour),
		at("acme-1", queue.PriorityInteractive, "acme", 100*time.Hour),
		at("acme-2", queue.PriorityInteractive, "acme", 110*time.Hour),
		at("risk-back", queue.PriorityBackfill, "", 2*time.Hour),
		at("risk-int", queue.PriorityInteractive, "", 3*time.Hour),
		at("overdue", queue.PriorityBackfill, "", -time.Hour),
	)
	order := make(chan string, 100)
	s := b.serve(queue.ServerConfig{StatusConcurrency: 1}, func(ctx ctxT, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		order <- w.VideoID
		return queue.Outcome{State: queue.StateGone}, nil
	})
	s.untilSettled(9)
	close(order)
	var got []string
	for id := range order {
		got = append(got, id)
	}
	want := []string{"risk-back", "risk-int", "acme-1", "int", "acme-2", "int-later", "overdue", "back-sooner", "back"}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("order (-want +got):\n%s", diff)
	}
}

// The first sweep of an old account finds more overdue videos than one look at the lists can see. What is at risk behind them
// goes first all the same, and so does what somebody asks for.
func TestOverdueBackfillHidesNothingUrgent(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Now()
		var old []queue.Job
		for _, j := range videos("old", 600) {
			j.Priority, j.Deadline = queue.PriorityBackfill, now.Add(-300*24*time.Hour)
			old = append(old, j)
		}
		b.enqueue(old...)
		b.enqueue(queue.Job{VideoID: "risk", Priority: queue.PriorityBackfill, Deadline: now.Add(2 * time.Hour)},
			queue.Job{VideoID: "asked-for", Deadline: now.Add(-300 * 24 * time.Hour)})
		order := make(chan string, 1000)
		s := b.serve(queue.ServerConfig{StatusConcurrency: 1}, func(ctx ctxT, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			order <- w.VideoID
			return queue.Outcome{State: queue.StateGone}, nil
		})
		s.untilSettled(2)
		if diff := cmp.Diff([]string{"risk", "asked-for"}, []string{<-order, <-order}); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestBacklogInAsynqStaysShort(t *testing.T) {
	onEach(t, func(b *bench) {
		h := newBlocks()
		s := b.serve(queue.ServerConfig{Concurrency: 4}, h.handle)
		b.enqueue(videos("b", 60)...)
		for range 4 {
			receive(b.t, "a transfer", h.started)
		}
		queuetest.Await(b.t, "all status calls to be done", func() bool {
			c, err := b.client.Overview(b.t.Context())
			return err == nil && c.Tasks[queue.StepTransfer]["working"]+c.Tasks[queue.StepTransfer]["waiting"] == 60
		})
		// An urgent video that comes now must wait for a free slot and the one task of look-ahead, not for 56 others.
		if n := b.rdb.LLen(b.t.Context(), "asynq:{transfer}:pending").Val(); n > 1 {
			b.t.Errorf("%d transfers wait in asynq behind 4 slots; want at most 1", n)
		}
		close(h.release)
		s.untilSettled(60)
	})
}

func TestSeveralServersShareTheWork(t *testing.T) {
	onEach(t, func(b *bench) {
		h := newBlocks()
		one := b.serve(queue.ServerConfig{Concurrency: 3}, h.handle)
		two := b.serve(queue.ServerConfig{Concurrency: 3}, h.handle)
		b.enqueue(videos("m", 6)...)
		for range 6 {
			receive(b.t, "six transfers at once on two servers of three slots", h.started)
		}
		close(h.release)
		n := 0
		limit := time.After(30 * time.Second)
		for n < 6 {
			select {
			case c := <-one.changes:
				n += settledOne(c.Status)
			case c := <-two.changes:
				n += settledOne(c.Status)
			case <-limit:
				b.t.Fatal("not all settled")
			}
		}
	})
}

func settledOne(st queue.Status) int {
	if st.State.Settled() {
		return 1
	}
	return 0
}
