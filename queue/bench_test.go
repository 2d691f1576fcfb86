package queue_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func TestMain(m *testing.M) {
	queue.SilenceRedisLog()
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = p.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0))) // the tests wait more than they compute
	}
	// After many dials that failed, go-redis goes on trying in the background, and notices only a second later that its pool
	// was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// backend is a kind of Redis that every promise must hold on.
type backend struct {
	name string
	open func(t *testing.T) func(line *queuetest.Line) redis.UniversalClient
}

func backends() []backend {
	return []backend{
		{"miniredis", func(t *testing.T) func(*queuetest.Line) redis.UniversalClient {
			mr := miniredis.RunT(t)
			return single(t, mr.Addr())
		}},
		{"redis", func(t *testing.T) func(*queuetest.Line) redis.UniversalClient {
			return single(t, queuetest.Redis(t).Addr())
		}},
		{"cluster", func(t *testing.T) func(*queuetest.Line) redis.UniversalClient {
			addr := queuetest.Cluster(t).Addr()
			return func(line *queuetest.Line) redis.UniversalClient {
				rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, Dialer: line.Dial, ContextTimeoutEnabled: true})
				t.Cleanup(func() { rdb.Close() })
				return rdb
			}
		}},
	}
}

func single(t *testing.T, addr string) func(*queuetest.Line) redis.UniversalClient {
	return func(line *queuetest.Line) redis.UniversalClient {
		rdb := redis.NewClient(&redis.Options{Addr: addr, Dialer: line.Dial, ContextTimeoutEnabled: true})
		t.Cleanup(func() { rdb.Close() })
		return rdb
	}
}

// onEach runs the test on miniredis and on a real Redis.
func onEach(t *testing.T, test func(b *bench)) { on(t, backends()[:2], test) }

// onAll runs it on a cluster too. A cluster takes two seconds to come up, so this is for one test of each script.
func onAll(t *testing.T, test func(b *bench)) { on(t, backends(), test) }

func on(t *testing.T, kinds []backend, test func(b *bench)) {
	t.Parallel()
	for _, be := range kinds {
		t.Run(be.name, func(t *testing.T) {
			t.Parallel()
			test(newBench(t, be.open(t)))
		})
	}
}

// bench is one Redis with what a test needs around it.
type bench struct {
	t      *testing.T
	dial   func(*queuetest.Line) redis.UniversalClient
	rdb    redis.UniversalClient
	client *queue.Client
}

func newBench(t *testing.T, dial func(*queuetest.Line) redis.UniversalClient) *bench {
	rdb := dial(new(queuetest.Line))
	return &bench{t: t, dial: dial, rdb: rdb, client: queue.NewClientFromRedis(rdb)}
}

// server is a running queue.Server.
type server struct {
	t       *testing.T
	stop    context.CancelFunc
	wake    func()
	done    chan error
	changes chan queue.Change
	line    *queuetest.Line
	once    sync.Once
}

func fast(cfg queue.ServerConfig) queue.ServerConfig {
	if cfg.Poll == 0 {
		cfg.Poll = 10 * time.Millisecond
	}
	if cfg.BackoffBase == 0 {
		cfg.BackoffBase, cfg.BackoffCap = time.Millisecond, 5*time.Millisecond
	}
	if cfg.BeatEvery == 0 {
		cfg.BeatEvery, cfg.DeadAfter = 200*time.Millisecond, 1200*time.Millisecond
	}
	if os.Getenv("QUEUE_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return cfg
}

// serve starts a server with its own connection and drains it when the test ends.
func (b *bench) serve(cfg queue.ServerConfig, h queue.HandlerFunc) *server {
	b.t.Helper()
	s := &server{t: b.t, done: make(chan error, 1), changes: make(chan queue.Change, 20000), line: new(queuetest.Line)}
	cfg = fast(cfg)
	cfg.OnChange = func(c queue.Change) { s.changes <- c }
	srv, err := queue.NewServer(b.dial(s.line), cfg, h)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	s.stop, s.wake = cancel, srv.Wake
	go func() { s.done <- srv.Run(ctx) }()
	b.t.Cleanup(s.drain)
	return s
}

// drain stops the server and returns when Run has.
func (s *server) drain() {
	s.once.Do(func() {
		s.stop()
		select {
		case err := <-s.done:
			if err != nil {
				s.t.Errorf("Run returned %v after a drain; want nil", err)
			}
		case <-time.After(20 * time.Second):
			s.t.Error("Run did not return within 20 s of being told to stop")
		}
	})
}

// until waits for a change that ok accepts.
func (s *server) until(what string, ok func(queue.Status) bool) queue.Status {
	s.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case c := <-s.changes:
			if ok(c.Status) {
				return c.Status
			}
		case <-limit:
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s *server) untilState(id string, state queue.State) queue.Status {
	s.t.Helper()
	return s.until(id+" to be "+string(state), func(st queue.Status) bool { return st.VideoID == id && st.State == state })
}

// untilSettled waits until n videos are settled.
func (s *server) untilSettled(n int) {
	s.t.Helper()
	for range n {
		s.until("a video to settle", func(st queue.Status) bool { return st.State.Settled() })
	}
}

func (b *bench) enqueue(jobs ...queue.Job) []queue.Result {
	b.t.Helper()
	rs, err := b.client.EnqueueMany(b.t.Context(), jobs)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range rs {
		if r.Err != nil {
			b.t.Fatal(r.Err)
		}
	}
	return rs
}

func (b *bench) status(id string) queue.Status {
	b.t.Helper()
	st, err := b.client.Status(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func videos(prefix string, n int) []queue.Job {
	jobs := make([]queue.Job, n)
	for i := range jobs {
		jobs[i].VideoID = fmt.Sprintf("%s%d", prefix, i)
	}
	return jobs
}

// archives is a handler that finds every video completed and moves nothing.
func archives(_ context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
	if w.Step == queue.StepStatus {
		return queue.Outcome{State: queue.StateTransferring, Title: "Title of " + w.VideoID}, nil
	}
	p.Stored("video", 5, 5)
	return queue.Outcome{State: queue.StateArchived, Bytes: 5, SealedAt: time.Now()}, nil
}

// later is an error that is not a failure.
type later time.Duration

func (l later) Error() string             { return "not ready" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

// ending is an error that settles the video.
type ending struct{ state, reason string }

func (e ending) Error() string            { return "render failed: quota used up" }
func (e ending) Settle() (string, string) { return e.state, e.reason }
func (e ending) Hint() string             { return "buy more credits" }
func (e ending) Code() string             { return "quota" }

var errBroken = errors.New("disk on fire")

// assertNothingUnderWay checks that ledger and asynq hold nothing any more.
func (b *bench) assertNothingUnderWay() {
	b.t.Helper()
	b.assertLedgerEmpty()
	for _, q := range []string{"status", "transfer"} {
		queuetest.Await(b.t, "asynq to forget its tasks", func() bool {
			return b.rdb.Exists(b.t.Context(), "asynq:{"+q+"}:pending").Val()+b.rdb.Exists(b.t.Context(), "asynq:{"+q+"}:active").Val() == 0
		})
	}
}

// assertLedgerEmpty checks the keys that hold videos under way. After Redis was away asynq keeps finished tasks
// for a minute or two until its recoverer brings them once more; so not every test asks asynq.
func (b *bench) assertLedgerEmpty() {
	b.t.Helper()
	for _, key := range []string{"{reelkeep}:ledger", "{reelkeep}:later:status", "{reelkeep}:later:transfer", "{reelkeep}:deadlines", "{reelkeep}:progress",
		"{reelkeep}:flight:status", "{reelkeep}:flight:transfer",
		"{reelkeep}:ready:status:interactive:default", "{reelkeep}:ready:transfer:interactive:default"} {
		if n := b.rdb.Exists(b.t.Context(), key).Val(); n != 0 {
			b.t.Errorf("%s still exists although all videos are settled", key)
		}
	}
}
