package main

import (
	"context"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// intake is the adapter between the sweeper and the in-tray.
type intake struct{ client *queue.Client }

// Offer hands in what a sweep found.
func (i intake) Offer(ctx context.Context, account string, found []*heygen.Video, dry bool) (missing int, err error) {
	if dry {
		return i.missing(ctx, account, found)
	}
	return countNew(i.client.Offer(ctx, backfill(account, found)))
}

// backfill is what a sweep found, as jobs. The links of the list don't count: HeyGen signed them just now, and the copy that
// somebody holds is as old as the video.
func backfill(account string, found []*heygen.Video) []queue.Job {
	jobs := make([]queue.Job, len(found))
	for k, v := range found {
		jobs[k] = queue.Job{VideoID: v.ID, Account: account, Priority: queue.PriorityBackfill,
			Deadline: worker.OldestLinkDies(v.CompletedAt, v.CreatedAt)}
	}
	return jobs
}

func (i intake) missing(ctx context.Context, account string, found []*heygen.Video) (int, error) {
	ids := make([]string, len(found))
	for k, v := range found {
		ids[k] = v.ID
	}
	known, err := i.client.Known(ctx, account, ids)
	n := 0
	for _, k := range known {
		if !k {
			n++
		}
	}
	return n, err
}

// countNew counts what was accepted; an id that the queue refuses is that of no video we could archive.
func countNew(results []queue.Result, err error) (int, error) {
	n := 0
	for _, r := range results {
		if r.Err == nil && !r.Duplicate {
			n++
		}
	}
	return n, err
}

// Restore writes sealed videos into the index; one that still waits for late assets is handed in again, so that they
// come.
func (i intake) Restore(ctx context.Context, sealed []*storage.Manifest) (int, error) {
	var settledOnes []queue.Status
	var partial []queue.Job
	for _, m := range sealed {
		if m.State == storage.StatePartial {
			partial = append(partial, queue.Job{VideoID: m.VideoID, Account: m.Account, Priority: queue.PriorityBackfill, Metadata: m.Metadata})
			continue
		}
		settledOnes = append(settledOnes, report.StatusOf(m))
	}
	n, err := i.client.Restore(ctx, settledOnes)
	if err != nil {
		return n, err
	}
	_, err = i.client.Offer(ctx, partial)
	return n, err
}

// timetable is the adapter between the sweeper and the fleet's timetable.
type timetable struct{ *queue.Sweeps }

// Begin says which sweep is due and ours.
func (t timetable) Begin(ctx context.Context, account string, newest, full time.Duration) (string, error) {
	kind, err := t.Sweeps.Begin(ctx, account, newest, full)
	return string(kind), err
}

// End notes how a sweep ended.
func (t timetable) End(ctx context.Context, account string, r worker.SweepReport) error {
	return t.Sweeps.End(ctx, account, queue.Ended{
		Kind: queue.SweepKind(r.Kind), Started: r.Started, Failed: r.Err != nil, Stopped: r.Stopped, Horizon: r.Horizon,
	})
}

// BeginIndex takes the making of the index.
func (t timetable) BeginIndex(ctx context.Context) (worker.Indexing, error) {
	making, err := t.Sweeps.BeginIndex(ctx)
	if making == nil {
		return nil, err // not a nil inside an interface
	}
	return making, err
}
