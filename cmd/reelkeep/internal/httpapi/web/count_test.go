package web

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
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

// halfAway answers for no account but fails for one, as long as it is away.
type halfAway struct {
	Videos

	account string
	away    atomic.Bool
}

func (h *halfAway) Recent(ctx context.Context, f queue.Filter, cursor string, limit int) (queue.Page, error) {
	if h.away.Load() && f.Account == h.account {
		return queue.Page{}, context.DeadlineExceeded
	}
	return h.Videos.Recent(ctx, f, cursor, limit)
}

// blackHole is a Redis that takes everything and answers nothing: each call ends with its patience.
type blackHole struct {
	Videos

	t *testing.T
}

func (b blackHole) StatusIn(ctx context.Context, _, _ string) (queue.Status, error) {
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > patience/2 {
		b.t.Error("it would be waited for until nothing is left for the archive")
	}
	return queue.Status{}, context.DeadlineExceeded
}

func (b blackHole) CountsByAccount(ctx context.Context) (map[string]map[queue.State]int64, error) {
	_, err := b.StatusIn(ctx, "", "")
	return nil, err
}

// slowStore answers nothing in time.
type slowStore struct{}

func (slowStore) Manifest(context.Context, storage.VideoKey) (*storage.Manifest, error) {
	return nil, errors.Join(errors.New("read"), context.DeadlineExceeded)
}
