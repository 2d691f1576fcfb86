package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// ears hear notifications. answer says what they return, by how many they have heard before of this event.
type ears struct {
	answer func(n queue.Notification, before int) error

	mu    sync.Mutex
	heard []queue.Notification
}

func (e *ears) Notify(_ context.Context, n queue.Notification) error {
	e.mu.Lock()
	before := 0
	for _, h := range e.heard {
		if h.ID == n.ID {
			before++
		}
	}
	e.heard = append(e.heard, n)
	e.mu.Unlock()
	if e.answer == nil {
		return nil
	}
	return e.answer(n, before)
}

func (e *ears) words() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, n := range e.heard {
		out = append(out, string(n.Event)+" "+n.VideoID+" "+string(n.State)+" "+n.Reason)
	}
	slices.Sort(out)
	return out
}

func TestEveryEndOfAVideoIsTold(t *testing.T) {
	onEach(t, func(b *bench) {
		e := &ears{}
		b.serve(queue.ServerConfig{Notify: e}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			sealed := queue.Outcome{SealedAt: time.Now(), Bytes: 7}
			switch w.VideoID {
			case "archived":
				sealed.State = queue.StateArchived
			case "failed":
				return queue.Outcome{State: queue.StateFailed, Reason: "render_failed"}, nil
			case "gone":
				return queue.Outcome{State: queue.StateGone}, nil
			case "late":
				if sealed.State = queue.StateArchived; w.State != queue.StatePartial {
					sealed.State, sealed.After = queue.StatePartial, 50*time.Millisecond
				}
			}
			return sealed, nil
		})
		b.enqueue(queue.Job{VideoID: "archived"}, queue.Job{VideoID: "failed"}, queue.Job{VideoID: "gone"}, queue.Job{VideoID: "late"})
		want := []string{
			"video.archived archived archived ", "video.archived late archived ", "video.failed failed failed render_failed",
			"video.failed gone gone ", "video.partial late partial ",
		}
		queuetest.Await(b.t, "all to be told", func() bool { return len(e.words()) >= len(want) })
		if diff := cmp.Diff(want, e.words()); diff != "" {
			b.t.Errorf("told (-want +got):\n%s", diff)
		}
		queuetest.Await(b.t, "the outbox to be empty", func() bool { return b.rdb.LLen(b.t.Context(), "{reelkeep}:outbox").Val() == 0 })
	})
}

func TestNothingIsNotedWhereNobodyWantsToBeTold(t *testing.T) {
	onEach(t, func(b *bench) {
		b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "a"})
		queuetest.Await(b.t, "it to be archived", func() bool {
			s, err := b.client.Status(b.t.Context(), "a")
			return err == nil && s.State == queue.StateArchived
		})
		if n := b.rdb.Exists(b.t.Context(), "{reelkeep}:outbox", "{reelkeep}:atrisk").Val(); n != 0 {
			b.t.Errorf("%d keys were written", n)
		}
	})
}

// What a crash leaves in the outbox, or a receiver refuses, comes again under the same id; who says "gone" has his peace.
func TestANotificationComesAgainUntilItIsTakenOrRefusedForGood(t *testing.T) {
	onEach(t, func(b *bench) {
		e := &ears{answer: func(n queue.Notification, before int) error {
			switch {
			case n.VideoID == "refused":
				return goneForGood{}
			case before == 0:
				return soon{}
			}
			return nil
		}}
		b.serve(queue.ServerConfig{Notify: e}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		b.enqueue(queue.Job{VideoID: "a"}, queue.Job{VideoID: "refused"})
		want := []string{"video.archived a archived ", "video.archived a archived ", "video.archived refused archived "}
		queuetest.Await(b.t, "the second try", func() bool { return len(e.words()) >= 3 })
		if diff := cmp.Diff(want, e.words()); diff != "" {
			b.t.Errorf("told (-want +got):\n%s", diff)
		}
		ids := map[string]bool{}
		e.mu.Lock()
		for _, n := range e.heard {
			ids[n.ID] = true
		}
		e.mu.Unlock()
		if len(ids) != 2 {
			b.t.Errorf("%d ids for two events", len(ids))
		}
		queuetest.Await(b.t, "nothing to be left", func() bool {
			o, err := b.client.Overview(b.t.Context())
			n := o.Tasks[queue.StepNotify]
			return err == nil && n["waiting"]+n["working"]+n["later"] == 0
		})
	})
}

type soon struct{}

func (soon) Error() string             { return "503" }
func (soon) RetryAfter() time.Duration { return time.Millisecond }

type goneForGood struct{}

func (goneForGood) Error() string   { return "410" }
func (goneForGood) Permanent() bool { return true }

func TestARiskIsToldOnce(t *testing.T) {
	onEach(t, func(b *bench) {
		e := &ears{}
		b.serve(queue.ServerConfig{Notify: e, RiskEvery: 20 * time.Millisecond}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{}, errors.New("the store is broken")
		})
		now := time.Now()
		b.enqueue(queue.Job{VideoID: "near", Deadline: now.Add(time.Hour)}, queue.Job{VideoID: "far", Deadline: now.Add(48 * time.Hour)},
			queue.Job{VideoID: "past", Deadline: now.Add(-time.Hour)}, queue.Job{VideoID: "unknown"})
		queuetest.Await(b.t, "the risk to be told", func() bool { return len(e.words()) > 0 })
		b.enqueue(queue.Job{VideoID: "second", Deadline: now.Add(2 * time.Hour)})
		// By the time that the second is told the first was looked at again.
		queuetest.Await(b.t, "the second one", func() bool { return len(e.words()) > 1 })
		b.enqueue(queue.Job{VideoID: "third", Deadline: now.Add(2 * time.Hour)})
		queuetest.Await(b.t, "the third one", func() bool { return len(e.words()) > 2 })
		for _, w := range []string{"near", "second", "third"} {
			n := 0
			e.mu.Lock()
			for _, h := range e.heard {
				if h.VideoID == w && h.Event == queue.EventAtRisk {
					n++
				}
			}
			if n != 1 || len(e.heard) != 3 {
				b.t.Errorf("%s was told %d times, %d in all", w, n, len(e.heard))
			}
			e.mu.Unlock()
		}
	})
}

func TestASignalHasAVideoLookedAtNow(t *testing.T) {
	onEach(t, func(b *bench) {
		var mu sync.Mutex
		looks := map[string]int{}
		asked, answer := make(chan struct{}), make(chan struct{})
		b.serve(queue.ServerConfig{}, func(_ context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
			mu.Lock()
			looks[w.VideoID]++
			n := looks[w.VideoID]
			mu.Unlock()
			if w.VideoID == "busy" && n == 1 { // HeyGen is asked just before the render ends
				asked <- struct{}{}
				<-answer
			}
			if n == 1 {
				return queue.Outcome{State: queue.StateRendering, After: time.Hour}, nil
			}
			return queue.Outcome{State: queue.StateArchived}, nil
		})
		ctx := b.t.Context()
		b.enqueue(queue.Job{VideoID: "waits"}, queue.Job{VideoID: "busy"})
		state := func(id string) queue.State {
			s, err := b.client.Status(ctx, id)
			if err != nil {
				return ""
			}
			return s.State
		}
		<-asked
		queuetest.Await(b.t, "the first look", func() bool { s, err := b.client.Status(ctx, "waits"); return err == nil && s.NotBefore != nil })
		rs, err := b.client.Signal(ctx, []queue.Job{{VideoID: "waits"}, {VideoID: "busy"}, {VideoID: "new"}, {VideoID: "waits"}})
		close(answer)
		if err != nil || !rs[0].Duplicate || !rs[1].Duplicate || rs[2].Duplicate || rs[2].State != queue.StateAccepted {
			b.t.Errorf("%+v, %v", rs, err)
		}
		for _, id := range []string{"waits", "busy"} {
			queuetest.Await(b.t, id+" to be looked at an hour early", func() bool { return state(id) == queue.StateArchived })
		}
		if err := b.client.Cancel(ctx, "", "new"); err != nil {
			b.t.Fatal(err)
		}
		if rs, err := b.client.Signal(ctx, []queue.Job{{VideoID: "new"}, {VideoID: "waits"}}); err != nil || rs[0].State != queue.StateCancelled || rs[1].State != queue.StateArchived {
			b.t.Errorf("what is settled must stay so: %+v, %v", rs, err)
		}
	})
}
