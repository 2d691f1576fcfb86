package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynqPause is how long asynq rests after it found nothing. The doorbell makes it wait, so this is next to nothing.
const asynqPause = time.Millisecond

// A doorbell wakes idle slots. asynq only polls: often, and an idle worker keeps Redis busy; seldom, and slots stand empty
// after each short video. But its questions pass here on their way to Redis. So one that would come right after an
// answer of "nothing" is held back until the dispatcher of this process has handed something in, or for patience, since
// other processes' dispatchers hand in, too.
type doorbell struct {
	patience time.Duration
	over     chan struct{}    // closed when nobody is to be held back any more
	bells    map[string]*bell // by the key of asynq's list
}

type bell struct {
	rung  chan struct{} // holds one token after a ring
	empty atomic.Bool   // the last question found nothing
}

func newDoorbell(patience time.Duration) *doorbell {
	d := &doorbell{patience: patience, over: make(chan struct{}), bells: map[string]*bell{}}
	for _, step := range []Step{StepStatus, StepTransfer} {
		d.bells[asynqKey(step, "pending")] = &bell{rung: make(chan struct{}, 1)}
	}
	return d
}

// asynqKey is where asynq keeps the tasks of a queue that are in a state.
func asynqKey(step Step, state string) string { return "asynq:{" + string(step) + "}:" + state }

// ring tells that a task was handed in.
func (d *doorbell) ring(step Step) { poke(d.bells[asynqKey(step, "pending")].rung) }

// of returns the bell of a question for a task: a script (its text or its digest, the number of keys, the keys) whose
// first key is a queue's list.
func (d *doorbell) of(cmd redis.Cmder) *bell {
	args := cmd.Args()
	if name := cmd.Name(); (name != "evalsha" && name != "eval") || len(args) < 4 {
		return nil
	}
	key, _ := args[3].(string)
	return d.bells[key]
}

func (d *doorbell) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *doorbell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d *doorbell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		b := d.of(cmd)
		if b == nil {
			return next(ctx, cmd)
		}
		if b.empty.Load() {
			d.wait(ctx, b)
		}
		err := next(ctx, cmd)
		b.empty.Store(errors.Is(err, redis.Nil))
		return err
	}
}

func (d *doorbell) wait(ctx context.Context, b *bell) {
	patience := time.NewTimer(d.patience)
	defer patience.Stop()
	select {
	case <-b.rung:
	case <-patience.C:
	case <-d.over:
	case <-ctx.Done():
	}
}
