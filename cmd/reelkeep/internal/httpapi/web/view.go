package web

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// item is one video as it is shown. What HeyGen says in it (title, error) is only ever text.
type item struct {
	Key, ID      string
	Sign         string // changes with what is shown
	Other        string // its account, where that must be named
	Query        string // of links to it
	Title        string
	State, Word  string
	Why          string // the reason in words
	Error        *queue.ErrorInfo
	Size, Length string
	Sealed       *moment
	Updated      *moment
	Poster       bool // there is a thumbnail
	CanRetry     bool
	CanCancel    bool
	Progress     *progress // of a video on its way
	AtRisk       bool
	Deadline     *moment
}

// moment is a time, told twice.
type moment struct {
	ISO, Full, Words string
	Past             bool
}

// progress is how far a video has come.
type progress struct {
	Key, Title  string
	Done, Total int64 // Total 0: not known
	Percent     int
	Text        string // what is going on
}

func (h *Handler) item(s queue.Status) item {
	now := h.Now()
	v := item{
		Key: keyOf(s), Sign: h.signature(s), ID: s.VideoID, Title: cmp.Or(strings.TrimSpace(s.Title), s.VideoID),
		State: string(s.State), Word: wordOf(s.State), Why: whyOf(s), Error: s.Error, Size: config.FormatBytes(s.Bytes),
		Sealed: since(s.SealedAt, now), AtRisk: s.AtRisk(now),
		CanRetry:  s.Error != nil && !s.State.Settled() || slices.Contains([]queue.State{queue.StateFailed, queue.StateGone, queue.StateCancelled}, s.State),
		CanCancel: slices.Contains(runningStates(), s.State), Progress: progressOf(s, now),
	}
	if account := report.Account(s.Account); account != queue.DefaultAccount {
		v.Other, v.Query = account, "?account="+account
	}
	if !s.UpdatedAt.IsZero() {
		v.Updated = since(&s.UpdatedAt, now)
	}
	if s.SealedAt == nil && !s.State.Settled() && s.Deadline != nil {
		v.Deadline = since(s.Deadline, now)
	}
	for _, a := range s.Assets {
		v.Poster = v.Poster || s.SealedAt != nil && a.Asset == "thumbnail" && a.State == queue.AssetStored
	}
	return v
}

// complete adds what only the manifest knows.
func (v *item) complete(m *storage.Manifest) {
	if m == nil {
		return
	}
	if d := m.Video.DurationSeconds; d > 0 {
		v.Length = formatLength(d)
	}
	if title := strings.TrimSpace(m.Video.Title); title != "" {
		v.Title = title // the index may have cut it
	}
	_, v.Poster = m.Asset("thumbnail")
}

func wordOf(s queue.State) string {
	return map[queue.State]string{
		queue.StateAccepted: "waiting", queue.StateRendering: "rendering", queue.StateTransferring: "transferring", queue.StatePartial: "more to come",
		queue.StateArchived: "archived", queue.StateFailed: "failed", queue.StateGone: "gone", queue.StateCancelled: "cancelled",
	}[s]
}

func whyOf(s queue.Status) string {
	switch {
	case s.State == queue.StateGone:
		return "HeyGen no longer knows this video."
	case s.State == queue.StateFailed && s.Reason == "render_failed" && s.Error != nil:
		return "" // HeyGen's own words are enough
	case s.State == queue.StateFailed:
		if why := map[string]string{
			"render_failed": "HeyGen could not render it.", "render_timeout": "The render took too long.",
			queue.ReasonGaveUp: "Given up after many tries.",
		}[s.Reason]; why != "" {
			return why
		}
		return s.Reason
	case s.Error != nil && !s.State.Settled():
		return "It will be tried again by itself."
	}
	return ""
}

// progressOf says how far the files are; nil for a video that is not on its way.
func progressOf(s queue.Status, now time.Time) *progress {
	if !slices.Contains(runningStates(), s.State) {
		return nil
	}
	p := &progress{Key: keyOf(s), Title: cmp.Or(strings.TrimSpace(s.Title), s.VideoID), Done: s.Fetched(), Text: "Waits for its turn"}
	if s.Working {
		p.Text = "Begins"
	}
	for _, a := range s.Assets {
		switch {
		case a.State == queue.AssetAbsent:
		case a.Total != nil:
			p.Total += *a.Total
		case a.Asset == "video":
			p.Total = -1 << 40 // what matters most is not known
		}
	}
	p.Total = max(p.Total, 0)
	switch {
	case p.Total > 0:
		p.Percent = int(min(100, 100*p.Done/p.Total))
		p.Text = fmt.Sprintf("%s of %s", config.FormatBytes(p.Done), config.FormatBytes(p.Total))
	case p.Done > 0:
		p.Text = config.FormatBytes(p.Done)
	case s.State == queue.StateRendering:
		p.Text = "HeyGen is rendering it"
	case s.State == queue.StateAccepted:
		p.Text = "HeyGen has not been asked yet"
	}
	if s.NotBefore != nil && s.NotBefore.After(now.Add(time.Second)) && !s.Working {
		p.Text += ", looked at again in " + formatSpan(s.NotBefore.Sub(now))
	}
	return p
}

// since tells a time, and how far away it is.
func since(t *time.Time, now time.Time) *moment {
	if t == nil || t.IsZero() {
		return nil
	}
	m := &moment{ISO: t.UTC().Format(time.RFC3339), Full: t.UTC().Format("2 January 2006, 15:04 UTC"), Past: now.After(*t)}
	switch d := now.Sub(*t); {
	case d < -time.Second:
		m.Words = "in " + formatSpan(-d)
	case d < 10*time.Second:
		m.Words = "just now"
	default:
		m.Words = formatSpan(d) + " ago"
	}
	return m
}

// formatSpan tells a duration by its largest unit.
func formatSpan(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second))) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 2*day:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d < 60*day:
		return strconv.Itoa(int(d/day)) + " days"
	case d < 2*365*day:
		return strconv.Itoa(int(d/(30*day))) + " months"
	}
	return strconv.Itoa(int(d/(365*day))) + " years"
}

func formatLength(seconds float64) string {
	s := int(min(seconds, 1e6) + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// file is one asset of a video's own page.
type file struct {
	Asset, Name     string
	Key             string // the name of its file
	State           string
	Size            string
	SHA256, CRC     string
	Type            string
	Stored          *moment
	Path, Permalink string // the way from /, and the whole address where that is known
	Absent          string // why there is none
}

// filesOf lists the files of a video: the manifest's, or what the in-tray knows of them.
func (h *Handler) filesOf(s queue.Status, m *storage.Manifest, query string) []file {
	if m == nil {
		files := make([]file, 0, len(s.Assets))
		for _, a := range s.Assets {
			f := file{Asset: a.Asset, Name: nameOf(a.Asset), State: string(a.State), Size: config.FormatBytes(a.Bytes)}
			if a.State == queue.AssetAbsent {
				f.Absent = "HeyGen offers none"
			}
			files = append(files, f)
		}
		return files
	}
	files := make([]file, 0, len(m.Assets)+len(m.Absent))
	for _, a := range m.Assets {
		stored := a.StoredAt
		files = append(files, file{
			Asset: a.Asset, Name: nameOf(a.Asset), Key: path.Base(a.Key), State: string(queue.AssetStored), Size: config.FormatBytes(a.Bytes), SHA256: a.SHA256, CRC: a.CRC64NVME,
			Type: a.ContentType, Stored: since(&stored, h.Now()), Path: "v/" + m.VideoID + "/" + a.Asset + query,
			Permalink: h.Links.Permalink(m.Account, m.VideoID, a.Asset),
		})
	}
	for _, a := range m.Absent {
		why := map[string]string{storage.AbsentLate: "may still come", storage.AbsentNotOffered: "HeyGen offers none", storage.AbsentGone: "HeyGen no longer has it"}[a.Reason]
		files = append(files, file{Asset: a.Asset, Name: nameOf(a.Asset), Absent: cmp.Or(why, a.Reason)})
	}
	return files
}

func nameOf(asset string) string {
	return cmp.Or(map[string]string{"video": "Video", "thumbnail": "Thumbnail", "gif": "GIF", "captions": "Captions", "captioned_video": "Captioned video"}[asset], asset)
}
