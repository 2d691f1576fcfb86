package metrics

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
)

// fleet is a Redis that a test can take away.
type fleet struct {
	overview queue.Overview
	sweep    time.Time
	err      error
	hang     atomic.Bool
	asked    []time.Time
}

func (f *fleet) sources() Sources {
	return Sources{
		BufferBytes: func() int64 { return 8 << 20 },
		LastSweep:   func(context.Context) (time.Time, error) { return f.sweep, f.err },
		Overview: func(ctx context.Context) (queue.Overview, error) {
			f.asked = append(f.asked, time.Now())
			if f.hang.Load() {
				<-ctx.Done()
				return queue.Overview{}, ctx.Err()
			}
			return f.overview, f.err
		},
	}
}

func busy() *fleet {
	deadline := time.Unix(1_800_000_000, 500_000_000)
	return &fleet{sweep: time.Unix(1_799_999_000, 0), overview: queue.Overview{
		States: map[queue.State]int64{queue.StateRendering: 3, queue.StateArchived: 900},
		Tasks: map[queue.Step]map[string]int64{
			queue.StepStatus: {"waiting": 4, "working": 2, "later": 7}, queue.StepTransfer: {"waiting": 5, "working": 1, "later": 6},
		},
		AtRisk: 2, Overdue: 1, EarliestDeadline: &deadline,
	}}
}

// wantBusy is what /metrics shows of busy.
func wantBusy() series {
	return series{
		`reelkeep_ledger_videos{state="rendering"}`: 3, `reelkeep_ledger_videos{state="archived"}`: 900,
		`reelkeep_queue_tasks{queue="status",state="waiting"}`: 4, `reelkeep_queue_tasks{queue="status",state="working"}`: 2,
		`reelkeep_queue_tasks{queue="status",state="later"}`: 7, `reelkeep_queue_tasks{queue="transfer",state="waiting"}`: 5,
		`reelkeep_queue_tasks{queue="transfer",state="working"}`: 1, `reelkeep_queue_tasks{queue="transfer",state="later"}`: 6,
		"reelkeep_videos_at_risk": 2, "reelkeep_videos_overdue": 1, "reelkeep_earliest_deadline_timestamp_seconds": 1_800_000_000.5,
		"reelkeep_sweep_last_success_timestamp_seconds": 1_799_999_000, "reelkeep_buffer_bytes": 8 << 20, "reelkeep_redis_up": 1,
	}
}

func TestMetricsKeepWhatTheyKnewWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	m, f := fresh(), busy()
	start := scrape(t, m)
	f.err = errors.New("dial tcp 127.0.0.1:6379: connection refused")
	m.refresh(t.Context(), f.sources())
	if diff := cmp.Diff(series{"reelkeep_buffer_bytes": 8 << 20}, scrape(t, m).since(start)); diff != "" {
		t.Errorf("Redis was never there (-want +got):\n%s", diff)
	}
	f.err = nil
	m.refresh(t.Context(), f.sources())
	if diff := cmp.Diff(wantBusy(), scrape(t, m).since(start)); diff != "" {
		t.Errorf("Redis is there (-want +got):\n%s", diff)
	}
	known := scrape(t, m)
	f.err = errors.New("LOADING Redis is loading the dataset in memory")
	f.overview = queue.Overview{}
	m.refresh(t.Context(), f.sources())
	if diff := cmp.Diff(series{"reelkeep_redis_up": -1}, scrape(t, m).since(known)); diff != "" {
		t.Errorf("Redis has gone away (-want +got):\n%s", diff)
	}
	f.err = nil
	f.overview = queue.Overview{States: map[queue.State]int64{queue.StateRendering: 0, queue.StateArchived: 903}}
	m.refresh(t.Context(), f.sources())
	now := scrape(t, m)
	if _, there := now["reelkeep_earliest_deadline_timestamp_seconds"]; there {
		t.Error("there is an earliest deadline although nothing waits")
	}
	if now["reelkeep_redis_up"] != 1 || now[`reelkeep_ledger_videos{state="rendering"}`] != 0 || now[`reelkeep_ledger_videos{state="archived"}`] != 903 {
		t.Errorf("Redis is back: %v", now)
	}
}

func TestASweepThatCannotBeReadIsRedisTrouble(t *testing.T) {
	t.Parallel()
	m, f := fresh(), busy()
	src := f.sources()
	src.LastSweep = func(context.Context) (time.Time, error) { return time.Time{}, errors.New("i/o timeout") }
	m.refresh(t.Context(), src)
	got := scrape(t, m)
	if got["reelkeep_redis_up"] != 0 || got["reelkeep_videos_at_risk"] != 2 {
		t.Errorf("redis_up %v, at risk %v; want 0, and what could be read", got["reelkeep_redis_up"], got["reelkeep_videos_at_risk"])
	}
	src.LastSweep, src.BufferBytes = nil, nil // a role without sweeps and transfers
	m.refresh(t.Context(), src)
	if got := scrape(t, m); got["reelkeep_redis_up"] != 1 {
		t.Error("a role that has less to ask for takes Redis for dead")
	}
}

func TestWatchAsksAtOnceAndThenEveryFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, f := fresh(), busy()
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.Watch(ctx, f.sources()); close(ended) }()
		time.Sleep(11 * time.Second)
		stop()
		<-ended
		var at []time.Duration
		for _, asked := range f.asked {
			at = append(at, asked.Sub(began))
		}
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 10 * time.Second}, at); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

func TestARedisThatHangsIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, f := fresh(), busy()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.Watch(ctx, f.sources()); close(ended) }()
		synctest.Wait()
		if got := m.up(t); got != 1 {
			t.Fatalf("redis_up is %v while Redis answers", got)
		}
		f.hang.Store(true)
		time.Sleep(6 * time.Second) // asked a second ago: still waiting for the answer
		if got := m.up(t); got != 1 {
			t.Errorf("redis_up is %v before Redis has had its time", got)
		}
		time.Sleep(1500 * time.Millisecond)
		if got := m.up(t); got != 0 {
			t.Errorf("redis_up is %v after two seconds without an answer", got)
		}
		f.hang.Store(false)
		time.Sleep(5 * time.Second)
		if got := m.up(t); got != 1 {
			t.Errorf("redis_up is %v after Redis came back", got)
		}
		f.hang.Store(true)
		time.Sleep(4 * time.Second)
		stop() // in the middle of a question: that we stop says nothing of Redis
		<-ended
		if got := m.up(t); got != 1 {
			t.Errorf("redis_up is %v because we were told to stop", got)
		}
	})
}

func (m *Metrics) up(t *testing.T) float64 {
	t.Helper()
	return scrape(t, m)["reelkeep_redis_up"]
}
