package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func TestFiveHundredTinyVideosPassInSeconds(t *testing.T) {
	mr := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: mr.Addr(), ContextTimeoutEnabled: true})
	defer rdb.Close()
	const n = 500
	var settled atomic.Int64
	all := make(chan struct{})
	cfg := ServerConfig{Poll: 10 * time.Millisecond, OnSettle: func(st Status) {
		if settled.Add(1) == n {
			close(all)
		}
	}}
	s, err := NewServer(rdb, cfg, HandlerFunc(func(ctx context.Context, w Work, p Progress) (Outcome, error) {
		if w.Step == StepStatus {
			return Outcome{State: StateTransferring}, nil
		}
		p.Stored("video", 1, 1)
		return Outcome{State: StateArchived, Bytes: 1}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var jobs []Job
	for i := range n {
		jobs = append(jobs, Job{VideoID: fmt.Sprintf("v%d", i)})
	}
	start := time.Now()
	if _, err := s.Client().EnqueueMany(ctx, jobs); err != nil {
		t.Fatal(err)
	}
	t.Log("enqueued", time.Since(start))
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		c, _ := s.Client().Counts(ctx)
		t.Fatal("timeout", settled.Load(), c)
	}
	t.Log("settled", time.Since(start))
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Log("drained", time.Since(start))
}
