package queue_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// realistic jobs look like those of an app: HeyGen's ids, and what the app wants to find again.
func realistic(n int) []queue.Job {
	jobs := make([]queue.Job, n)
	for i := range jobs {
		var id [16]byte
		_, _ = rand.Read(id[:])
		jobs[i] = queue.Job{VideoID: hex.EncodeToString(id[:]), Metadata: map[string]string{"order_id": fmt.Sprintf("A-%06d", i), "campaign": "spring-2026"}}
	}
	return jobs
}

// rendersFor is what a worker says of a video that is not ready: not a failure, but kept as the video's last word.
type rendersFor time.Duration

func (r rendersFor) Error() string {
	return "the video still renders (processing); it is looked at again later"
}
func (r rendersFor) RetryAfter() time.Duration { return time.Duration(r) }
func (r rendersFor) Code() string              { return "not_ready" }

// spent is what Redis itself says it uses, and what the keys add up to.
func (b *bench) spent() (used, keys int64) {
	b.t.Helper()
	ctx := b.t.Context()
	used, err := strconv.ParseInt(b.rdb.(*redis.Client).InfoMap(ctx, "memory").Item("Memory", "used_memory"), 10, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range b.rdb.Keys(ctx, "*").Val() {
		keys += b.rdb.MemoryUsage(ctx, k, 0).Val() // 0: look at every element
	}
	return used, keys
}

// scale tells what each of n videos costs since it was made.
type scale struct {
	*bench
	n          int64
	used, keys int64
}

// newScale counts from a Redis that is warm: scripts, connections and buffers are there.
func newScale(t *testing.T, n int) *scale {
	b := newBench(t, single(t, queuetest.Redis(t, "--appendfsync", "no").Addr()))
	warm := b.serve(queue.ServerConfig{}, archives)
	b.enqueue(queue.Job{VideoID: "warm"})
	warm.untilSettled(1)
	warm.drain()
	s := &scale{bench: b, n: int64(n)}
	s.used, s.keys = b.spent()
	return s
}

func (s *scale) assertAtMost(what string, most int64) {
	s.t.Helper()
	const connections = 1 << 20 // their buffers come and go, however many videos there are
	used, keys := s.spent()
	used, keys = used-s.used, keys-s.keys
	s.t.Logf("%d videos %s: %d bytes each in keys, %d of Redis's memory", s.n, what, keys/s.n, used/s.n)
	if keys > most*s.n || used-connections > most*s.n {
		s.t.Errorf("%d videos %s: %d bytes each in keys, %d of Redis's memory; want at most %d", s.n, what, keys/s.n, used/s.n, most)
	}
}

// assertMarksAreSmall takes the marks of the videos that were sealed last out of the account: there are 10,500 at the
// most (see TestRecentVideosAreBoundedAndHaveNoGap), with a few videos as with a million, so they have a bound of their own.
func (s *scale) assertMarksAreSmall(sealed int64) {
	s.t.Helper()
	const most = 200
	ctx := s.t.Context()
	marks, size := s.rdb.ZCard(ctx, "{reelkeep}:recent").Val(), s.rdb.MemoryUsage(ctx, "{reelkeep}:recent", 0).Val()
	s.t.Logf("%d marks of %d bytes, %d KiB at the most", marks, size/max(marks, 1), size/max(marks, 1)*10500>>10)
	if marks < min(sealed, 10000) || marks > 10500 || size > most*marks {
		s.t.Errorf("%d sealed videos have left %d marks of %d bytes; want one for each, up to 10500, of at most %d bytes", sealed, marks, size/max(marks, 1), most)
	}
	s.used, s.keys = s.used+size, s.keys+size
}

const realisticTitle = "Welcome to our spring collection 2026, Amelia!"

func TestTenThousandWaitingVideosTakeAFewMegabytes(t *testing.T) {
	t.Parallel()
	const n = 10000
	s := newScale(t, n)
	start := time.Now()
	s.enqueue(realistic(n)...)
	t.Logf("%d ids were accepted in %s", n, time.Since(start).Round(time.Millisecond))
	s.assertAtMost("accepted", 1500)
}

// TestVideosStaySmallInRedis takes videos through their states: what workers add must be small too.
func TestVideosStaySmallInRedis(t *testing.T) {
	t.Parallel()
	const n = 3000
	s := newScale(t, n)
	jobs := realistic(n)
	s.enqueue(jobs...)
	rendering := s.serve(queue.ServerConfig{StatusConcurrency: 50}, func(ctxT, queue.Work, queue.Progress) (queue.Outcome, error) {
		return queue.Outcome{State: queue.StateRendering, Title: realisticTitle}, rendersFor(time.Hour)
	})
	for range n {
		rendering.until("a video to render", func(st queue.Status) bool { return st.State == queue.StateRendering })
	}
	rendering.drain()
	s.assertAtMost("rendering", 1500)

	for _, j := range jobs {
		if _, err := s.client.Retry(t.Context(), "", j.VideoID); err != nil {
			t.Fatal(err)
		}
	}
	size, small := int64(31457280), int64(81234)
	archiving := s.serve(queue.ServerConfig{StatusConcurrency: 50, Concurrency: 50}, func(_ ctxT, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		if w.Step == queue.StepStatus {
			return queue.Outcome{State: queue.StateTransferring, Deadline: time.Now().Add(150 * time.Hour), FirstCompleted: time.Now()}, nil
		}
		p.Stored("video", size, size)
		return queue.Outcome{State: queue.StateArchived, Bytes: size + 3*small, SealedAt: time.Now(), Assets: []queue.AssetStatus{
			{Asset: "video", State: queue.AssetStored, Bytes: size, Total: &size}, {Asset: "thumbnail", State: queue.AssetStored, Bytes: small, Total: &small},
			{Asset: "gif", State: queue.AssetStored, Bytes: small, Total: &small}, {Asset: "captions", State: queue.AssetStored, Bytes: small, Total: &small},
			{Asset: "captioned_video", State: queue.AssetAbsent}}}, nil
	})
	archiving.untilSettled(n)
	archiving.drain()
	s.assertMarksAreSmall(n)
	s.assertAtMost("archived", 400)
	st := s.status(jobs[n/2].VideoID)
	if st.Title != realisticTitle || len(st.Assets) != 5 || st.Bytes != size+3*small || st.Metadata["order_id"] == "" || st.Deadline == nil || st.SealedAt == nil {
		t.Errorf("what is small has lost something: %+v", st)
	}
}
