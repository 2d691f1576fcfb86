package main

import (
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// The list's links are new, but the copy that somebody has of one may be as old as the video.
func TestAVideoThatASweepFindsHasTheDeadlineOfItsFirstLink(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	now := time.Now().Truncate(time.Second)
	fresh := []heygen.Link{{Asset: heygen.AssetVideo, URL: secret.New("https://files.example/v.mp4"), Expires: now.Add(7 * 24 * time.Hour)}}
	found := []*heygen.Video{
		{ID: "completed", CreatedAt: now.Add(-72 * time.Hour), CompletedAt: now.Add(-48 * time.Hour), Links: fresh},
		{ID: "created", CreatedAt: now.Add(-72 * time.Hour), Links: fresh},
		{ID: "old", CreatedAt: now.Add(-365 * 24 * time.Hour), Links: fresh},
		{ID: "undated", Links: fresh},
	}
	if n, err := (intake{d.client}).Offer(t.Context(), "default", found, false); err != nil || n != len(found) {
		t.Fatalf("%d were handed in (%v), want %d", n, err, len(found))
	}
	const week = 7 * 24 * time.Hour
	for id, want := range map[string]time.Time{
		"completed": now.Add(week - 48*time.Hour), "created": now.Add(week - 72*time.Hour), "old": now.Add(week - 365*24*time.Hour), "undated": {},
	} {
		s, err := d.client.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var got time.Time
		if s.Deadline != nil {
			got = *s.Deadline
		}
		if !got.Equal(want) {
			t.Errorf("%s has the deadline %s, want %s", id, got, want)
		}
	}
	o, err := d.client.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o.Overdue != 1 || o.AtRisk != 0 {
		t.Errorf("%d overdue, %d at risk; want the old one to be overdue", o.Overdue, o.AtRisk)
	}
}
