package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// diskFront is a Redis that has WAITAOF. say is its reply; asked is told of every question.
type diskFront struct {
	*queuetest.Front
	asked chan []string

	mu    sync.Mutex
	say   func() string
	count int
}

func newDiskFront(t *testing.T, say func() string) *diskFront {
	f := &diskFront{say: say, asked: make(chan []string, 100)}
	var mu sync.Mutex
	var before []string
	f.Front = queuetest.NewFront(t, queuetest.Redis(t).Addr(), func(cmd []string) (string, bool) {
		mu.Lock()
		last := before
		before = cmd
		mu.Unlock()
		if !strings.EqualFold(cmd[0], "waitaof") {
			return "", false
		}
		f.asked <- append(slices.Clone(last), cmd...)
		return f.reply(), true
	})
	return f
}

func (f *diskFront) reply() string {
	f.mu.Lock()
	f.count++
	say := f.say
	f.mu.Unlock()
	return say()
}

func (f *diskFront) questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

const onDisk, notOnDisk = "*2\r\n:1\r\n:0\r\n", "*2\r\n:0\r\n:0\r\n"

func TestReceiptComesWhenTheVideosAreOnRedisDisk(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := newDiskFront(t, func() string { <-release; return onDisk })
	c := queue.NewClientFromRedis(connect(t, f.URL()))
	done := make(chan error, 1)
	go func() {
		_, err := c.EnqueueMany(t.Context(), videos("v", 600))
		done <- err
	}()
	got := receive(t, "the question whether the videos are on disk", f.asked)
	if want := "set {reelkeep}:synced 1 waitaof 1 0 2000"; strings.Join(got, " ") != want {
		t.Errorf("asked %q; want %q, after a write of its own", got, want)
	}
	select {
	case err := <-done:
		t.Errorf("the receipts did not wait for the disk (%v)", err)
	default:
	}
	close(release)
	if err := receive(t, "the receipts", done); err != nil || f.questions() != 1 {
		t.Errorf("600 videos: %v, after %d questions; want one", err, f.questions())
	}
}

func TestDiskMayBeSlowerThanTheTimeLimitForReplies(t *testing.T) {
	t.Parallel()
	f := newDiskFront(t, func() string {
		limit := time.NewTimer(900 * time.Millisecond) // appendfsync everysec
		defer limit.Stop()
		<-limit.C
		return onDisk
	})
	c := queue.NewClientFromRedis(connect(t, f.URL()+"?read_timeout=300ms&max_retries=-1"))
	if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: "v"}); err != nil || f.questions() != 1 {
		t.Errorf("%v, after %d questions", err, f.questions())
	}
}

func TestDiskThatDoesNotAnswerIsNoReceipt(t *testing.T) {
	t.Parallel()
	f := newDiskFront(t, func() string { return notOnDisk })
	c := queue.NewClientFromRedis(connect(t, f.URL()))
	for try := range 2 { // the second time the video is a duplicate, and still not on disk
		_, err := c.Enqueue(t.Context(), queue.Job{VideoID: "v"})
		var away *queue.AwayError
		if !errors.As(err, &away) || !strings.Contains(err.Error(), "disk") || away.Hint() == "" {
			t.Errorf("try %d: %v; want an AwayError about the disk", try+1, err)
		}
	}
	if f.questions() != 2 {
		t.Errorf("asked %d times", f.questions())
	}
}

// Whoever got no receipt comes back whenever he likes; what he hands in again is a duplicate that may be on no disk.
func TestADuplicateWaitsForADiskThatHasFailed(t *testing.T) {
	t.Parallel()
	var stalled atomic.Bool
	stalled.Store(true)
	f := newDiskFront(t, func() string {
		if stalled.Load() {
			return notOnDisk
		}
		return onDisk
	})
	now := time.Now()
	srv, err := queue.NewServer(connect(t, f.URL()), queue.ServerConfig{Now: func() time.Time { return now }}, queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	c := srv.Client()
	for i, step := range []struct {
		after   time.Duration
		stalled bool
		asked   int
	}{{0, true, 1}, {11 * time.Second, true, 2}, {5 * time.Minute, true, 3}, {5 * time.Minute, false, 4}, {11 * time.Second, false, 4}} {
		now = now.Add(step.after)
		stalled.Store(step.stalled)
		if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: "v"}); (err != nil) != step.stalled || f.questions() != step.asked {
			t.Errorf("step %d: %v, after %d questions; want %d", i, err, f.questions(), step.asked)
		}
	}
}

// A Redis that leaves the disk to the operating system may answer 0 for half a minute.
func TestRedisThatIsNotToSyncKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		set   []string
		asked int
	}{
		"never":             {[]string{"appendfsync", "no"}, 1}, // and not again soon
		"not while rewrite": {[]string{"no-appendfsync-on-rewrite", "yes"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDiskFront(t, func() string { return notOnDisk })
			rdb := connect(t, f.URL())
			if err := rdb.ConfigSet(t.Context(), tc.set[0], tc.set[1]).Err(); err != nil {
				t.Fatal(err)
			}
			if tc.asked == 2 { // a rewrite that takes long
				if err := rdb.ConfigSet(t.Context(), "rdb-key-save-delay", "10000000").Err(); err != nil {
					t.Fatal(err)
				}
				if err := rdb.Set(t.Context(), "ballast", "x", 0).Err(); err != nil {
					t.Fatal(err)
				}
				if err := rdb.BgRewriteAOF(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			}
			c := queue.NewClientFromRedis(rdb)
			for i := range 2 {
				if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: fmt.Sprint("v", i)}); err != nil {
					t.Errorf("job %d: %v", i, err)
				}
			}
			if f.questions() != tc.asked {
				t.Errorf("asked %d times, want %d", f.questions(), tc.asked)
			}
		})
	}
}

func TestSweepDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	f := newDiskFront(t, func() string { return notOnDisk })
	c := queue.NewClientFromRedis(connect(t, f.URL()))
	if rs, err := c.Offer(t.Context(), videos("v", 3)); err != nil || rs[2].State != queue.StateAccepted {
		t.Errorf("%+v, %v", rs, err)
	}
}

func TestVideoAcceptedLongAgoDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	f := newDiskFront(t, func() string { return onDisk })
	now := time.Now()
	srv, err := queue.NewServer(connect(t, f.URL()), queue.ServerConfig{Now: func() time.Time { return now }}, queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	c := srv.Client()
	for _, after := range []time.Duration{0, time.Minute} {
		now = now.Add(after)
		if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: "v"}); err != nil {
			t.Fatal(err)
		}
	}
	if f.questions() != 1 {
		t.Errorf("asked %d times; whoever polls a waiting video would wait a second each time", f.questions())
	}
}

func TestRedisWithoutWaitAOFIsAskedOnceInTenMinutes(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"Redis 7.0":  "-ERR unknown command 'waitaof', with args beginning with: '1' '0' '2000' \r\n",
		"Redis 6.2":  "-ERR unknown command `waitaof`, with args beginning with: `1`, `0`, `2000`, \r\n",
		"no AOF":     "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
		"forbidden":  "-NOPERM this user has no permissions to run the 'waitaof' command\r\n",
		"some proxy": "-ERR Command is not available: 'WAITAOF'\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDiskFront(t, func() string { return reply })
			now := time.Now()
			srv, err := queue.NewServer(connect(t, f.URL()), queue.ServerConfig{Now: func() time.Time { return now }}, queue.HandlerFunc(archives))
			if err != nil {
				t.Fatal(err)
			}
			c := srv.Client()
			for i, want := range []int{1, 1, 2} {
				if i == 2 {
					now = now.Add(11 * time.Minute)
				}
				if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: fmt.Sprint("v", i)}); err != nil {
					t.Fatal(err)
				}
				if f.questions() != want {
					t.Errorf("after %d jobs asked %d times; want %d", i+1, f.questions(), want)
				}
			}
		})
	}
}

// TestClusterIsAskedAtTheNodeOfTheLedger counts the complaints of a Redis that does not know WAITAOF.
func TestClusterIsAskedAtTheNodeOfTheLedger(t *testing.T) {
	t.Parallel()
	g := queuetest.Cluster3(t, queuetest.Guard{})
	c := queue.NewClientFromRedis(connect(t, g.URL))
	ours := make([]*redis.Client, len(g.Nodes))
	for i, n := range g.Nodes {
		ours[i] = n.Client()
		if err := ours[i].ConfigResetStat(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: "v"}); err != nil {
		t.Fatal(err)
	}
	home := int(ours[0].ClusterKeySlot(t.Context(), "{reelkeep}:ledger").Val() * 3 / 16384)
	for i, rdb := range ours {
		asked := strings.Contains(rdb.Info(t.Context(), "errorstats").Val(), "errorstat_ERR:count=1")
		if wrote := rdb.Exists(t.Context(), "{reelkeep}:synced").Val() == 1; asked != (i == home) || wrote != asked {
			t.Errorf("node %d: asked %v, written %v; the ledger is on node %d", i, asked, wrote, home)
		}
	}
}
