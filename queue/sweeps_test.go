package queue_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// clocked gives a timetable whose clock the test sets.
func clocked(b *bench, now *time.Time) *queue.Sweeps {
	return queue.SweepsAt(b.client, func() time.Time { return *now })
}

func begin(t *testing.T, s *queue.Sweeps) queue.SweepKind {
	t.Helper()
	kind, err := s.Begin(t.Context(), "default", time.Hour, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return kind
}

func end(t *testing.T, s *queue.Sweeps, e queue.Ended) {
	t.Helper()
	if err := s.End(t.Context(), "default", e); err != nil {
		t.Fatal(err)
	}
}

func TestASweepIsGivenToOneProcessOncePerPeriod(t *testing.T) {
	onAll(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		one, two := clocked(b, &now), clocked(b, &now)
		if got := begin(t, one); got != queue.SweepFull {
			t.Fatalf("the first sweep ever is %q, want full", got)
		}
		if got := begin(t, two); got != queue.SweepNone {
			t.Fatalf("a second process was given %q while the first is at it", got)
		}
		end(t, one, queue.Ended{Kind: queue.SweepFull, Started: now})
		now = now.Add(59 * time.Minute)
		if got := begin(t, two); got != queue.SweepNone {
			t.Errorf("after 59 minutes: %q, want none", got)
		}
		now = now.Add(time.Minute)
		if got := begin(t, two); got != queue.SweepNewest {
			t.Errorf("after an hour: %q, want newest", got)
		}
		end(t, two, queue.Ended{Kind: queue.SweepNewest, Started: now})
		now = now.Add(23 * time.Hour)
		if got := begin(t, one); got != queue.SweepFull {
			t.Errorf("a day after the full one: %q, want full", got)
		}
		last, err := one.LastSuccess(t.Context(), []string{"default"})
		if err != nil || !last.Equal(now.Add(-23*time.Hour)) {
			t.Errorf("last success %s (%v), want %s", last, err, now.Add(-23*time.Hour))
		}
		if last, err := one.LastSuccess(t.Context(), []string{"default", "other"}); err != nil || !last.IsZero() {
			t.Errorf("with an account that was never swept: %s (%v), want none", last, err)
		}
	})
}

func TestASweepOfADeadProcessIsTakenOver(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		dead, next := clocked(b, &now), clocked(b, &now)
		begin(t, dead)
		now = now.Add(50 * time.Second)
		if ours, err := dead.Renew(t.Context(), "default"); err != nil || !ours {
			t.Fatalf("renew: %v, %v", ours, err)
		}
		now = now.Add(50 * time.Second)
		if got := begin(t, next); got != queue.SweepNone {
			t.Errorf("a renewed lease was taken over: %q", got)
		}
		now = now.Add(11 * time.Second)
		if got := begin(t, next); got != queue.SweepFull {
			t.Errorf("a minute after the last sign of life: %q, want full", got)
		}
		if ours, err := dead.Renew(t.Context(), "default"); err != nil || ours {
			t.Errorf("the one that was taken over still renews: %v, %v", ours, err)
		}
	})
}

func TestAFailedSweepIsTriedAgainSoonAndIsNoSuccess(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		s := clocked(b, &now)
		begin(t, s)
		end(t, s, queue.Ended{Kind: queue.SweepFull, Started: now, Failed: true})
		if got := begin(t, s); got != queue.SweepNone {
			t.Errorf("at once after a failure: %q, want a pause", got)
		}
		if last, err := s.LastSuccess(t.Context(), []string{"default"}); err != nil || !last.IsZero() {
			t.Errorf("a failure counts as success at %s (%v)", last, err)
		}
		now = now.Add(5 * time.Minute)
		if got := begin(t, s); got != queue.SweepFull {
			t.Errorf("five minutes after a failure: %q, want full", got)
		}
	})
}

// A sweep that broke off has handed in the newest pages. The next one must not stop there.
func TestASweepThatBrokeOffIsFollowedByAFullOne(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		s, other := clocked(b, &now), clocked(b, &now)
		begin(t, s)
		end(t, s, queue.Ended{Kind: queue.SweepFull, Started: now})
		for _, breakOff := range []func(){
			func() { begin(t, s); end(t, s, queue.Ended{Kind: queue.SweepNewest, Started: now, Failed: true}) }, // an error
			func() { begin(t, s); now = now.Add(2 * time.Minute) },                                              // killed
			func() { // by hand, and only the last hour
				if err := other.Open(t.Context(), "default"); err != nil {
					t.Fatal(err)
				}
			},
		} {
			now = now.Add(time.Hour)
			breakOff()
			now = now.Add(time.Hour)
			if got := begin(t, other); got != queue.SweepFull {
				t.Errorf("after one that broke off: %q, want full", got)
			}
			end(t, other, queue.Ended{Kind: queue.SweepFull, Started: now})
			now = now.Add(time.Hour)
			if got := begin(t, s); got != queue.SweepNewest {
				t.Errorf("after that: %q, want newest", got)
			}
			end(t, s, queue.Ended{Kind: queue.SweepNewest, Started: now})
		}
	})
}

// Somebody sweeps by hand while the service is at it.
func TestASweepByHandDoesNotTakeTheServicesLease(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		service, hand := clocked(b, &now), clocked(b, &now)
		begin(t, service)
		if err := hand.Open(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		end(t, hand, queue.Ended{Kind: queue.SweepNewest, Started: now})
		if ours, err := service.Renew(t.Context(), "default"); err != nil || !ours {
			t.Errorf("the service lost its sweep: %v, %v", ours, err)
		}
	})
}

// Whoever is told to stop leaves the rest to others, at once.
func TestASweepThatWasStoppedIsDueAtOnce(t *testing.T) {
	onEach(t, func(b *bench) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		s, other := clocked(b, &now), clocked(b, &now)
		begin(t, s)
		end(t, s, queue.Ended{Kind: queue.SweepFull, Started: now, Failed: true, Stopped: true})
		if got := begin(t, other); got != queue.SweepFull {
			t.Errorf("got %q, want full", got)
		}
	})
}

func TestTheIndexIsNotMarkedIfRedisWasEmptiedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, single(t, queuetest.Redis(t).Addr()))
	s := b.client.Sweeps()
	indexed := func() bool {
		t.Helper()
		ok, err := s.Indexed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	index := func(meanwhile func()) {
		t.Helper()
		making, err := s.BeginIndex(t.Context())
		if err != nil || making == nil {
			t.Fatalf("begin the index: %v, %v", making, err)
		}
		if other, err := b.client.Sweeps().BeginIndex(t.Context()); err != nil || other != nil {
			t.Errorf("two processes make the index (%v)", err)
		}
		if err := making.Renew(t.Context()); err != nil {
			t.Error(err)
		}
		meanwhile()
		if err := making.Done(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	index(func() { b.rdb.(*redis.Client).FlushAll(t.Context()) })
	if indexed() {
		t.Error("an index that lost its first half is marked as complete")
	}
	index(func() {})
	if !indexed() {
		t.Error("a complete index is not marked")
	}
}

func TestLeaseOfAClockThatWasWrongBlocksNoAccount(t *testing.T) {
	onEach(t, func(b *bench) {
		at := func(off time.Duration) *queue.Sweeps {
			return queue.SweepsAt(b.client, func() time.Time { return time.Now().Add(off) })
		}
		for _, tc := range []struct {
			account string
			off     time.Duration
			want    queue.SweepKind
		}{
			{"a minute ahead", 55 * time.Second, queue.SweepNone}, // clocks may differ so much
			{"a year ahead", 365 * 24 * time.Hour, queue.SweepFull},
		} {
			if kind, err := at(tc.off).Begin(b.t.Context(), tc.account, time.Hour, 24*time.Hour); err != nil || kind != queue.SweepFull {
				b.t.Fatalf("%s: %q, %v", tc.account, kind, err)
			}
			if kind, err := at(0).Begin(b.t.Context(), tc.account, time.Hour, 24*time.Hour); err != nil || kind != tc.want {
				b.t.Errorf("after a lease of a clock %s: %q, %v; want %q", tc.account, kind, err, tc.want)
			}
		}
	})
}
