package main

import (
	"testing"

	"github.com/reelkeep/reelkeep/queue"
)

func TestACrowdTellsOfVideosThatWereHandedIn(t *testing.T) {
	t.Parallel()
	var c crowd
	for i, step := range []struct {
		accepted, transferring int64
		more                   bool
	}{{0, 0, false}, {3, 0, true}, {3, 0, false}, {1, 2, false}, {2, 2, true}, {0, 9, false}} {
		got := c.replace(map[string]map[queue.State]int64{"a": {queue.StateAccepted: step.accepted, queue.StateTransferring: step.transferring}})
		if got != step.more {
			t.Errorf("reading %d: more is %t, want %t", i, got, step.more)
		}
	}
}
