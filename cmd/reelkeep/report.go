package main

import (
	"fmt"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/permalink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// videoReport is one video as `status --json`, `list --json` and `archive --json` print it, and as a line for people.
type videoReport struct{ report.Video }

func reportOfStatus(s queue.Status) videoReport {
	return videoReport{report.OfStatus(s, time.Now())}
}

func reportOfManifest(m *storage.Manifest) videoReport {
	return videoReport{report.OfManifest(m, time.Now())}
}

// linked is what is printed as JSON: with permalinks, where the process knows what they begin with.
func (r videoReport) linked(con *console) report.Video {
	return r.Linked((&permalink.Links{Base: con.permalinks}).Permalink)
}

// print writes the report as a line: for people with columns, else as JSON.
func (r videoReport) print(con *console, asJSON bool) error {
	if asJSON {
		return con.dataJSON(r.linked(con))
	}
	return con.dataf("%s", r.line())
}

// line is the report for people.
func (r videoReport) line() string {
	line := fmt.Sprintf("%-9s  %s", r.State, r.VideoID)
	if r.Account != defaultAccount {
		line += "  @" + r.Account // as its folder in the archive
	}
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
	var best *report.Asset
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

func size(a report.Asset) int64 {
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
