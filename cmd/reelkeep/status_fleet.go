package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

const (
	// screenTransfers and screenTrouble are how many lines of each a screen shows at most.
	screenTransfers, screenTrouble = 20, 8
)

// watchedFleet is the whole fleet.
type watchedFleet struct {
	run    *statusRun
	client *queue.Client

	at        time.Time
	overview  queue.Overview
	transfers []queue.Status
	troubled  []queue.Status
}

func (f *watchedFleet) look(ctx context.Context) (bool, error) {
	asking, cancel := patiently(ctx)
	defer cancel()
	o, err := f.client.Overview(asking)
	if err != nil {
		return false, fleetError(ctx, err)
	}
	var transfers, troubled []queue.Status
	if f.run.con.outTerminal && !f.run.json { // nobody else is shown these
		if transfers, err = f.client.Working(asking, queue.StepTransfer, screenTransfers); err != nil {
			return false, fleetError(ctx, err)
		}
		if troubled, err = f.client.Troubled(asking); err != nil {
			return false, fleetError(ctx, err)
		}
	}
	f.at, f.overview, f.transfers, f.troubled = time.Now(), o, transfers, troubled[:min(len(troubled), screenTrouble)]
	return false, nil
}

func (f *watchedFleet) end() error { return nil }

func (f *watchedFleet) tell(n *news) error {
	return n.tell("fleet", f.counts()+fmt.Sprintf("  at risk %d  overdue %d", f.overview.AtRisk, f.overview.Overdue), f.overview.States)
}

func (f *watchedFleet) counts() string {
	var b strings.Builder
	for i, state := range queue.States() {
		if i > 0 {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, "%s %d", state, f.overview.States[state])
	}
	return b.String()
}

func (f *watchedFleet) screen() []string {
	lines := []string{
		"reelkeep " + f.at.Format(time.TimeOnly) + " · Ctrl-C ends", "",
		f.counts(),
	}
	if text := urgency(f.overview, f.at); text != "" {
		lines = append(lines, text)
	}
	if n := int(f.overview.Tasks[queue.StepTransfer]["working"]); n > 0 {
		lines = append(lines, "", fmt.Sprintf("%s under way, %d waiting", plural(n, "transfer"), f.overview.Tasks[queue.StepTransfer]["waiting"]))
		lines = append(lines, transferLines(f.transfers)...)
		if more := n - len(f.transfers); more > 0 {
			lines = append(lines, fmt.Sprintf("  … and %d more", more))
		}
	}
	if len(f.troubled) > 0 {
		lines = append(lines, "", "went wrong last")
		for _, s := range f.troubled {
			lines = append(lines, "  "+troubleLine(s, f.at))
		}
	}
	return lines
}

// transferLines are the transfers, with what changes in a column of its own.
func transferLines(transfers []queue.Status) []string {
	wide := 0
	for _, s := range transfers {
		wide = max(wide, len(nameOf(s.Account, s.VideoID)))
	}
	var lines []string
	for _, s := range transfers {
		r := reportOfStatus(s)
		line := fmt.Sprintf("  %-*s  %-24s", wide, nameOf(r.Account, r.VideoID), r.progress())
		if r.Title != nil {
			line += "  " + *r.Title
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// troubleLine is one video that went wrong: when, and when it is tried again.
func troubleLine(s queue.Status, now time.Time) string {
	r := reportOfStatus(s)
	again := ""
	if !s.State.Settled() {
		again = ", again now"
		if s.NotBefore != nil && s.NotBefore.After(now) {
			again = ", again in " + roughly(s.NotBefore.Sub(now))
		}
	}
	return fmt.Sprintf("%-12s  %s  %s ago%s — %s", s.State, nameOf(r.Account, r.VideoID), roughly(max(now.Sub(s.UpdatedAt), 0)), again, r.why())
}

// nameOf is the id of a video, with its account if that is not the usual one.
func nameOf(account, id string) string {
	if account == defaultAccount {
		return id
	}
	return account + "/" + id
}
