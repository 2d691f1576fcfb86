package queue_test

import (
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

// A server that looks by itself only once an hour takes up at once what it is woken for.
func TestAWokenServerTakesUpWhatAnotherProcessHandedIn(t *testing.T) {
	onEach(t, func(b *bench) {
		s := b.serve(queue.ServerConfig{Poll: time.Hour, IdlePoll: 10 * time.Millisecond}, archives)
		b.enqueue(queue.Job{VideoID: "v"})
		s.wake()
		s.untilState("v", queue.StateArchived)
	})
}
