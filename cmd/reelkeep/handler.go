package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
)

// bench is the adapter between the in-tray and the bench: it takes the queue's work to the archiver and says
// in the queue's words what came of it.
type bench struct {
	archiver *worker.Archiver
	outlook  outlook
	bars     *bars // nil: nobody watches
	wait     bool  // wait for renders; otherwise what is not completed is left alone

	// What only a foreground run knows.
	hints   map[string]worker.Video // what a list said of a video, by id
	again   bool
	partial func(v worker.Video, missing []string, until time.Time) // hears of sealed videos that wait for late assets; may be nil

	mu   sync.Mutex
	best map[string]map[string]int64 // how far each asset has ever come, by video
}

// outlook hears how the dependencies of the work behave. Its methods are called by several goroutines.
type outlook interface {
	reached()                                         // a step went as it should
	moved()                                           // a part of some video was stored that never was before
	refused(account string, err *worker.RefusedError) // a person must act
	away(account string, err *worker.OutageError)     // it is tried again
}

// reasonNotCompleted settles a video in the private queue of a foreground run that does not wait for renders.
const reasonNotCompleted = "not_completed"

// Handle does one step of one video.
func (b *bench) Handle(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
	v := b.video(w)
	var out queue.Outcome
	var err error
	if w.Step == queue.StepTransfer {
		out, err = b.transfer(ctx, v, p)
	} else {
		out, err = b.check(ctx, v)
	}
	return b.judge(v, out, err)
}

// video is the bench's view of the queue's work.
func (b *bench) video(w queue.Work) worker.Video {
	v := b.hints[w.VideoID]
	v.Account, v.ID, v.Metadata = w.Account, w.VideoID, w.Metadata
	v.AcceptedAt, v.FirstCompleted, v.Failures, v.Again = w.AcceptedAt, w.FirstCompleted, w.Failures, b.again
	v.Interrupted, v.Rendering = string(w.Interrupted), w.State == queue.StateRendering
	return v
}

func (b *bench) check(ctx context.Context, v worker.Video) (queue.Outcome, error) {
	found, err := b.archiver.Check(ctx, v)
	if err != nil {
		return queue.Outcome{Title: found.Title}, err
	}
	if found.Manifest != nil && found.Manifest.State == storage.StateArchived {
		return settled(found.Manifest), nil
	}
	out := queue.Outcome{State: queue.StateTransferring, Title: found.Title, Deadline: found.Deadline}
	if v.FirstCompleted.IsZero() {
		out.FirstCompleted = time.Now()
	}
	return out, nil
}

func (b *bench) transfer(ctx context.Context, v worker.Video, p queue.Progress) (queue.Outcome, error) {
	if b.bars != nil {
		defer b.bars.follow(v, p)()
	}
	m, err := b.archiver.Transfer(ctx, v, b.furthest(v, p))
	if err != nil {
		if errors.Is(context.Cause(ctx), queue.ErrCancelled) {
			abandon(context.WithoutCancel(ctx), b.archiver, v)
		}
		return queue.Outcome{}, err
	}
	out := settled(m)
	if m.State == storage.StatePartial {
		out.State, out.After = queue.StatePartial, b.archiver.LookAgain(m)
		if b.partial != nil {
			b.partial(v, lateAssets(m), b.archiver.LateUntil(m))
		}
	}
	b.forget(v)
	return out, nil
}

// furthest hands on only progress that goes beyond all earlier runs of the video. A file that is damaged at its source
// is stored again and again, and that must not keep it from being given up.
func (b *bench) furthest(v worker.Video, p queue.Progress) worker.Progress {
	return func(asset string, stored, total int64) {
		if b.ahead(v, asset, stored) {
			b.outlook.moved()
			p.Stored(asset, stored, total)
		}
	}
}

// mostRemembered bounds what a service that runs for years remembers of videos that were never finished here. What is
// forgotten costs a damaged video some more tries.
const mostRemembered = 10_000

func (b *bench) ahead(v worker.Video, asset string, stored int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.best == nil || len(b.best) > mostRemembered {
		b.best = map[string]map[string]int64{}
	}
	key := videoKey(v)
	if b.best[key] == nil {
		b.best[key] = map[string]int64{}
	}
	if stored <= b.best[key][asset] {
		return false
	}
	b.best[key][asset] = stored
	return true
}

func (b *bench) forget(v worker.Video) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.best, videoKey(v))
}

// judge sees what an answer means for the whole run, not only for the video.
func (b *bench) judge(v worker.Video, out queue.Outcome, err error) (queue.Outcome, error) {
	var notReady *worker.NotReadyError
	var refused *worker.RefusedError
	var outage *worker.OutageError
	switch {
	case errors.As(err, &notReady):
		b.outlook.reached()
		return b.notReady(v, notReady, out)
	case errors.As(err, &refused):
		b.outlook.refused(v.Account, refused)
	case errors.As(err, &outage):
		b.outlook.away(v.Account, outage)
	default:
		b.outlook.reached()
	}
	return out, err
}

func (b *bench) notReady(v worker.Video, why *worker.NotReadyError, out queue.Outcome) (queue.Outcome, error) {
	if !b.wait && why.Completed.IsZero() {
		return queue.Outcome{State: queue.StateCancelled, Reason: reasonNotCompleted, Title: out.Title}, nil
	}
	out.State, out.After = queue.StateRendering, why.After
	if v.FirstCompleted.IsZero() {
		out.FirstCompleted = why.Completed
	}
	return out, nil
}

func settled(m *storage.Manifest) queue.Outcome {
	s := report.StatusOf(m)
	return queue.Outcome{State: s.State, SealedAt: m.SealedAt, Title: s.Title, Bytes: s.Bytes, Assets: s.Assets}
}

func lateAssets(m *storage.Manifest) []string {
	var late []string
	for _, absent := range m.Absent {
		if absent.Reason == storage.AbsentLate {
			late = append(late, absent.Asset)
		}
	}
	return late
}
