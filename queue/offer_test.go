package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
)

// What a sweep finds is accepted if nobody knows it, and left alone if it is settled, but for a render that was given up
// for being slow.
func TestASweepLeavesWhatIsSettledAlone(t *testing.T) {
	onEach(t, func(b *bench) {
		ends := map[string]ending{"failed": {"failed", "render_failed"}, "gave_up": {"failed", "gave_up"},
			"slow": {"failed", queue.ReasonRenderTimeout}, "gone": {"gone", ""}}
		s := b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if end, ok := ends[w.VideoID]; ok {
				return queue.Outcome{}, end
			}
			return archives(ctx, w, p)
		})
		b.enqueue(queue.Job{VideoID: "failed"}, queue.Job{VideoID: "gave_up"}, queue.Job{VideoID: "slow"}, queue.Job{VideoID: "gone"}, queue.Job{VideoID: "archived"})
		s.untilSettled(5)
		s.drain()
		b.enqueue(queue.Job{VideoID: "waiting"})

		ids := []string{"failed", "gave_up", "slow", "gone", "archived", "waiting", "new"}
		known, err := b.client.Known(t.Context(), "default", ids)
		if err != nil {
			t.Fatal(err)
		}
		want := []bool{true, true, false, true, true, true, false}
		if diff := cmp.Diff(want, known); diff != "" {
			t.Errorf("Known of %v:\n%s", ids, diff)
		}
		jobs := make([]queue.Job, len(ids))
		for i, id := range ids {
			jobs[i] = queue.Job{VideoID: id, Priority: queue.PriorityBackfill}
		}
		results, err := b.client.Offer(t.Context(), jobs)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Err != nil || r.Duplicate != want[i] {
				t.Errorf("Offer of %s: duplicate %v (%v), want %v", ids[i], r.Duplicate, r.Err, want[i])
			}
		}
		for id, state := range map[string]queue.State{"failed": queue.StateFailed, "gone": queue.StateGone, "archived": queue.StateArchived,
			"slow": queue.StateAccepted, "new": queue.StateAccepted} {
			if got := b.status(id).State; got != state {
				t.Errorf("%s is %s after the sweep, want %s", id, got, state)
			}
		}
	})
}

func TestTheIndexIsRestoredWithoutTouchingWhatIsKnown(t *testing.T) {
	onEach(t, func(b *bench) {
		b.enqueue(queue.Job{VideoID: "alive"})
		sealed := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		total := int64(7)
		of := func(id string) queue.Status {
			return queue.Status{VideoID: id, Account: "default", State: queue.StateArchived, Title: "T " + id, SealedAt: &sealed, UpdatedAt: sealed, Bytes: 7,
				Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetStored, Bytes: 7, Total: &total}}}
		}
		for _, want := range []int{2, 0} { // the second time there is nothing left to do
			n, err := b.client.Restore(t.Context(), []queue.Status{of("a"), of("b"), of("alive")})
			if err != nil || n != want {
				t.Fatalf("restored %d (%v), want %d", n, err, want)
			}
		}
		if got := b.status("a"); got.State != queue.StateArchived || got.Title != "T a" || got.Bytes != 7 || !got.SealedAt.Equal(sealed) || len(got.Assets) != 1 {
			t.Errorf("restored as %+v", got)
		}
		if got := b.status("alive").State; got != queue.StateAccepted {
			t.Errorf("a video under way became %s", got)
		}
		counts, err := b.client.Counts(t.Context())
		if err != nil || counts[queue.StateArchived] != 2 || counts[queue.StateAccepted] != 1 {
			t.Errorf("counts are %v (%v)", counts, err)
		}
		if _, err := b.client.Restore(t.Context(), []queue.Status{{VideoID: "x", State: queue.StateRendering}}); err == nil {
			t.Error("a video that is still rendering was put into the index")
		}
	})
}

func TestCountsAreKeptByAccount(t *testing.T) {
	onAll(t, func(b *bench) {
		s := b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.VideoID == "slow" {
				return queue.Outcome{State: queue.StateRendering, After: time.Hour}, nil
			}
			return archives(ctx, w, p)
		})
		b.enqueue(queue.Job{VideoID: "a"}, queue.Job{VideoID: "a", Account: "west"}, queue.Job{VideoID: "slow", Account: "west"})
		s.untilState("slow", queue.StateRendering)
		s.untilSettled(2)
		got, err := b.client.CountsByAccount(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		zero := func(n map[queue.State]int64) map[queue.State]int64 {
			all := map[queue.State]int64{}
			for _, state := range queue.States() {
				all[state] = n[state]
			}
			return all
		}
		want := map[string]map[queue.State]int64{
			"default": zero(map[queue.State]int64{queue.StateArchived: 1}),
			"west":    zero(map[queue.State]int64{queue.StateArchived: 1, queue.StateRendering: 1}),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
