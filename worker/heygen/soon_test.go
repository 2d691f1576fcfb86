package heygen_test

import (
	"testing"

	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// Videos that were handed in at once are asked for before anybody has counted them as wanted.
func TestACrowdThatNobodyHasCountedYetIsServedFromPages(t *testing.T) {
	t.Parallel()
	const n = 100
	h := newHall(t, heygensim.Options{V3: true}, 1)
	ids := h.add(0, n, nil)
	if got := h.look(ids); got != n {
		t.Fatalf("%d of %d are completed", got, n)
	}
	h.calls()
	h.each(ids[:n/2], 8, func(d *heygen.Desk, id string) { h.video(d, id) }) // h.wanted is 0
	if c := h.calls(); c.API > 3 {
		t.Errorf("%d calls for the links of %d videos: %+v", c.API, n/2, c)
	}
}
