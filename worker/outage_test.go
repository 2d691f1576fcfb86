package worker_test

import (
	"errors"
	"testing"

	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
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
