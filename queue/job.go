package queue

import (
	"errors"
	"fmt"
	"time"
)

// DefaultAccount is the account of a job that names none.
const DefaultAccount = "default"

// MaxMetadata is how many bytes a caller may attach to one video, keys and values together: Redis holds them for as
// long as the video waits, and the manifest holds them for good.
const MaxMetadata = 8 << 10

var (
	// ErrUnknown says that neither the ledger nor the index knows the video.
	ErrUnknown = errors.New("queue: this video was never handed in; use `reelkeep enqueue ID`")
	// ErrSettled says that a video can't be cancelled because it is archived already.
	ErrSettled = errors.New("queue: the video is archived already; there is nothing left to cancel")
	// ErrInvalidJob is wrapped by every refusal of a job that could never be worked on.
	ErrInvalidJob = errors.New("queue: not a valid job")
)

// Priority says which of two equally urgent videos goes first.
type Priority string

const (
	// PriorityInteractive is for videos that somebody waits for; it is the default.
	PriorityInteractive Priority = "interactive"
	// PriorityBackfill is for videos that a sweep found.
	PriorityBackfill Priority = "backfill"
)

// Job is one video to archive. Only VideoID must be set.
type Job struct {
	// VideoID is HeyGen's id: 1 to 128 letters, digits, - or _.
	VideoID string
	// Account is the HeyGen account whose video it is, by the name it has in the workers' configuration. "" is
	// DefaultAccount.
	Account string
	// Priority says who goes first among videos that are not at risk. "" is PriorityInteractive.
	Priority Priority
	// Metadata is kept as it is, up to MaxMetadata bytes: Status shows it, and the manifest in the archive holds it.
	Metadata map[string]string
	// Deadline is when the copy of the link that somebody holds dies, as far as the caller knows. Zero: unknown,
	// and until a status call tells more the video is ordered as if it had seven days from now.
	Deadline time.Time
}

// State is where a video stands.
type State string

const (
	StateAccepted     State = "accepted"     // HeyGen has not been asked yet
	StateRendering    State = "rendering"    // HeyGen is not done with it
	StateTransferring State = "transferring" // rendered; its files are moved, or wait for a free slot
	StatePartial      State = "partial"      // sealed; an optional asset may still come
	StateArchived     State = "archived"     // sealed, and nothing more to come
	StateFailed       State = "failed"       // ended without an archived video; Status.Reason says why
	StateGone         State = "gone"         // HeyGen no longer knows it
	StateCancelled    State = "cancelled"
)

// States lists all of them in the order a video passes through; a fresh slice each time.
func States() []State {
	return []State{StateAccepted, StateRendering, StateTransferring, StatePartial,
		StateArchived, StateFailed, StateGone, StateCancelled}
}

// Settled says whether nothing more is to come by itself. A partial video is not settled.
func (s State) Settled() bool {
	switch s {
	case StateArchived, StateFailed, StateGone, StateCancelled:
		return true
	}
	return false
}

// ReasonGaveUp is the reason of a video that failed MaxFailures times without a stored part between.
const ReasonGaveUp = "gave_up"

// Receipt is the answer to a job that was handed in.
type Receipt struct {
	VideoID string
	// State is StateAccepted for a job that starts now, also where an earlier one failed, is gone or was cancelled;
	// for a duplicate it is where the video stands.
	State State
	// Duplicate says that the video was known: it is waiting or under way, or archived. Nothing is started a second
	// time; a higher priority, an earlier deadline and new metadata keys are taken over while it waits.
	Duplicate bool
}

// Result is the answer to one job of many: Err belongs to this job alone.
type Result struct {
	Receipt
	Err error
}

// The shapes are those of DESIGN's bucket layout: both names become parts of object keys.
func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return false
		}
	}
	return true
}

// normalize fills in defaults and refuses what can't become an object key.
func (j Job) normalize() (Job, error) {
	if !validID(j.VideoID) {
		return j, fmt.Errorf("%w: video id %q: want 1 to 128 letters, digits, - or _", ErrInvalidJob, clip(j.VideoID, 140))
	}
	if j.Account == "" {
		j.Account = DefaultAccount
	}
	if !validID(j.Account) {
		return j, fmt.Errorf("%w: account %q: want 1 to 128 letters, digits, - or _", ErrInvalidJob, clip(j.Account, 140))
	}
	switch j.Priority {
	case "":
		j.Priority = PriorityInteractive
	case PriorityInteractive, PriorityBackfill:
	default:
		return j, fmt.Errorf("%w: priority %q of %s: want interactive or backfill", ErrInvalidJob, clip(string(j.Priority), 40), j.VideoID)
	}
	if n := metadataSize(j.Metadata); n > MaxMetadata {
		return j, fmt.Errorf("%w: metadata of %s has %d bytes: at most %d are kept", ErrInvalidJob, j.VideoID, n, MaxMetadata)
	}
	return j, nil
}

func metadataSize(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}
