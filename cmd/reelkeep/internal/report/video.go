package report

import (
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// Video is one video: where it stands, and what is stored of it.
type Video struct {
	VideoID    string            `json:"video_id" doc:"HeyGen's id of the video" example:"0a1b2c3d4e5f40718293a4b5c6d7e8f9"`
	Account    string            `json:"account" doc:"The HeyGen account whose video it is" example:"default"`
	State      string            `json:"state" enum:"accepted,rendering,transferring,partial,archived,failed,gone,cancelled" doc:"Where it stands. archived, failed, gone and cancelled are final; partial is archived, and an optional asset may still come" example:"archived"`
	Reason     *string           `json:"reason" doc:"Why a video failed: render_failed, render_timeout or gave_up; null for any other" example:"render_failed"`
	Error      *Error            `json:"error" doc:"The last thing that went wrong, null if nothing did since the last success"`
	Title      *string           `json:"title" doc:"HeyGen's title; null until it is known" example:"Launch"`
	Deadline   *time.Time        `json:"deadline" doc:"When the earliest link that was ever seen dies; null until one is known" example:"2026-11-30T10:00:00Z"`
	AtRisk     bool              `json:"at_risk" doc:"Whether it is not archived and its deadline less than a day away"`
	Attempts   int               `json:"attempts" doc:"Transfers begun" example:"1"`
	AcceptedAt *time.Time        `json:"accepted_at" doc:"When it was handed in; null for one that a sweep found archived" example:"2026-11-23T10:00:00Z"`
	UpdatedAt  *time.Time        `json:"updated_at" doc:"When its state was last written" example:"2026-11-23T10:05:00Z"`
	SealedAt   *time.Time        `json:"sealed_at" doc:"When its manifest was written: from then on it is safe. null: not yet" example:"2026-11-23T10:05:00Z"`
	Bytes      int64             `json:"bytes" doc:"Stored by now, all assets together" example:"31457280"`
	Assets     []Asset           `json:"assets" doc:"Its files; empty until HeyGen has told which there are" nullable:"false"`
	Metadata   map[string]string `json:"metadata" doc:"What was handed in with it" example:"{\"order\":\"17\"}"`
}

// Error is the last thing that went wrong.
type Error struct {
	Code    string `json:"code" doc:"What went wrong, in a word for programs; may be empty" example:"outage"`
	Message string `json:"message" doc:"What went wrong, for people" example:"the store is out of reach"`
	Hint    string `json:"hint" doc:"What can be done about it; may be empty" example:"check the network"`
}

// Asset is one file of a video.
type Asset struct {
	Asset     string  `json:"asset" enum:"video,thumbnail,gif,captions,captioned_video" doc:"Which file it is" example:"video"`
	State     string  `json:"state" enum:"waiting,transferring,stored,absent" doc:"Where it stands; absent: HeyGen offers none" example:"stored"`
	Bytes     int64   `json:"bytes" doc:"Stored by now" example:"31457280"`
	Total     *int64  `json:"total" doc:"Its size; null until it is known" example:"31457280"`
	Permalink *string `json:"permalink" doc:"Its address that never dies, for those who may see the video; null until it is stored" example:"https://videos.example.com/v/0a1b2c3d4e5f40718293a4b5c6d7e8f9/video"`
}

// OfStatus tells what the fleet knows of a video.
func OfStatus(s queue.Status, now time.Time) Video {
	v := Video{
		VideoID: s.VideoID, Account: Account(s.Account), State: string(s.State), Reason: OrNull(s.Reason),
		Title: OrNull(s.Title), Deadline: UTC(s.Deadline), Attempts: s.Attempts,
		AcceptedAt: known(s.AcceptedAt), UpdatedAt: known(s.UpdatedAt), SealedAt: UTC(s.SealedAt),
		AtRisk: s.AtRisk(now), Bytes: s.Bytes, Assets: []Asset{}, Metadata: s.Metadata,
	}
	if s.Error != nil {
		v.Error = &Error{Code: s.Error.Code, Message: s.Error.Message, Hint: s.Error.Hint}
	}
	for _, a := range s.Assets {
		v.Assets = append(v.Assets, Asset{Asset: a.Asset, State: string(a.State), Bytes: a.Bytes, Total: a.Total})
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	return v
}

// OfManifest tells what the archive knows of a video.
func OfManifest(m *storage.Manifest, now time.Time) Video { return OfStatus(StatusOf(m), now) }

// StatusOf is what the queue would say of a sealed video.
func StatusOf(m *storage.Manifest) queue.Status {
	sealed := m.SealedAt
	s := queue.Status{
		VideoID: m.VideoID, Account: m.Account, State: queue.State(m.State), Title: m.Video.Title, UpdatedAt: sealed,
		SealedAt: &sealed, Metadata: m.Metadata,
	}
	for _, asset := range m.Assets {
		total := asset.Bytes
		s.Bytes += asset.Bytes
		s.Assets = append(s.Assets, queue.AssetStatus{Asset: asset.Asset, State: queue.AssetStored, Bytes: asset.Bytes, Total: &total})
	}
	for _, absent := range m.Absent {
		state := queue.AssetAbsent
		if absent.Reason == storage.AbsentLate {
			state = queue.AssetWaiting
		}
		s.Assets = append(s.Assets, queue.AssetStatus{Asset: absent.Asset, State: state})
	}
	return s
}

// OrNull is a text, or null if there is none.
func OrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// UTC is a time as it is shown, or null if there is none.
func UTC(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

func known(t time.Time) *time.Time { return UTC(&t) }

// Account is the name of an account as it is shown.
func Account(name string) string {
	if name == "" {
		return queue.DefaultAccount
	}
	return name
}
