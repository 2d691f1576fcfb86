package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// videoReport is one video as `status --json`, `list --json` and `archive --json` print it: DESIGN's shape,
// every key always there.
type videoReport struct {
	VideoID    string            `json:"video_id"`
	Account    string            `json:"account"`
	State      string            `json:"state"`
	Reason     *string           `json:"reason"`
	Error      *reportError      `json:"error"`
	Title      *string           `json:"title"`
	Deadline   *time.Time        `json:"deadline"`
	AtRisk     bool              `json:"at_risk"`
	Attempts   int               `json:"attempts"`
	AcceptedAt *time.Time        `json:"accepted_at"`
	UpdatedAt  *time.Time        `json:"updated_at"`
	SealedAt   *time.Time        `json:"sealed_at"`
	Bytes      int64             `json:"bytes"`
	Assets     []assetReport     `json:"assets"`
	Metadata   map[string]string `json:"metadata"`
}

type reportError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

type assetReport struct {
	Asset     string  `json:"asset"`
	State     string  `json:"state"`
	Bytes     int64   `json:"bytes"`
	Total     *int64  `json:"total"`
	Permalink *string `json:"permalink"`
}

func reportOfStatus(s queue.Status) videoReport {
	r := videoReport{
		VideoID: s.VideoID, Account: accountOf(s.Account), State: string(s.State), Reason: orNull(s.Reason),
		Title: orNull(s.Title), Deadline: utc(s.Deadline), Attempts: s.Attempts,
		AcceptedAt: known(s.AcceptedAt), UpdatedAt: known(s.UpdatedAt), SealedAt: utc(s.SealedAt),
		AtRisk: s.AtRisk(time.Now()), Bytes: s.Bytes, Assets: []assetReport{}, Metadata: s.Metadata,
	}
	if s.Error != nil {
		r.Error = &reportError{Code: s.Error.Code, Message: s.Error.Message, Hint: s.Error.Hint}
	}
	for _, a := range s.Assets {
		r.Assets = append(r.Assets, assetReport{Asset: a.Asset, State: string(a.State), Bytes: a.Bytes, Total: a.Total})
	}
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	return r
}

func reportOfManifest(m *storage.Manifest) videoReport { return reportOfStatus(statusOfManifest(m)) }

// statusOfManifest is what the queue would say of a sealed video.
func statusOfManifest(m *storage.Manifest) queue.Status {
	out := settled(m)
	sealed := m.SealedAt
	return queue.Status{
		VideoID: m.VideoID, Account: m.Account, State: out.State, Title: out.Title, UpdatedAt: sealed,
		SealedAt: &sealed, Bytes: out.Bytes, Assets: out.Assets, Metadata: m.Metadata,
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return utc(&t)
}

func utc(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

func accountOf(account string) string {
	if account == "" {
		return defaultAccount
	}
	return account
}

// linked fills in the permalinks of what is stored, where the process knows what they begin with.
func (r videoReport) linked(base string) videoReport {
	if base == "" {
		return r
	}
	r.Assets = slices.Clone(r.Assets)
	for i, a := range r.Assets {
		if a.State != string(queue.AssetStored) || r.SealedAt == nil {
			continue
		}
		if link, err := sharelink.Permalink(base, sharelink.File{Account: r.Account, VideoID: r.VideoID, Asset: a.Asset}); err == nil {
			r.Assets[i].Permalink = &link
		}
	}
	return r
}

// print writes the report as a line: for people with columns, else as JSON.
func (r videoReport) print(con *console, asJSON bool) error {
	if asJSON {
		return con.dataJSON(r.linked(con.permalinks))
	}
	return con.dataf("%s", r.line())
}

// line is the report for people.
func (r videoReport) line() string {
	line := fmt.Sprintf("%-9s  %s", r.State, r.VideoID)
	if progress := r.progress(); progress != "" {
		line += "  " + progress
	} else if n := r.count("stored"); n > 0 {
		line += fmt.Sprintf("  %9s  %s", config.FormatBytes(r.Bytes), plural(n, "asset"))
	}
	if r.Title != nil {
		line += "  " + oneLine(*r.Title)
	}
	if why := r.why(); why != "" {
		line += "  — " + oneLine(why)
	}
	return line
}

// progress is how far the asset is that is being transferred; if several are, the largest: it is done last.
func (r videoReport) progress() string {
	var best *assetReport
	for i, a := range r.Assets {
		if a.State == string(queue.AssetTransferring) && (best == nil || size(a) > size(*best)) {
			best = &r.Assets[i]
		}
	}
	switch {
	case best == nil:
		return ""
	case size(*best) <= 0:
		return best.Asset + " " + config.FormatBytes(best.Bytes)
	}
	return fmt.Sprintf("%s %d%% of %s", best.Asset, percent(best.Bytes, *best.Total), config.FormatBytes(*best.Total))
}

func size(a assetReport) int64 {
	if a.Total == nil {
		return 0
	}
	return *a.Total
}

// percent rounds down: 100% is all of it.
func percent(n, total int64) int64 { return int64(float64(n) / float64(total) * 100) }

func (r videoReport) count(state string) int {
	n := 0
	for _, a := range r.Assets {
		if a.State == state {
			n++
		}
	}
	return n
}

func (r videoReport) why() string {
	switch {
	case r.Error != nil:
		return r.Error.Message
	case r.Reason != nil:
		return *r.Reason
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
