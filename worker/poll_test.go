package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// rendering is a HeyGen of one generation where every video renders for ever.
type rendering string

func (api rendering) Look(_ context.Context, id string) (*heygen.Video, error) {
	return &heygen.Video{ID: id, Status: heygen.StatusWaiting, VendorStatus: "processing", API: string(api), Brief: true}, nil
}

func (api rendering) Video(ctx context.Context, id string) (*heygen.Video, error) {
	return api.Look(ctx, id)
}

// poller checks videos that render, and says when each is to be checked again.
func poller(t *testing.T, api string, now func() time.Time, waiting func(string) int) func(accepted time.Time) time.Duration {
	t.Helper()
	a, err := worker.NewArchiver(worker.Config{Now: now, Waiting: waiting}, worker.Deps{
		Catalogs: map[string]worker.Catalog{"default": rendering(api)}, Opener: &fetch.Client{}, Store: &storage.Store{}, Buffers: &worker.Buffers{},
	})
	must(t, err)
	return func(accepted time.Time) time.Duration {
		t.Helper()
		_, err := a.Check(t.Context(), worker.Video{ID: id(1), AcceptedAt: accepted, Rendering: true})
		var notReady *worker.NotReadyError
		if !errors.As(err, &notReady) {
			t.Fatalf("got %v, want that it renders", err)
		}
		return notReady.RetryAfter()
	}
}

func TestPollsAreSpacedByAgeAndByTheCrowd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 123_000_000, time.UTC)
	for _, api := range []string{"v3", "v1"} {
		waiting := 0
		poll := poller(t, api, func() time.Time { return now }, func(account string) int {
			if account != "default" {
				t.Errorf("asked for account %q", account)
			}
			return waiting
		})
		for _, tt := range []struct {
			waiting    int
			age        time.Duration
			min3, min1 time.Duration // the least on v3 and on v1
			exact      bool
		}{
			{0, 0, 2 * time.Second, 2 * time.Second, true},
			{1, 0, 2 * time.Second, 2 * time.Second, true},
			{1, 100 * time.Second, 10 * time.Second, 10 * time.Second, true},
			{1, 10 * time.Hour, 5 * time.Minute, 5 * time.Minute, true},
			{100, 0, 2 * time.Second, 40 * time.Second, false},
			{100, 10 * time.Minute, time.Minute, time.Minute, false},
			{1000, 0, 20 * time.Second, 400 * time.Second, false},
			{10_000, 0, 200 * time.Second, 30 * time.Minute, false},
			{10_000, 10 * time.Hour, 5 * time.Minute, 30 * time.Minute, false},
			{1_000_000, 0, 5 * time.Minute, 30 * time.Minute, false},
		} {
			waiting = tt.waiting
			least := map[string]time.Duration{"v3": tt.min3, "v1": tt.min1}[api]
			got := poll(now.Add(-tt.age))
			if got < least || got > least*3/2+time.Second || (tt.exact && got != least) {
				t.Errorf("%s: %d waiting, age %s: polled after %s, want %s or a little more", api, tt.waiting, tt.age, got, least)
			}
			if due := now.Add(got); !tt.exact && due.Nanosecond() != 0 {
				t.Errorf("%s: %d waiting, age %s: due at %s, not on the grid", api, tt.waiting, tt.age, due)
			}
		}
	}
}

// A crowd that came at all moments of some minutes is soon polled in a few bursts, so that bulk calls are full, and
// costs no more than a call in two seconds.
func TestACrowdBecomesDueTogether(t *testing.T) {
	t.Parallel()
	const n, seconds = 2000, 3600
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	now := start
	poll := poller(t, "v3", func() time.Time { return now }, func(string) int { return n })
	due := map[time.Time]int{} // how many are polled within one second
	polls := 0
	for i := range n {
		accepted := start.Add(time.Duration(i) * 70 * time.Millisecond)
		for now = accepted; now.Before(start.Add(seconds * time.Second)); polls++ {
			now = now.Add(poll(accepted))
			due[now.Truncate(time.Second)]++
		}
	}
	calls := 0
	for _, together := range due {
		calls += (together + 99) / 100
	}
	t.Logf("%d videos in an hour: %d polls of each, in %d bursts, with %d bulk calls", n, polls/n, len(due), calls)
	if calls > seconds/2 || calls > polls/100*6/5 {
		t.Errorf("%d polls in %d bursts took %d bulk calls in an hour", polls, len(due), calls)
	}
}
