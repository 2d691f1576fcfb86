package queue

import (
	"fmt"
	"log/slog"
	"time"
)

// ServerConfig is how a server works. The zero value of each field means the default.
type ServerConfig struct {
	Concurrency       int // transfers at once; 8
	StatusConcurrency int // status calls at once; 4
	// DrainGrace is how long handlers may take to save what they have after ErrDraining; 8s. Run returns within two
	// seconds more. The platform's own grace period must be longer than both.
	DrainGrace time.Duration
	// Poll is how often the dispatcher looks for work that nobody told it of; 1s. IdlePoll is how often asynq asks for a
	// task while a slot is free, beside whenever this process has handed one in; 200ms, and never longer than Poll.
	Poll, IdlePoll time.Duration
	// MaxFailures is how many failures without a stored part between end a video; 10.
	MaxFailures int
	// BackoffBase and BackoffCap bound the pause after a failure, which doubles each time: 30s and 15m.
	BackoffBase, BackoffCap time.Duration
	// BeatEvery is how often a run shows that it is alive; 5s. A run silent for DeadAfter (30s) is handed out
	// again: shorter than that and a hiccup of Redis starts every transfer a second time.
	BeatEvery, DeadAfter time.Duration

	// OnChange is told of every state this server wrote, OnSettle of those that settle a video, both after Redis
	// holds it. Of a video that a client cancelled, one server of the fleet tells. They are called from the goroutine
	// that did the work and must be quick.
	OnChange func(Change)
	OnSettle func(Status)

	// Ready says whether this server can work at all; nil is always. While it can't, because the store is away, say, it is
	// handed nothing: every video would only be tried and put back. It is asked with every beat.
	Ready func() bool

	// Notify hears of what has become of videos, at least once and in its own time; nil: nothing is noted for anybody.
	// RiskEvery is how often it is looked for videos that have come to be at risk; 30s.
	Notify    Notifier
	RiskEvery time.Duration

	Log  *slog.Logger
	Now  func() time.Time
	Name string // names the server among others; random if empty. No two may share one.
	// Fingerprint names the store and the accounts. A server whose fingerprint is not that of the
	// fleet refuses to start; "" skips the check.
	Fingerprint string
}

func (c ServerConfig) withDefaults() ServerConfig {
	def(&c.Concurrency, 8)
	def(&c.StatusConcurrency, 4)
	def(&c.DrainGrace, 8*time.Second)
	def(&c.Poll, time.Second)
	def(&c.IdlePoll, min(c.Poll, 200*time.Millisecond))
	def(&c.MaxFailures, 10)
	def(&c.BackoffBase, 30*time.Second)
	def(&c.BackoffCap, 15*time.Minute)
	def(&c.BeatEvery, 5*time.Second)
	def(&c.DeadAfter, 30*time.Second)
	def(&c.RiskEvery, riskEvery)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Ready == nil {
		c.Ready = func() bool { return true }
	}
	if c.OnChange == nil {
		c.OnChange = func(Change) {}
	}
	if c.OnSettle == nil {
		c.OnSettle = func(Status) {}
	}
	return c
}

func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c ServerConfig) validate() error {
	switch {
	case c.Concurrency < 1 || c.StatusConcurrency < 1:
		return fmt.Errorf("queue: REELKEEP_CONCURRENCY: want at least 1, got %d (status: %d)", c.Concurrency, c.StatusConcurrency)
	case c.DrainGrace < 0 || c.Poll < 0 || c.IdlePoll < 0 || c.BackoffBase < 0 || c.BackoffCap < 0 || c.BeatEvery < 0:
		return fmt.Errorf("queue: a time of ServerConfig is negative")
	case c.DeadAfter < 2*c.BeatEvery:
		return fmt.Errorf("queue: DeadAfter (%s) must be at least twice BeatEvery (%s), or living runs are taken for dead", c.DeadAfter, c.BeatEvery)
	}
	return nil
}

func (c ServerConfig) slots(step Step) int {
	if step == StepTransfer {
		return c.Concurrency
	}
	return c.StatusConcurrency
}

// lookAhead is how many tasks may wait in asynq beyond the free slots. Status calls are short, so a slot would
// stand idle between two looks; transfers are long, and each one that waits there has left the order.
func lookAhead(step Step, slots int) int {
	if step == StepTransfer {
		return (slots + 3) / 4
	}
	return slots
}
