package notify

import (
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// Message is the body of a notification: a contract. Every key is always there; unknown is null.
type Message struct {
	Type      string    `json:"type"`      // video.archived, video.partial, video.failed or video.at_risk
	Timestamp time.Time `json:"timestamp"` // when it happened
	Data      Data      `json:"data"`
}

// Data is the video as it stood then. What it has in common with the API's description of a video is called the same.
type Data struct {
	VideoID    string            `json:"video_id"`
	Account    string            `json:"account"`
	State      string            `json:"state"`
	Reason     *string           `json:"reason"`
	Error      *report.Error     `json:"error"`
	Title      *string           `json:"title"`
	Deadline   *time.Time        `json:"deadline"`
	AcceptedAt *time.Time        `json:"accepted_at"`
	SealedAt   *time.Time        `json:"sealed_at"`
	Bytes      int64             `json:"bytes"`
	Assets     []report.Asset    `json:"assets"`
	Metadata   map[string]string `json:"metadata"`
}

func (s *Sender) message(n queue.Notification) Message {
	v := report.OfStatus(n.Status, n.At)
	if s.cfg.Permalink != nil {
		v = v.Linked(s.cfg.Permalink)
	}
	return Message{Type: string(n.Event), Timestamp: n.At.UTC(), Data: Data{
		VideoID: v.VideoID, Account: v.Account, State: v.State, Reason: v.Reason, Error: v.Error, Title: v.Title, Deadline: v.Deadline,
		AcceptedAt: v.AcceptedAt, SealedAt: v.SealedAt, Bytes: v.Bytes, Assets: v.Assets, Metadata: v.Metadata,
	}}
}
