package queue

import (
	"context"
	"errors"
	"time"
)

// Step is what a worker is to do with a video next.
type Step string

const (
	// StepStatus asks HeyGen how far the video is: short.
	StepStatus Step = "status"
	// StepTransfer moves its files: long.
	StepTransfer Step = "transfer"
)

// Interruption says what cut a transfer off before it could answer.
type Interruption string

const (
	InterruptedByDrain Interruption = "drain" // its worker was told to stop
	InterruptedByCrash Interruption = "crash" // its worker fell silent
)

var (
	// ErrDraining is the cause of a handler's context when the server stops. The handler saves what it has and
	// returns; whatever error it returns is not a failure, and another worker takes over at once.
	ErrDraining = errors.New("queue: this worker is shutting down; another one takes over")
	// ErrCancelled is the cause of a handler's context when somebody cancelled the video.
	ErrCancelled = errors.New("queue: the video was cancelled")
	// ErrSuperseded is the cause of a handler's context when another run of the same video took its place.
	ErrSuperseded = errors.New("queue: another worker has taken this video over")

	errTooLong = errors.New("queue: the step took longer than its time limit")
	errDied    = errors.New("the worker stopped without a word (killed, out of memory, or cut off from Redis)")
)

// Work is a video handed to a worker.
type Work struct {
	Job
	Step           Step
	AcceptedAt     time.Time
	FirstCompleted time.Time // when a status call first said completed; zero: never
	Attempts       int
	Failures       int // in a row, without a stored part between
	// Epoch counts how often the video was handed out. A run whose epoch is not the ledger's is stale.
	Epoch int64
	// State is the state the video was in when it was handed out.
	State State
	// Interrupted says what cut off the last transfer that stored anything; "" if it answered, or if there was none.
	Interrupted Interruption
}

// Outcome says where the video goes after a step.
//
// StateAccepted and StateRendering: ask for the status again, After from now. StateTransferring: the transfer is
// next. StatePartial: sealed, but look again After from now. The other states settle the video.
type Outcome struct {
	State          State
	Reason         string
	After          time.Duration
	Deadline       time.Time // the earliest Expires seen; a later one never replaces an earlier one
	FirstCompleted time.Time
	Title          string
	Bytes          int64
	SealedAt       time.Time
	Assets         []AssetStatus
}

// Handler works on one step of one video. It MUST return soon after its context ends, and it MAY be run again for
// a video that is done already: a stale run is possible and must be harmless.
//
// An error that answers RetryAfter() time.Duration (found with errors.As) is not a failure: the video comes back
// then; if it also answers Quiet() with true, nothing is wrong and it is not shown. One that answers Settle() (state, reason string) ends the video so. Any other error is a failure: it is
// tried again after a growing pause, and given up after MaxFailures of them without a stored part between.
// Error texts are shown to people and kept in Redis: the handler MUST have taken keys and link queries out.
// If an error answers Hint() string or Code() string, those are kept too.
type Handler interface {
	Handle(ctx context.Context, w Work, p Progress) (Outcome, error)
}

// HandlerFunc is a Handler made of a function.
type HandlerFunc func(ctx context.Context, w Work, p Progress) (Outcome, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, w Work, p Progress) (Outcome, error) {
	return f(ctx, w, p)
}

// Progress is how a handler tells of parts that are safe in the store.
type Progress interface {
	// Stored says that n bytes of the asset are stored by now, all parts together, of total (-1: unknown).
	// It resets the failure budget. It does no I/O and may be called as often as parts are stored,
	// from several goroutines.
	Stored(asset string, n, total int64)
	// Fetching says that the file's bytes begin to move, or do so again: stored of total are there from before. title is
	// the video's, "" if it is not known. Fetched says that n more have come, stored or not. Both are for people to watch
	// and say nothing of failures. They do no I/O.
	Fetching(title, asset string, stored, total int64)
	Fetched(asset string, n int64)
}

type retryAfter interface{ RetryAfter() time.Duration }

type quiet interface{ Quiet() bool }

type settler interface{ Settle() (state, reason string) }
