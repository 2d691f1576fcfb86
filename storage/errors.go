package storage

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound: there is no such object. For a manifest: the video is not archived.
	ErrNotFound = errors.New("not in the store")

	// ErrExists: another worker's object is there. Read theirs.
	ErrExists = errors.New("another one is already in the store; read that one")

	// ErrConflict: the object was replaced since it was read. Read it again.
	ErrConflict = errors.New("changed in the store since it was read; read it again")

	// ErrUploadGone: the upload was completed, aborted or begun anew by another worker. Start again from the manifest.
	ErrUploadGone = errors.New("the upload was ended by another worker or by the store; start again from the manifest")

	// ErrSealed: a manifest refers to the object, so it stays as it is.
	ErrSealed = errors.New("sealed by a manifest, which is never undone; archive a new generation instead")
)

// A RefusedError means that the store answered and said no: the keys, the bucket, a permission or the region are
// wrong, and waiting does not help until a person changes them.
type RefusedError struct {
	Op, Key string // what was tried, on which key or bucket
	Code    string // the store's word, such as AccessDenied
	Reason  string // the store's sentence or ours
	hint    string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s %s: the store refuses: %s: %s; %s", e.Op, e.Key, e.Code, e.Reason, e.hint)
}

// Hint says which setting to look at.
func (e *RefusedError) Hint() string { return e.hint }

// RetryAfter keeps a wrong key from ending anybody's job: it is looked at again once a minute.
func (e *RefusedError) RetryAfter() time.Duration { return time.Minute }

// An UnreachableError means that no usable answer came: the network, an overloaded or a full store.
type UnreachableError struct {
	Op, Key string
	Reason  string
	Full    bool // the store has no room left
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s %s: the store is out of reach: %s; %s", e.Op, e.Key, e.Reason, e.Hint())
}

// Hint says what a person can do.
func (e *UnreachableError) Hint() string {
	if e.Full {
		return "free some space or raise the quota of the bucket in REELKEEP_STORE"
	}
	return "check the network and AWS_ENDPOINT_URL_S3; a service tries again by itself"
}

// RetryAfter makes an outage cost time and never a job.
func (e *UnreachableError) RetryAfter() time.Duration {
	if e.Full {
		return 5 * time.Minute
	}
	return 30 * time.Second
}

// A DamagedError means that what lies in the store is not what was sent or what the manifest says.
type DamagedError struct {
	Key  string
	What string // "has 5 bytes, want 7"
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged: it %s; it must be stored again", e.Key, e.What)
}

// Hint says what a person can do.
func (e *DamagedError) Hint() string {
	return "an unsealed asset is fetched again by itself; for a sealed one run reelkeep verify"
}

// answerError is any other answer of the store: it concerns this object or this upload only.
type answerError struct {
	op, key, code, message string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s %s: the store answered %s: %s", e.op, e.key, e.code, e.message)
}
