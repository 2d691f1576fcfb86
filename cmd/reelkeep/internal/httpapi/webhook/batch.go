package webhook

import (
	"context"
	"errors"
	"sync"

	"github.com/reelkeep/reelkeep/queue"
)

const (
	// maxBatch is as many events as the queue puts into one script.
	maxBatch = 250
	// maxWaiting bounds what a Redis that hangs can pile up here.
	maxWaiting = 10_000
)

var errCrowded = errors.New("too many events wait for Redis (REELKEEP_REDIS)")

// batcher writes the events of requests that wait at the same time together: a renderer's burst costs Redis a few round
// trips and not two for each event. Whoever comes alone waits for nobody.
type batcher struct {
	queue Queue

	mu      sync.Mutex
	waiting []*letter
	busy    bool // somebody writes, and takes along who comes meanwhile
}

// letter is one event on its way.
type letter struct {
	job    queue.Job
	answer chan answer // with room for one: who wrote it need not be there any more
}

type answer struct {
	receipt queue.Receipt
	err     error
}

// signal returns when Redis holds the event. If ctx ends before, it may hold it or not.
func (b *batcher) signal(ctx context.Context, job queue.Job) (queue.Receipt, error) {
	l := &letter{job: job, answer: make(chan answer, 1)}
	b.mu.Lock()
	if len(b.waiting) >= maxWaiting {
		b.mu.Unlock()
		return queue.Receipt{}, errCrowded
	}
	b.waiting = append(b.waiting, l)
	idle := !b.busy
	b.busy = true
	b.mu.Unlock()
	if idle {
		go b.work(context.WithoutCancel(ctx)) // what others wait for doesn't end with this request
	}
	select {
	case a := <-l.answer:
		return a.receipt, a.err
	case <-ctx.Done():
		return queue.Receipt{}, context.Cause(ctx)
	}
}

// work writes until nobody waits.
func (b *batcher) work(ctx context.Context) {
	for {
		b.mu.Lock()
		batch := b.waiting[:min(len(b.waiting), maxBatch)]
		b.waiting = b.waiting[len(batch):]
		if len(batch) == 0 {
			b.waiting, b.busy = nil, false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		b.write(ctx, batch)
	}
}

func (b *batcher) write(ctx context.Context, batch []*letter) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	jobs := make([]queue.Job, len(batch))
	for i, l := range batch {
		jobs[i] = l.job
	}
	results, err := b.queue.Signal(ctx, jobs)
	for i, l := range batch {
		a := answer{err: err}
		if i < len(results) && (results[i].Err != nil || results[i].State != "") {
			a = answer{results[i].Receipt, results[i].Err}
		}
		l.answer <- a
	}
}
