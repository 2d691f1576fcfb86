package queue_test

import (
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// Each clock is less than 30 s away from Redis's, which CheckRedis allows; from each other they are nearly a minute.
func TestServersWhoseClocksDifferLeaveEachOthersRunsAlone(t *testing.T) {
	onAll(t, func(b *bench) {
		at := func(off time.Duration) queue.ServerConfig {
			return queue.ServerConfig{Now: func() time.Time { return time.Now().Add(off) }}
		}
		h := newBlocks()
		b.serve(at(-29*time.Second), h.handle)
		b.enqueue(videos("v", 4)...)
		for range 4 {
			receive(b.t, "a transfer", h.started)
		}
		b.serve(at(29*time.Second), h.handle)
		looks, last := 0, ""
		queuetest.Await(b.t, "both servers to have looked for the dead", func() bool {
			if now := b.rdb.Get(b.t.Context(), "{reelkeep}:tick:reconcile").Val(); now != last {
				last, looks = now, looks+1
			}
			return looks > 8
		})
		if n := b.rdb.HLen(b.t.Context(), "{reelkeep}:servers").Val(); n != 2 {
			b.t.Errorf("%d servers are present, want 2", n)
		}
		close(h.release)
		queuetest.Await(b.t, "all to be archived", func() bool {
			counts, err := b.client.Counts(b.t.Context())
			return err == nil && counts[queue.StateArchived] == 4
		})
		for _, v := range videos("v", 4) {
			if st := b.status(v.VideoID); st.Attempts != 1 || st.Failures != 0 {
				b.t.Errorf("%s took %d attempts; a living run was taken for dead", st.VideoID, st.Attempts)
			}
		}
	})
}
