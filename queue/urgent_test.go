package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func TestWhatIsUrgentComesBeforeEverythingElse(t *testing.T) {
	onEach(t, func(b *bench) {
		deadlines := map[string]time.Duration{"moves": 100 * time.Hour, "late": time.Hour, "later": 5 * time.Hour}
		moving := make(chan struct{}, 1)
		b.serve(queue.ServerConfig{}, func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			after, known := deadlines[w.VideoID]
			switch {
			case w.Step == queue.StepTransfer:
				p.Stored("video", 40, 100)
				moving <- struct{}{}
				<-ctx.Done()
				return queue.Outcome{}, ctx.Err()
			case w.VideoID == "moves":
				return queue.Outcome{State: queue.StateTransferring, Deadline: time.Now().Add(after)}, nil
			case known:
				return queue.Outcome{State: queue.StateRendering, Deadline: time.Now().Add(after), After: time.Hour}, nil
			}
			return queue.Outcome{State: queue.StateRendering, Deadline: time.Now().Add(50 * time.Hour), After: time.Hour}, nil
		})
		var jobs []queue.Job
		for i := range 300 {
			jobs = append(jobs, queue.Job{VideoID: fmt.Sprintf("v%03d", i), Account: "acme"})
		}
		b.enqueue(append(jobs, queue.Job{VideoID: "moves"}, queue.Job{VideoID: "later", Account: "acme"}, queue.Job{VideoID: "late"})...)
		receive(b.t, "the transfer", moving)
		ids := func(account string, limit int) (out []string) {
			list, err := b.client.Urgent(b.t.Context(), account, limit)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, s := range list {
				out = append(out, s.VideoID)
			}
			return out
		}
		for _, c := range []struct {
			account string
			want    []string
		}{{"", []string{"late", "later", "moves", "v"}}, {"acme", []string{"later", "v", "v", "v"}}, {"default", []string{"late", "moves"}}, {"nobody", nil}} {
			var got []string
			queuetest.Await(b.t, fmt.Sprintf("what is urgent in %q", c.account), func() bool {
				got = ids(c.account, 4)
				for i := range got {
					if got[i][0] == 'v' {
						got[i] = "v"
					}
				}
				return cmp.Equal(got, c.want)
			})
		}
	})
}
