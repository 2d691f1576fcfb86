package main

import (
	"context"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

// crowdEvery is how often the fleet's numbers are read: one small command, and a crowd that was handed in at once must be
// seen before its second look at HeyGen.
const crowdEvery = 200 * time.Millisecond

// crowd knows how many videos of each account are where in the whole fleet, as of a moment ago. Where many wait, HeyGen is
// asked for many at once, and the more seldom the more they are.
type crowd struct {
	mu     sync.Mutex
	counts map[string]map[queue.State]int64
}

// watch keeps the numbers fresh until ctx ends, and calls more when videos have been handed in. While Redis is away the
// numbers stay as they were.
func (c *crowd) watch(ctx context.Context, client *queue.Client, more func()) {
	for {
		if counts, err := client.CountsByAccount(ctx); err == nil && c.replace(counts) {
			more()
		}
		if wait(ctx, crowdEvery) != nil {
			return
		}
	}
}

// replace takes new numbers and says whether more videos than before are accepted and not yet looked at.
func (c *crowd) replace(counts map[string]map[queue.State]int64) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for account, now := range counts {
		more = more || now[queue.StateAccepted] > c.counts[account][queue.StateAccepted]
	}
	c.counts = counts
	return more
}

// waiting is how many videos of the account HeyGen is asked about now and then: for their render, or for a late asset.
func (c *crowd) waiting(account string) int {
	return c.of(account, queue.StateAccepted, queue.StateRendering, queue.StatePartial)
}

// wanted is how many videos of the account need links soon: for their transfer, or to see whether a late asset has come.
func (c *crowd) wanted(account string) int {
	return c.of(account, queue.StateTransferring, queue.StatePartial)
}

func (c *crowd) of(account string, states ...queue.State) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(0)
	for _, state := range states {
		n += c.counts[account][state]
	}
	return int(n)
}
