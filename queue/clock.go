package queue

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// clockPatience is how long a reply may take to be believed: nobody knows when on its way it was made.
const clockPatience = time.Second

// clock is Redis's clock as a server knows it. What servers tell each other by time (signs of life, presence, what is
// due) goes by it: their own clocks may differ by a minute where each differs from Redis's by half of one.
type clock struct {
	own  func() time.Time
	rdb  redis.UniversalClient
	read *redis.Script

	mu    sync.Mutex
	at    time.Time // by Redis's clock
	asked time.Time // the same moment by ours; zero: not known yet
}

// newClock reads by a script, since it has a key: the nodes of a cluster may differ too, and the one that holds the
// ledger is asked.
func newClock(rdb redis.UniversalClient, own func() time.Time) *clock {
	return &clock{own: own, rdb: rdb, read: redis.NewScript(`return redis.call('TIME')`)}
}

// now goes on from the last reading by the difference of two of our own times. Where they are time.Now's, Go takes it
// from the monotonic clock, so that a step of ours moves nothing.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.own()
	if c.asked.IsZero() {
		return own
	}
	return c.at.Add(own.Sub(c.asked))
}

// set reads Redis's clock and says by how much it has moved against ours since the last reading.
func (c *clock) set(ctx context.Context) (moved time.Duration, err error) {
	before := c.own()
	reply, err := c.read.Run(ctx, c.rdb, []string{keyServers}).StringSlice()
	if err != nil {
		return 0, fmt.Errorf("read Redis's clock: %w", Explain(err))
	}
	took := c.own().Sub(before)
	at, err := parseTime(reply)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := before.Add(took / 2) // the reply was made somewhere between asking and hearing
	if !c.asked.IsZero() {
		if took > clockPatience {
			return 0, nil
		}
		moved = at.Sub(c.at.Add(asked.Sub(c.asked))).Abs()
	}
	c.at, c.asked = at, asked
	return moved, nil
}

// setClock reads Redis's clock. If it jumped, the others' signs of life are by the old time until their next beat.
func (s *Server) setClock(ctx context.Context) error {
	moved, err := s.clock.set(ctx)
	if moved > s.cfg.BeatEvery {
		s.distrust()
	}
	return err
}

// parseTime reads the reply of TIME: seconds, and microseconds.
func parseTime(reply []string) (time.Time, error) {
	if len(reply) != 2 {
		return time.Time{}, fmt.Errorf("read Redis's clock: TIME has %d parts, want 2", len(reply))
	}
	sec, err := strconv.ParseInt(reply[0], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read Redis's clock: %w", err)
	}
	micro, err := strconv.ParseInt(reply[1], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read Redis's clock: %w", err)
	}
	return time.Unix(sec, micro*1000), nil
}
