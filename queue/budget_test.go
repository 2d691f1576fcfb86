package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// processes are n clients of one Redis, each with a connection of its own, and their budgets for one account.
func processes(dial func(*queuetest.Line) redis.UniversalClient, n int) (lines []*queuetest.Line, budgets []*queue.Budget) {
	for range n {
		line := new(queuetest.Line)
		lines = append(lines, line)
		budgets = append(budgets, queue.NewClientFromRedis(dial(line)).Budget("acme"))
	}
	return lines, budgets
}

// enter fails the test if the budget does.
func enter(t *testing.T, b *queue.Budget) (time.Duration, string) {
	t.Helper()
	closed, why, err := b.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return closed, why
}

// crowd lets many callers of each budget enter at once and returns when each one passed, and how long the others
// shall stay away.
func crowd(t *testing.T, budgets []*queue.Budget, each int) (passed []time.Time, closed []time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, b := range budgets {
		for range each {
			all.Go(func() {
				d, _ := enter(t, b)
				mu.Lock()
				defer mu.Unlock()
				if d == 0 {
					passed = append(passed, time.Now())
				} else {
					closed = append(closed, d)
				}
			})
		}
	}
	all.Wait()
	slices.SortFunc(passed, func(a, b time.Time) int { return a.Compare(b) })
	return passed, closed
}

// assertRate checks that at no time more requests had left than ten, and ten for each second. A caller that a busy
// machine wakes too late only makes it easier.
func assertRate(t *testing.T, start time.Time, left []time.Time) {
	t.Helper()
	for i, at := range left {
		if most := 11 + int(at.Sub(start).Seconds()*10); i+1 > most {
			t.Errorf("%d requests had left after %s; the fleet is allowed %d", i+1, at.Sub(start), most)
		}
	}
}

func TestFleetSharesTenRequestsASecond(t *testing.T) {
	onEach(t, func(b *bench) {
		_, budgets := processes(b.dial, 3)
		start := time.Now()
		passed, closed := crowd(b.t, budgets, 20)
		// Ten leave at once, twenty in the two seconds that a slot may wait, thirty shall come back; some more pass if
		// the machine is so busy that callers come late.
		if most := 12 + int(time.Since(start).Seconds()*10); len(passed) < 28 || len(passed) > most || len(closed) == 0 {
			b.t.Fatalf("%d of 60 passed in %s; want about 30", len(passed), time.Since(start))
		}
		assertRate(b.t, start, passed)
		slices.Sort(closed)
		if spread := closed[len(closed)-1] - closed[0]; closed[0] < time.Second || closed[len(closed)-1] > 8*time.Second || spread < 500*time.Millisecond {
			b.t.Errorf("sent away for %s to %s; want them to come back one after another", closed[0], closed[len(closed)-1])
		}
		if ttl := b.rdb.PTTL(b.t.Context(), "rate:{reelkeep}:budget:acme").Val(); ttl <= 0 {
			b.t.Errorf("the allowance stays in Redis for ever (%s)", ttl)
		}
	})
}

func TestRetryAfterIsObeyedByTheWholeFleet(t *testing.T) {
	onEach(t, func(b *bench) {
		_, budgets := processes(b.dial, 3)
		other := queue.NewClientFromRedis(b.rdb).Budget("globex")
		told := time.Now()
		budgets[0].Leave(b.t.Context(), "throttled", 2*time.Second)
		for i, budget := range budgets {
			if closed, why := enter(b.t, budget); closed < time.Second || closed > 4500*time.Millisecond || why != "throttled" {
				b.t.Errorf("process %d: closed for %s because of %q", i, closed, why)
			}
		}
		_, away := crowd(b.t, budgets, 10)
		if spread := slices.Max(away) - slices.Min(away); spread < 100*time.Millisecond {
			b.t.Errorf("thirty callers shall come back within %s of each other", spread)
		}
		if closed, _ := enter(b.t, other); closed != 0 {
			b.t.Errorf("another account is closed for %s", closed)
		}
		if ttl := b.rdb.PTTL(b.t.Context(), "{reelkeep}:gate:acme").Val(); ttl <= 0 {
			b.t.Errorf("the gate stays in Redis for ever (%s)", ttl)
		}
		queuetest.Await(b.t, "the gate to be ajar", func() bool { closed, _ := enter(b.t, budgets[1]); return closed == 0 })
		if took := time.Since(told); took < 2*time.Second-50*time.Millisecond {
			b.t.Errorf("somebody passed after %s; the Retry-After was 2 s", took)
		}
		if passed, _ := crowd(b.t, budgets, 5); len(passed) != 1 {
			b.t.Errorf("%d more probes passed; want one, and the fleet to wait for its answer", len(passed))
		}
		budgets[1].Leave(b.t.Context(), "", 0)
		queuetest.Await(b.t, "the gate to be open", func() bool { closed, _ := enter(b.t, budgets[2]); return closed == 0 })
		if passed, _ := crowd(b.t, budgets[2:], 8); len(passed) != 8 {
			b.t.Errorf("%d of 8 passed after a probe had ended well", len(passed))
		}
		if n := b.rdb.Exists(b.t.Context(), "{reelkeep}:gate:acme").Val(); n != 0 {
			b.t.Error("an open gate needs no key")
		}
	})
}

func TestCallersThatWaitForTheirTurnObeyTheClosing(t *testing.T) {
	onEach(t, func(b *bench) {
		_, budgets := processes(b.dial, 2)
		if passed, _ := crowd(b.t, budgets[:1], 10); len(passed) != 10 {
			b.t.Fatalf("%d of the first ten passed", len(passed))
		}
		// Twenty more wait up to two seconds, one for each tenth of it; the first that leaves is throttled.
		var mu sync.Mutex
		after := 0
		var once sync.Once
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if closed, _ := enter(b.t, budgets[i%2]); closed > 0 {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				after++
				once.Do(func() { budgets[0].Leave(b.t.Context(), "throttled", 30*time.Second) })
			})
		}
		all.Wait()
		if after > 10 { // those whom Leave overtook on a busy machine
			b.t.Errorf("%d of the waiting left although the gate closed with the first", after)
		}
	})
}

func TestHundredFailuresAtOnceCloseForTwoSeconds(t *testing.T) {
	onEach(t, func(b *bench) {
		_, budgets := processes(b.dial, 3)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() { budgets[i%3].Leave(b.t.Context(), "down", 0) })
		}
		all.Wait()
		if closed, why := enter(b.t, budgets[0]); closed <= 0 || closed > 3*time.Second || why != "down" {
			b.t.Errorf("closed for %s because of %q; a hundred failures at once are one", closed, why)
		}
	})
}

// TestEveryFailureInARowDoublesTheClosing goes through minutes on a Redis whose clock the test drives.
func TestEveryFailureInARowDoublesTheClosing(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
		mr.SetTime(now.Add(-3 * time.Second)) // Redis's clock is not ours
		mr.FastForward(d)
	}
	pass(0)
	var budgets []*queue.Budget
	for range 2 {
		srv, err := queue.NewServer(single(t, mr.Addr())(new(queuetest.Line)), queue.ServerConfig{Now: clock}, queue.HandlerFunc(archives))
		if err != nil {
			t.Fatal(err)
		}
		budgets = append(budgets, srv.Client().Budget("acme"))
	}
	fail := func(times int) {
		for i := range times {
			budgets[i%2].Leave(t.Context(), "down", 0)
		}
	}
	for i, want := range []time.Duration{2, 4, 8, 16, 30, 30} {
		want *= time.Second
		if fail(2); i == 0 {
			fail(1) // nobody knew of an outage yet
		}
		for _, b := range budgets {
			if closed, why := enter(t, b); closed < want || closed > want*6/5+500*time.Millisecond || why != "down" {
				t.Errorf("failure %d: closed for %s because of %q; want %s and a little by chance", i+1, closed, why, want)
			}
		}
		pass(want)
		if closed, _ := enter(t, budgets[1-i%2]); closed != 0 {
			t.Fatalf("after %s still closed for %s", want, closed)
		}
	}
	budgets[0].Leave(t.Context(), "", 0)
	fail(2)
	if closed, _ := enter(t, budgets[0]); closed != 0 {
		t.Errorf("after a success two failures close for %s", closed)
	}
	fail(1)
	if closed, _ := enter(t, budgets[0]); closed <= 0 || closed > 3*time.Second {
		t.Errorf("after a success an outage closes for %s; want 2 s again", closed)
	}
}

func TestBudgetGoesOnAloneWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	srv := queuetest.Redis(t)
	lines, budgets := processes(single(t, srv.Addr()), 2)
	for _, b := range budgets {
		enter(t, b)
	}
	lines[0].Cut()
	start := time.Now()
	var left []time.Time
	for time.Since(start) < 3*time.Second {
		if closed, _ := enter(t, budgets[0]); closed == 0 {
			left = append(left, time.Now())
		}
	}
	if len(left) < 2 || len(left) > 5 {
		t.Errorf("%d requests in 3 s without Redis; want about one a second", len(left))
	}
	if closed, _ := enter(t, budgets[1]); closed != 0 {
		t.Errorf("the other process, which has Redis, is closed for %s", closed)
	}
	budgets[0].Leave(t.Context(), "down", 2*time.Second)
	closedAt := time.Now()
	if closed, why := enter(t, budgets[0]); closed < time.Second || why != "down" {
		t.Errorf("without Redis a failure closes for %s because of %q", closed, why)
	}
	budgets[1].Leave(t.Context(), "throttled", 5*time.Second)
	lines[0].Mend()
	queuetest.Await(t, "the process to hear of the fleet's gate", func() bool { _, why := enter(t, budgets[0]); return why == "throttled" })
	if since := time.Since(closedAt); since < 2*time.Second {
		t.Errorf("its own closing was forgotten after %s when Redis came back", since)
	}
}

func TestClosingThatRedisNeverHeardOfIsNotForgotten(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	now := time.Now()
	srv, err := queue.NewServer(connect(t, "redis://"+mr.Addr()), queue.ServerConfig{Now: func() time.Time { return now }}, queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	b := srv.Client().Budget("acme")
	mr.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	b.Leave(t.Context(), "throttled", 30*time.Second)
	mr.SetError("")
	now = now.Add(10 * time.Second)
	b.Leave(t.Context(), "", 0) // a request that was under way; Redis says that the gate is open
	if closed, why := enter(t, b); closed < 19*time.Second || why != "throttled" {
		t.Errorf("closed for %s because of %q; the Retry-After has 20 s to go", closed, why)
	}
}

func TestClockThatIsSetBackKeepsNoAccountShut(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	now := time.Now()
	srv, err := queue.NewServer(connect(t, "redis://"+mr.Addr()), queue.ServerConfig{Now: func() time.Time { return now }}, queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	b := srv.Client().Budget("acme")
	b.Leave(t.Context(), "throttled", 30*time.Second)
	now = now.Add(-time.Hour)
	if closed, why := enter(t, b); closed < 20*time.Second || closed > time.Minute || why != "throttled" {
		t.Errorf("closed for %s because of %q; the Retry-After was 30 s", closed, why)
	}
}

func TestEnterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, budgets := processes(single(t, queuetest.Redis(t).Addr()), 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := budgets[0].Enter(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	for range 10 {
		enter(t, budgets[0])
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var err error
	for err == nil && short.Err() == nil {
		_, _, err = budgets[0].Enter(short)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it waits for a turn: %v", err)
	}
}

func TestBudgetOfARedisThatRefusesIsTheLocalOne(t *testing.T) {
	t.Parallel()
	_, budgets := processes(single(t, queuetest.Redis(t, "--maxmemory", "100kb").Addr()), 1)
	if closed, why := enter(t, budgets[0]); closed != 0 {
		t.Errorf("a full Redis closes the gate for %s (%s)", closed, why)
	}
}

func TestBudgetIsOnePerAccount(t *testing.T) {
	t.Parallel()
	c := queue.NewClientFromRedis(connect(t, "redis://127.0.0.1:1"))
	if c.Budget("") != c.Budget(queue.DefaultAccount) || c.Budget("a") == c.Budget("b") {
		t.Error("an account must have one budget, and each its own")
	}
}
