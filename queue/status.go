package queue

import "time"

// AssetState is where one file of a video stands.
type AssetState string

const (
	AssetWaiting      AssetState = "waiting" // may still come
	AssetTransferring AssetState = "transferring"
	AssetStored       AssetState = "stored"
	AssetAbsent       AssetState = "absent" // HeyGen offers none
)

// AssetStatus is the progress of one file.
type AssetStatus struct {
	Asset string     `json:"asset"` // video, thumbnail, gif, captions or captioned_video
	State AssetState `json:"state"`
	Bytes int64      `json:"bytes"` // stored by now
	Total *int64     `json:"total"` // bytes; nil: not known yet
	// Fetched is how many bytes have come while it is transferred, stored or not.
	Fetched int64 `json:"fetched,omitempty"`
}

// ErrorInfo is the last thing that went wrong, in words for a person. Code is a word for programs, and may be empty,
// as Hint may: what a person can do.
type ErrorInfo struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Status is all that is known about a video without asking the bucket. Times are in UTC, to the millisecond.
type Status struct {
	VideoID   string
	Account   string
	State     State
	Reason    string     // of StateFailed: render_failed, render_timeout or gave_up
	Error     *ErrorInfo // nil: nothing went wrong since the last success
	Title     string     // HeyGen's; "" until it is known
	Deadline  *time.Time // when the earliest link that was seen dies; nil: not known yet
	Attempts  int        // transfers begun
	Failures  int        // failures since the last stored part
	NotBefore *time.Time // when it is looked at next, if it waits for that
	Working   bool       // handed to a worker just now

	AcceptedAt time.Time  // zero: a sweep found it archived
	UpdatedAt  time.Time  // when the state was last written; progress does not count
	SealedAt   *time.Time // when the manifest was written; nil: not yet
	Bytes      int64      // stored by now, all assets together
	Assets     []AssetStatus
	Metadata   map[string]string // what Job.Metadata brought; of a settled video only if it is small
	Priority   Priority
}

// Change is where a video stands since a moment ago. Not every change is one of its state.
type Change struct {
	Status
	Previous State // "" if nobody knows any more
}

// Fetched is how many bytes have come by now, all assets together, stored or not.
func (s Status) Fetched() int64 {
	var n int64
	for _, a := range s.Assets {
		n += max(a.Bytes, a.Fetched)
	}
	return max(n, s.Bytes)
}

// AtRisk says whether the video is unsealed and its deadline less than a day away.
func (s Status) AtRisk(now time.Time) bool {
	return s.SealedAt == nil && !s.State.Settled() && s.Deadline != nil && s.Deadline.Before(now.Add(riskWindow))
}

// riskWindow is DESIGN's "at risk": unsealed with less than this to go.
const riskWindow = 24 * time.Hour

// linkLife is how long HeyGen's links are announced to live; it stands in for a deadline nobody knows yet.
const linkLife = 7 * 24 * time.Hour
