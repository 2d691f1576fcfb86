package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// watchedVideos are the videos that somebody named.
type watchedVideos struct {
	run   *statusRun
	fleet *fleetLookup

	at     time.Time
	videos []*watchedVideo // nil until the first look
}

// watchedVideo is one of them. One that nobody knew at the first look has no report and is not waited for.
type watchedVideo struct {
	id     string
	report *videoReport
}

func (v *watchedVideo) open() bool { return v.report != nil && !queue.State(v.report.State).Settled() }

func (v *watchedVideos) look(ctx context.Context) (done bool, err error) {
	if v.videos == nil {
		if v.videos, err = v.first(ctx); err != nil {
			return false, err
		}
	} else if err := v.again(ctx); err != nil {
		return false, err
	}
	v.at = time.Now()
	for _, w := range v.videos {
		if w.open() {
			return false, nil
		}
	}
	return true, nil
}

func (v *watchedVideos) first(ctx context.Context) ([]*watchedVideo, error) {
	var videos []*watchedVideo
	seen := map[string]bool{}
	for _, id := range v.run.ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		report, err := v.fleet.video(ctx, id)
		if err != nil {
			return nil, err
		}
		videos = append(videos, &watchedVideo{id, report})
	}
	return videos, nil
}

// again asks for those that have not ended, all at once.
func (v *watchedVideos) again(ctx context.Context) error {
	var open []*watchedVideo
	var ids []string
	for _, w := range v.videos {
		if w.open() {
			open, ids = append(open, w), append(ids, w.id)
		}
	}
	asking, cancel := patiently(ctx)
	defer cancel()
	answers, err := v.fleet.client.StatusMany(asking, v.run.account, ids)
	if err != nil {
		return fleetError(ctx, err)
	}
	for i, a := range answers {
		switch {
		case errors.Is(a.Err, queue.ErrUnknown):
			open[i].report.Reason = report.OrNull("Redis has forgotten it; the worker that has it, or the next sweep, brings it back")
		case a.Err != nil:
			return fleetError(ctx, a.Err)
		default:
			report := reportOfStatus(a.Status)
			open[i].report = &report
		}
	}
	return nil
}

func (v *watchedVideos) tell(n *news) error {
	for _, w := range v.videos {
		if w.report == nil {
			if n.once(w.id) {
				v.run.unknown(w.id)
			}
			continue
		}
		if err := n.tell(w.id, w.report.line(), w.report.linked(v.run.con)); err != nil {
			return err
		}
	}
	return nil
}

func (v *watchedVideos) screen() []string {
	ended := 0
	var lines []string
	for _, w := range v.videos {
		if !w.open() {
			ended++
		}
		if w.report == nil {
			lines = append(lines, fmt.Sprintf("  %-12s  %s", "unknown", w.id))
			continue
		}
		// The line of other commands, with room for the longest state.
		state, rest, _ := strings.Cut(w.report.line(), " ")
		lines = append(lines, fmt.Sprintf("  %-12s  %s", state, strings.TrimLeft(rest, " ")))
	}
	head := fmt.Sprintf("reelkeep %s · %d of %s ended · Ctrl-C ends the watching", v.at.Format(time.TimeOnly), ended, plural(len(v.videos), "video"))
	return append([]string{head, ""}, lines...)
}

func (v *watchedVideos) end() error {
	var ends ends
	for _, w := range v.videos {
		ends.add(w.report)
	}
	return ends.err()
}
