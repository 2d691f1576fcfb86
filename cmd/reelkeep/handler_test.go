package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
)

func TestTheBenchIsToldWhatTheQueueKnows(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	b := &bench{again: true, hints: map[string]worker.Video{"vid_7c1": {Title: "Launch", CreatedAt: at}, "other": {Title: "Other"}}}
	got := b.video(queue.Work{
		Job:        queue.Job{VideoID: "vid_7c1", Account: "acme", Metadata: map[string]string{"order": "17"}},
		AcceptedAt: at.Add(time.Hour), FirstCompleted: at.Add(2 * time.Hour), Failures: 3, Interrupted: queue.InterruptedByDrain,
	})
	want := worker.Video{
		Account: "acme", ID: "vid_7c1", Metadata: map[string]string{"order": "17"}, AcceptedAt: at.Add(time.Hour),
		Title: "Launch", CreatedAt: at, FirstCompleted: at.Add(2 * time.Hour), Failures: 3, Again: true, Interrupted: "drain",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
