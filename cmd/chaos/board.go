package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// scoreboard is the run in a table, as Markdown that a terminal can show too.
func scoreboard(d *director, p *plan, s *settling, v *verdict) string {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %-46s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	line("chaos", "seed %d, %s, %d workers, %d CPUs", p.Seed, p.Length, workers, runtime.NumCPU())
	fmt.Fprintf(&b, "|%s|%s|\n", strings.Repeat("-", 48), strings.Repeat("-", 12))
	line("videos", "%d (%d handed in, %d left for sweeps)", len(p.Videos), d.happened[handedIn], d.happened[leftForSweeps])
	for _, what := range []string{killWorker, stopWorker, freezeWorker, restartRedis, flushRedis, restartStore, breakStore, lateWrite, lateSeal, breakAPI, heygenAway, removeVideo} {
		line(what, "%d ×", d.happened[what])
	}
	faults := map[string]int{}
	expired := 0
	for _, r := range d.sim.Requests() {
		switch {
		case r.Host == "asset" && r.Fault != "":
			faults[r.Fault]++
		case r.Host == "asset" && r.Status == 403:
			expired++
		}
	}
	var told []string
	for _, k := range slices.Sorted(maps.Keys(faults)) {
		told = append(told, fmt.Sprintf("%s %d", strings.ReplaceAll(k, "_", " "), faults[k]))
	}
	line("faults of sources", "%s", strings.Join(told, ", "))
	line("links live "+linkLife.String()+"; used when dead", "%d ×", expired)
	line("settled after", "%s (%d retried by hand, %d handed in again)", s.took.Round(time.Second), s.retried, s.again)
	line("archived", "%d videos, %d files, %s", v.archived, v.assets, size(v.bill.stored))
	for _, k := range slices.Sorted(maps.Keys(v.explained)) {
		line("explained: "+k, "%d", v.explained[k])
	}
	line("manifests written · completed later · refused", "%d · %d · %d", v.sealed, v.completed, v.refused)
	billLines(line, v)
	line("promises broken", "**%d**", len(v.broken))
	return b.String()
}

func billLines(line func(what, format string, args ...any), v *verdict) {
	bill, a, ends := v.bill, v.allowed, 0
	for _, n := range v.cuts {
		ends += n
	}
	line("fetched", "%s in %d answers", size(bill.fetched), bill.answers)
	line("– answers that are not the file", "%s", size(bill.pages))
	line("– versions that the source then replaced", "%s", size(bill.replaced))
	line("– videos deleted on the way", "%s", size(bill.unsealed))
	line("– answers with a wrong range or length", "%s", size(bill.lies))
	line("– sources without ranges, begun again", "%s", size(bill.inOrder))
	line("– to recognise a file", "%d bytes", bill.seen)
	line("– left: fetched again", "%s", size(bill.rest))
	line("  of it though the store held it", "%d bytes, and %s by workers that had just woken", v.again, size(v.woken))
	line("  of it since the end of its upload was cut", "%s; %d ends were cut by kills", size(v.lost), ends)
	line("  at most", "%s = %d stops × %s parts in flight + %d wakings × %s + %s of %d answers cut + what the cut ends cost",
		size(a.bytes()), a.stops, size(memory), a.wakings, size(waking), size(a.cut), bill.cuts)
}

func size(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/mib) }

const (
	reportBegin = "<!-- Written by `make chaos`. -->"
	reportEnd   = "<!-- End of what `make chaos` writes. -->"
)

// writeReport puts the scoreboard into a page, between its two marks.
func writeReport(name, board string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the page for the scoreboard: %w", err)
	}
	head, rest, ok := strings.Cut(string(raw), reportBegin)
	_, foot, ok2 := strings.Cut(rest, reportEnd)
	if !ok || !ok2 {
		return errors.New(name + " has no place for the scoreboard: " + reportBegin + " … " + reportEnd)
	}
	if err := os.WriteFile(name, []byte(head+reportBegin+"\n\n"+board+"\n"+reportEnd+foot), 0o644); err != nil {
		return fmt.Errorf("write the scoreboard: %w", err)
	}
	return nil
}
