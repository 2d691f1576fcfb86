package web

import (
	"context"
	"sync/atomic"

	"github.com/reelkeep/reelkeep/queue"
)

// countingVideos counts how often it is looked.
type countingVideos struct {
	Videos

	looks atomic.Int64
}

func (c *countingVideos) CountsByAccount(ctx context.Context) (map[string]map[queue.State]int64, error) {
	c.looks.Add(1)
	return c.Videos.CountsByAccount(ctx)
}

func (c *countingVideos) counts() int { return int(c.looks.Load()) }
