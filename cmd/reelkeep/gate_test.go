package main

import (
	"testing"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Two rooms that don't know each other share one word; if it differed, every caller that gives up would close the gate.
func TestTheGateAndTheBudgetMeanTheSameByInconclusive(t *testing.T) {
	t.Parallel()
	var _ heygen.Gate = (*queue.Budget)(nil)
	if queue.WhyInconclusive != heygen.Inconclusive {
		t.Errorf("the budget says %q, HeyGen's gate %q", queue.WhyInconclusive, heygen.Inconclusive)
	}
}
