package queue_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/reelkeep/reelkeep/queue"
)

func TestVideoMayBeNamedOftenInOneBatch(t *testing.T) {
	onEach(t, func(b *bench) {
		jobs := make([]queue.Job, 600) // more than one script takes
		want := map[string]string{}
		for i := range jobs {
			jobs[i] = queue.Job{VideoID: "same", Priority: queue.PriorityBackfill}
			if i%100 == 50 {
				key := fmt.Sprint("k", i)
				jobs[i].Metadata = map[string]string{key: "v"}
				want[key] = "v"
			}
		}
		jobs[1].Metadata = map[string]string{"k50": "v"}
		jobs[70].Metadata = map[string]string{"k50": "later"} // a known key keeps its value
		jobs[599].Priority = queue.PriorityInteractive
		for i, r := range b.enqueue(jobs...) {
			if r.State != queue.StateAccepted || r.Duplicate != (i > 0) || r.VideoID != "same" {
				b.t.Fatalf("mention %d: %+v", i, r)
			}
		}
		st := b.status("same")
		if !maps.Equal(st.Metadata, want) || st.Priority != queue.PriorityInteractive {
			b.t.Errorf("priority %s, metadata %v; want interactive, %v", st.Priority, st.Metadata, want)
		}
		if counts, err := b.client.Counts(b.t.Context()); err != nil || counts[queue.StateAccepted] != 1 {
			b.t.Errorf("counted %v (%v); want one", counts, err)
		}
	})
}
