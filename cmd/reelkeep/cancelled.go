package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
)

const (
	// cancelledWait is how long a video that was cancelled is left alone. A worker that has it in hand hears of it at its next
	// sign of life, ends the uploads itself, and would begin new ones if they were ended under it before.
	cancelledWait = 30 * time.Second
	// cancelledMost bounds the videos that are left alone just now. What is beyond keeps its uploads.
	cancelledMost = 10_000
	// abandonLimit bounds the ending of one video's uploads.
	abandonLimit = 20 * time.Second
)

// abandoner ends the unfinished uploads of a video.
type abandoner interface {
	Abandon(ctx context.Context, v worker.Video)
}

// statuses says where a video stands.
type statuses interface {
	StatusIn(ctx context.Context, account, videoID string) (queue.Status, error)
}

// abandon ends the unfinished uploads of a video that was cancelled: the store keeps their parts, and charges for them.
func abandon(ctx context.Context, archiver abandoner, v worker.Video) {
	ctx, done := context.WithTimeout(ctx, abandonLimit)
	defer done()
	archiver.Abandon(ctx, v)
}

// cancelled ends the uploads of videos that were cancelled while no worker had them in hand, or while one had that died of it. It
// does what it can: what it has heard of when the process ends stays in the store.
type cancelled struct {
	known    statuses
	archiver abandoner
	log      *slog.Logger
	wait     time.Duration
	heard    chan cancelledVideo
}

type cancelledVideo struct {
	account, id string
	due         time.Time
}

func newCancelled(known statuses, archiver abandoner, log *slog.Logger) *cancelled {
	return &cancelled{known: known, archiver: archiver, log: log, wait: cancelledWait, heard: make(chan cancelledVideo, cancelledMost)}
}

// hear takes a change of the queue; of a video that was cancelled one server of the fleet hears.
func (c *cancelled) hear(change queue.Change) {
	if change.State != queue.StateCancelled {
		return
	}
	select {
	case c.heard <- cancelledVideo{change.Account, change.VideoID, time.Now().Add(c.wait)}:
	default:
		c.log.Warn("too many videos are cancelled at once; unfinished uploads of this one may stay in the store", "video_id", change.VideoID)
	}
}

// watch ends uploads until ctx ends. A video that has been handed in again keeps its own.
func (c *cancelled) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-c.heard:
			if wait(ctx, time.Until(v.due)) != nil {
				return nil
			}
			status, err := c.known.StatusIn(ctx, v.account, v.id)
			if err != nil {
				c.log.Warn("unfinished uploads of a cancelled video may stay in the store", "video_id", v.id, "err", err)
			} else if status.State == queue.StateCancelled {
				abandon(ctx, c.archiver, worker.Video{Account: v.account, ID: v.id})
			}
		}
	}
}
