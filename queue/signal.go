package queue

import (
	"context"
	"fmt"
)

// Signal hands in videos of which HeyGen has said that something has happened to them: a render is over, or an optional
// file has turned up. What waits for HeyGen, sealed or not, is looked at now instead of when it would be due; what is
// under way is looked at once more. Like Offer it leaves settled videos as they are, for deliveries are repeated.
//
// Nor does it wait for Redis's disk: HeyGen allows an answer no second, and what a crash of Redis forgets is found by the next sweep.
func (c *Client) Signal(ctx context.Context, jobs []Job) ([]Result, error) {
	results, _, err := c.handIn(ctx, jobs, acceptSignal)
	if err != nil {
		return results, fmt.Errorf("signal: %w", err)
	}
	return results, nil
}

// acceptSignal is acceptFound for a video that is worth a look now.
func acceptSignal(h *held, job Job, now int64) (*entry, Receipt) {
	next, receipt := acceptFound(h, job, now)
	if h.entry == nil {
		return next, receipt
	}
	called := next
	if called == nil {
		called = h.entry.clone()
	}
	if called.call() {
		called.Updated = now
		next = called
	}
	return next, receipt
}

// call makes a video due that waits for HeyGen. A run that is under way may have asked HeyGen too early: it is noted, and
// the wait that the run ends with is left out. It says whether anything changed.
func (e *entry) call() bool {
	if e.Flight {
		changed := !e.Called
		e.Called = true
		return changed
	}
	switch e.State {
	case StateAccepted, StateRendering, StatePartial:
		changed := e.Due != 0
		e.Due = 0
		return changed
	}
	return false // its transfer waits, and not for HeyGen's word
}
