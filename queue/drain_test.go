package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// A platform kills a worker soon after it was told to stop. A Redis that takes connections and answers nothing is no
// reason to be still there then, and closing the connection afterwards must not crash the process.
func TestDrainEndsInTimeWhileRedisHangs(t *testing.T) {
	t.Parallel()
	for name, runs := range map[string]int{"idle": 0, "three transfers": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := queuetest.Redis(t)
			c, err := queue.NewClient(srv.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			h := newBlocks()
			s, err := c.NewServer(fast(queue.ServerConfig{DrainGrace: 8 * time.Second}), queue.HandlerFunc(h.handle))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			if _, err := c.EnqueueMany(t.Context(), videos("v", runs)); err != nil {
				t.Fatal(err)
			}
			for range runs {
				receive(t, "a transfer", h.started)
			}
			rdb := srv.Client()
			queuetest.Await(t, "asynq to have subscribed", func() bool {
				return rdb.PubSubNumSub(t.Context(), "asynq:cancel").Val()["asynq:cancel"] == 2
			})
			srv.Freeze()
			begun := time.Now()
			cancel()
			if err := receive(t, "the end of the drain", done); err != nil {
				t.Errorf("Run returned %v", err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("the drain took %s", took)
			}
			for range runs {
				receive(t, "a handler to hear of it", h.ended)
			}
		})
	}
}
