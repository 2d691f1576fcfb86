package worker_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// A link has to be renewed in the middle of a transfer, and HeyGen stumbles just then.
func TestAStumbleOfHeyGenWhileALinkIsRenewedCostsNothing(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.cfg.Streams = 1
	const size = 6 * part
	b.sim.Add(bigVideo(1, size, &heygensim.Fault{Kind: heygensim.FaultForbidden, At: 3 * part, Times: 1}))
	b.seen.when(1, func() { b.sim.APIFault(http.StatusServiceUnavailable, "", 2) })
	b.mustArchive(id(1))
	if n := b.fetched(id(1), "video"); n >= size+part {
		t.Errorf("%d bytes were fetched for %d; want nothing twice", n, size)
	}
}

// But the memory of a transfer is not held for as long as an outage takes.
func TestALongOutageWhileALinkIsRenewedEndsTheTransfer(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.cfg.Streams = 1
	b.sim.Add(bigVideo(1, 6*part, &heygensim.Fault{Kind: heygensim.FaultForbidden, At: 3 * part}))
	b.seen.when(1, func() { b.sim.APIOutage(http.StatusServiceUnavailable, "", 0) })
	_, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1)}, nil)
	var outage *worker.OutageError
	if !errors.As(err, &outage) || outage.Of != "HeyGen" {
		t.Errorf("got %v", err)
	}
}
