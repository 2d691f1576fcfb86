package queue

import "time"

// AssetState is where one file of a video stands.
type AssetState string

const (
	AssetWaiting      AssetState = "waiting"
	AssetTransferring AssetState = "transferring"
	AssetStored       AssetState = "stored"
	AssetAbsent       AssetState = "absent"
)

// AssetStatus is the progress of one file.
type AssetStatus struct {
	Asset string     `json:"asset"`
	State AssetState `json:"state"`
	Bytes int64      `json:"bytes"`
	Total *int64     `json:"total"` // nil: not known yet
}

// ErrorInfo is the last thing that went wrong, in words for a person.
type ErrorInfo struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Status is all that is known about a video without asking the bucket.
type Status struct {
	VideoID   string
	Account   string
	State     State
	Reason    string
	Error     *ErrorInfo
	Title     string
	Deadline  *time.Time // nil: not known yet
	Attempts  int        // transfers begun
	Failures  int        // failures since the last stored part
	NotBefore *time.Time // when it is looked at next, if it waits for that
	Working   bool       // handed to a worker just now

	AcceptedAt time.Time
	UpdatedAt  time.Time
	SealedAt   *time.Time
	Bytes      int64
	Assets     []AssetStatus
	Metadata   map[string]string
	Priority   Priority
}

// Change is where a video stands since a moment ago. Not every change is one of its state.
type Change struct {
	Status
	Previous State // "" if nobody knows any more
}

// AtRisk says whether the video is unsealed and its deadline less than a day away.
func (s Status) AtRisk(now time.Time) bool {
	return s.SealedAt == nil && !s.State.Settled() && s.Deadline != nil && s.Deadline.Before(now.Add(riskWindow))
}

// riskWindow is DESIGN's "at risk": unsealed with less than this to go.
const riskWindow = 24 * time.Hour

// linkLife is how long HeyGen's links are announced to live; it stands in for a deadline nobody knows yet.
const linkLife = 7 * 24 * time.Hour
