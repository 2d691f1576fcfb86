package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/media"
)

// States a video can end in, as the queue and the manifest spell them.
const (
	StateFailed = "failed"
	StateGone   = "gone"
)

// reasonGaveUp is why a video failed that may be tried again as it is.
const reasonGaveUp = "gave_up"

// NotReadyError says that the video is not rendered yet. Waiting is no failure.
type NotReadyError struct {
	VideoID      string
	VendorStatus string        // the word HeyGen used
	After        time.Duration // when it is worth asking again
	Completed    time.Time     // when the render was first seen completed, though its link is still missing; else zero
}

func (e *NotReadyError) Error() string {
	if !e.Completed.IsZero() {
		return fmt.Sprintf("video %s is completed, but HeyGen has not published its link yet", e.VideoID)
	}
	if e.VendorStatus == string(heygen.StatusDraft) {
		return fmt.Sprintf("video %s is a draft: it was never rendered", e.VideoID)
	}
	return fmt.Sprintf("video %s is not rendered yet (HeyGen says %q)", e.VideoID, e.VendorStatus)
}

// RetryAfter says when to come back.
func (e *NotReadyError) RetryAfter() time.Duration { return e.After }

// RenderFailedError says that HeyGen could not render the video, or took longer than REELKEEP_RENDER_WAIT.
type RenderFailedError struct {
	VideoID  string
	TimedOut time.Duration // how long we waited, if that is the reason
	Code     string
	Message  string
}

func (e *RenderFailedError) Error() string {
	if e.TimedOut > 0 {
		return fmt.Sprintf("video %s was not rendered within %s (REELKEEP_RENDER_WAIT)", e.VideoID, e.TimedOut)
	}
	reason := e.Message
	if reason == "" {
		reason = "HeyGen gives no reason"
	}
	if e.Code != "" {
		reason += " (" + e.Code + ")"
	}
	return fmt.Sprintf("HeyGen could not render video %s: %s", e.VideoID, reason)
}

// Hint says what a person can do.
func (e *RenderFailedError) Hint() string {
	return "render it again in HeyGen; it will have a new id"
}

// Settle ends the video.
func (e *RenderFailedError) Settle() (state, reason string) {
	if e.TimedOut > 0 {
		return StateFailed, "render_timeout"
	}
	return StateFailed, "render_failed"
}

// DeniedError says that the key is good, but not for this video. It says nothing about others.
type DeniedError struct {
	VideoID string
	Err     error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("HeyGen denies access to video %s: %v", e.VideoID, e.Err)
}
func (e *DeniedError) Unwrap() error { return e.Err }

// Settle ends the video.
func (e *DeniedError) Settle() (state, reason string) { return StateFailed, reasonGaveUp }

// NoLinkError says that HeyGen calls a video completed and has not given a link to it for so long that none will come
// by itself. It counts as a failure.
type NoLinkError struct{ VideoID string }

func (e *NoLinkError) Error() string {
	return fmt.Sprintf("HeyGen says that video %s is completed, but gives no link to it", e.VideoID)
}

// Hint says what a person can do.
func (e *NoLinkError) Hint() string {
	return "open the video in HeyGen; if it plays there, ask HeyGen's support for its download"
}

// PartTooLargeError says that a file is so long, or its source says so, that one part of it does not fit into the memory.
// It counts as a failure: no file is known to be as long as it claims to be.
type PartTooLargeError struct{ Part, Memory int64 }

func (e *PartTooLargeError) Error() string {
	return fmt.Sprintf("a part of %d bytes, which a file of this length needs, is larger than REELKEEP_MEMORY, which is %d bytes", e.Part, e.Memory)
}

// Hint says what a person can do.
func (e *PartTooLargeError) Hint() string {
	return "if the file is really that long, raise REELKEEP_MEMORY and run reelkeep retry"
}

// GoneError says that HeyGen no longer knows the video.
type GoneError struct {
	VideoID string
	Key     string // where a person finds the key that was used
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("HeyGen does not know video %s: it was deleted, or the key in %s belongs to another account", e.VideoID, e.Key)
}

// Settle ends the video.
func (e *GoneError) Settle() (state, reason string) { return StateGone, "" }

// OutageError says that HeyGen, the store or the source is out of reach or overloaded. It never ends a video.
type OutageError struct {
	Of    string // "HeyGen", "the store" or OfSource
	Host  string // of OfSource: which one
	After time.Duration
	Err   error
}

func (e *OutageError) Error() string { return e.Of + " is out of reach: " + e.Err.Error() }
func (e *OutageError) Unwrap() error { return e.Err }

// RetryAfter says when to try again.
func (e *OutageError) RetryAfter() time.Duration { return e.After }

// BusyError says that the fleet has asked HeyGen as often as it allows itself just now. Nothing is wrong.
type BusyError struct {
	After time.Duration
	Err   error
}

func (e *BusyError) Error() string { return e.Err.Error() }
func (e *BusyError) Unwrap() error { return e.Err }

// RetryAfter says when there is room again.
func (e *BusyError) RetryAfter() time.Duration { return e.After }

// Quiet says that this is nothing to be told of.
func (e *BusyError) Quiet() bool { return true }

// RefusedError says that HeyGen or the store refuses our credentials, or that our own settings keep us from the source. Retrying
// a video does not help; a person must act. The videos wait.
type RefusedError struct {
	Of    string
	Host  string // of OfSource: the one that the link names
	After time.Duration
	Err   error
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// RetryAfter says when to look whether somebody has acted.
func (e *RefusedError) RetryAfter() time.Duration { return e.After }

const (
	// outageWait spaces the tries of one video during an outage: short enough that a restarted store is used
	// at once, long enough that hundreds of waiting videos are no storm.
	outageWait  = 10 * time.Second
	refusedWait = time.Minute
	// unreadableWait is longer: what can't be read may be about one video, and then it stays.
	unreadableWait = time.Minute
)

// heygenError turns an answer of HeyGen into what should happen next. No outage, whatever its form, counts as a failure of
// the video. An answer that can't be read looks the same whether HeyGen has a bad hour or the video is odd: it
// is an outage for as long as a render may take, and then a failure like others.
func (a *Archiver) heygenError(v Video, err error) error {
	var he *heygen.Error
	if !errors.As(err, &he) {
		return err
	}
	if he.Busy() {
		return &BusyError{After: he.Wait, Err: err}
	}
	switch he.Kind {
	case heygen.NotFound:
		return &GoneError{VideoID: v.ID, Key: a.keyIn(v)}
	case heygen.Forbidden:
		return &DeniedError{VideoID: v.ID, Err: err}
	case heygen.Unauthorized:
		return &RefusedError{Of: "HeyGen", After: max(he.Wait, refusedWait), Err: err}
	case heygen.Throttled, heygen.Down:
		return &OutageError{Of: "HeyGen", After: a.outageDelay(v, max(he.Wait, outageWait)), Err: err}
	case heygen.Unintelligible:
		if a.since(v.AcceptedAt) <= a.cfg.RenderWait {
			return &OutageError{Of: "HeyGen", After: a.outageDelay(v, max(he.Wait, unreadableWait)), Err: err}
		}
	}
	return err
}

// soon says whether it is worth waiting until HeyGen can be asked again, and how long HeyGen or our own budget wants us to
// stay away at least.
func soon(err error) (wait time.Duration, passes bool) {
	var busy *BusyError
	var outage *OutageError
	var he *heygen.Error
	if !errors.As(err, &he) || (!errors.As(err, &busy) && !errors.As(err, &outage)) {
		return 0, false
	}
	return he.Wait, true
}

// storeError turns an answer of the store into what should happen next.
func storeError(err error) error {
	var refused *storage.RefusedError
	if errors.As(err, &refused) {
		return &RefusedError{Of: "the store", After: refusedWait, Err: err}
	}
	var away *storage.UnreachableError
	if errors.As(err, &away) {
		wait := outageWait
		if away.Full { // somebody has to make room: nothing is gained by asking as often as after a restart
			wait = max(wait, away.RetryAfter())
		}
		return &OutageError{Of: "the store", After: wait, Err: err}
	}
	return err
}

// aboutAsset says whether an error concerns this asset alone. What passes by itself or waits for a person does not, and
// neither does a key that may not read the video.
func aboutAsset(err error) bool {
	var later interface{ RetryAfter() time.Duration }
	var denied *DeniedError
	return !errors.As(storeError(err), &later) && !errors.As(err, &denied)
}

// isNotThere says whether an optional asset is named by HeyGen but cannot be had.
func isNotThere(err error) bool {
	var gone *GoneError
	return errors.Is(err, fetch.ErrNotThere) || errors.Is(err, errWithdrawn) || errors.As(err, &gone)
}

// isRejected says whether the bytes are not what the asset should be, or not whole.
func isRejected(err error) bool {
	var wrong *media.WrongTypeError
	return errors.As(err, &wrong) || isDamaged(err)
}

func isDamaged(err error) bool {
	var damaged *media.DamagedError
	return errors.As(err, &damaged)
}
