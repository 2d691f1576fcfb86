package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

func TestAnOutageOfTheSourceIsNoFailureOfTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 3*part, &heygensim.Fault{Kind: heygensim.FaultServerError}))
	_, err := b.archive(worker.Video{ID: id(1)})
	var outage *worker.OutageError
	if !errors.As(err, &outage) || outage.Of != worker.OfSource || outage.RetryAfter() <= 0 {
		t.Errorf("got %v", err)
	}
}

// Whatever keeps us from a GIF, it is not worth a video that is never sealed.
func TestASourceThatKeepsAGIFFromUsDoesNotCostTheVideo(t *testing.T) {
	for name, gif := range map[string]heygensim.Asset{
		"it is away":        {Fault: &heygensim.Fault{Kind: heygensim.FaultServerError}},
		"it is not allowed": {},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.astray = gif.Fault == nil
			for n, created := range []time.Time{old(), time.Now()} {
				v := fullVideo(n)
				v.CreatedAt, v.Assets["gif"] = created, gif
				b.sim.Add(v)
			}
			_, err := b.archive(worker.Video{ID: id(0)})
			var later interface{ RetryAfter() time.Duration }
			if err == nil || errors.As(err, &later) {
				t.Fatalf("the first try of the old video: %v; want a failure that counts", err)
			}
			m, err := b.archive(worker.Video{ID: id(0), Failures: 9})
			must(t, err)
			if diff := cmp.Diff([]storage.Absent{{Asset: "gif", Reason: "gone"}}, m.Absent); diff != "" {
				t.Error(diff)
			}
			m, err = b.archive(worker.Video{ID: id(1)})
			must(t, err)
			if diff := cmp.Diff([]storage.Absent{{Asset: "gif", Reason: "late"}}, m.Absent); diff != "" || m.State != storage.StatePartial {
				t.Errorf("the new one is %s: %s", m.State, diff)
			}
			if !strings.Contains(b.log.String(), "level=WARN") {
				t.Error("nothing is said of it")
			}
		})
	}
}

// astray is an opener to which every link to a GIF leads elsewhere.
type astray struct{ worker.Opener }

func (o astray) Open(ctx context.Context, link fetch.Link, refresh fetch.Refresh, opt fetch.Options) (*fetch.File, error) {
	if strings.HasSuffix(link.URL.Path(), ".gif") {
		link.URL = secret.New("https://elsewhere.invalid/preview.gif")
	}
	return o.Opener.Open(ctx, link, refresh, opt)
}
