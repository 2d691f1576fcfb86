//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
)

// text is the outcome for a terminal.
func (o *outcome) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (rounds: %d)\n", o.Title, o.Rounds)
	fmt.Fprintf(&b, "  %-40s %22s %20s %7s %7s %9s\n", "", "seconds (min … max)", "reelkeep ÷ this", "cpu s", "rss MB", "store cpu")
	for i, c := range o.Clients {
		ratio := fmt.Sprintf("%.2f (%.2f … %.2f)", c.Ratio.Median, c.Ratio.Min, c.Ratio.Max)
		if i == 0 {
			ratio = ""
		}
		fmt.Fprintf(&b, "  %-40s %6.2f (%5.2f … %5.2f) %20s %7.2f %7.0f %9.2f\n", c.Name, c.Wall.Median, c.Wall.Min, c.Wall.Max, ratio, c.CPU.Median, c.RSS.Max, c.StoreCPU.Median)
		if i > 0 && c.Thrown > 0 {
			fmt.Fprintf(&b, "    %d of its pairs thrown away: the calibration loop beside them was slow\n", c.Thrown)
		}
	}
	if o.Files > 1 {
		fmt.Fprintf(&b, "  reelkeep: %.0f files a second, %.0f MB a second\n", float64(o.Files)/o.ours().Wall.Median, float64(o.Bytes)/1e6/o.ours().Wall.Median)
	}
	for _, g := range o.Goals {
		fmt.Fprintf(&b, "  goal %s\n", g)
	}
	return b.String()
}

const pageHead = `# How fast

Made by ` + "`make bench`" + `, which anybody can run: it brings what it needs, and takes about half an hour on two cores. What is
measured is the whole way of the bytes, from a source that knows ranges to objects in an S3 store, on one machine: nginx, MinIO and
the client share its cores, so **every CPU second a client wastes is missing in the store**. The absolute times mean nothing on
another machine; the ratios mean more.

`

const pageRules = `## How it was measured

- Source: nginx with ranges, from memory. Store: MinIO, one process, into memory (tmpfs). All on one machine, without TLS. reelkeep
  asks a simulated HeyGen for its links, and is at its defaults unless a case says otherwise.
- *reelkeep* does here what it always does: it probes the store, computes SHA-256 and CRC64NVME of every byte and compares them with
  what the store says it holds, looks whether a video is one, keeps what a successor would need, and seals a manifest. The peers do
  a part of that at the most; none goes on where a killed process has stopped.
- *bare loop* is the limit: a program of ours that only reads ranges and hands their bytes to UploadPart, without a checksum, a retry
  or a signature over the payload, with the number of streams and the size of parts that did best.
- After a warm-up of each, every round runs each client once, every other round in the opposite order. A ratio is reelkeep's time
  divided by the other's in the same round, below 1 if reelkeep is faster; the median of all rounds is given, with the least and the most.
- A fixed calibration loop runs before and behind each run. A pair is thrown away only if that loop took more than 1.25 times as
  long as usual beside one of its runs. Below each table it says if any was.
- After every run, every object is read back and compared with the source (SHA-256), and so are reelkeep's manifests. A client that
  stored something else would end the measurement.
- CPU is user and system time of the client's processes as the kernel counts it; memory is the peak of its resident set, for
  processes that run together the sum of theirs. The store's CPU is MinIO's over the same time.
- *1 run* stands at clients that take so long that the spread would tell nothing: they read in one stream, at the source's pace, or
  start two processes for each file.

`

// writePage makes the page from all cases that were measured in full.
func writePage(path, results string) error {
	all, err := loadOutcomes(results)
	if err != nil || len(all) == 0 {
		return err
	}
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString(summary(all))
	last := all[0]
	for _, o := range all {
		b.WriteString(o.markdown())
		if o.When.After(last.When) {
			last = o
		}
	}
	b.WriteString(byHand(path))
	b.WriteString(pageRules)
	fmt.Fprintf(&b, "## The machine\n\n%s.\n\n%s.\n", last.Machine.text(), strings.Join(last.Machine.Versions, " · "))
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	fmt.Printf("\nwritten: %s\n", path)
	return nil
}

// handHead begins the one section of the page that people write: what profiles say of the figures.
const handHead = "## Where the time goes\n"

// byHand is that section of the page as it is now; "" if there is none.
func byHand(path string) string {
	page, _ := os.ReadFile(path) // not made yet: nothing is lost
	_, text, ok := strings.Cut(string(page), handHead)
	if !ok {
		return ""
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return handHead + strings.TrimRight(text, "\n") + "\n\n"
}

// summary is a line for each case.
func summary(all []*outcome) string {
	var b strings.Builder
	b.WriteString("| case | reelkeep | the limit takes | the best peer takes |\n|---|---|---|---|\n")
	for _, o := range all {
		row := fmt.Sprintf("| %s | **%.2f s** |", o.Title, o.ours().Wall.Median)
		for _, kind := range []func(*clientOutcome) bool{isLimit, isPeer} {
			if c := o.best(kind); c.Name == "" {
				row += " not measured |"
			} else {
				row += fmt.Sprintf(" %.2f s, reelkeep **%.2f** of that (%s) |", c.Wall.Median, c.Ratio.Median, c.Name)
			}
		}
		b.WriteString(row + "\n")
	}
	return b.String() + "\n"
}

// markdown is the outcome for the page.
func (o *outcome) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", o.Title)
	if o.Files > 1 {
		fmt.Fprintf(&b, "%d files, %d MB in all: reelkeep stores **%.0f files** or %.0f MB a second.\n", o.Files, o.Bytes/1e6,
			float64(o.Files)/o.ours().Wall.Median, float64(o.Bytes)/1e6/o.ours().Wall.Median)
	}
	if o.Note != "" {
		b.WriteString(o.Note + "\n")
	}
	if o.Files > 1 || o.Note != "" {
		b.WriteString("\n")
	}
	b.WriteString("| client | seconds: median (least … most) | reelkeep takes … of that | client's CPU seconds | peak MB | store's CPU seconds |\n|---|---|---|---|---|---|\n")
	thrown := 0
	for i, c := range o.Clients {
		name, ratio := c.Name, fmt.Sprintf("**%.2f** (%.2f … %.2f)", c.Ratio.Median, c.Ratio.Min, c.Ratio.Max)
		wall := fmt.Sprintf("%.2f (%.2f … %.2f)", c.Wall.Median, c.Wall.Min, c.Wall.Max)
		switch {
		case i == 0:
			name, ratio = "**"+name+"**", ""
		case c.Runs == 1:
			wall, ratio = fmt.Sprintf("%.1f, 1 run", c.Wall.Median), fmt.Sprintf("**%.2f**", c.Ratio.Median)
		}
		if c.Limit {
			name = "*" + name + "*"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.1f | %.0f | %.1f |\n", name, strings.TrimSpace(wall), ratio, c.CPU.Median, c.RSS.Max, c.StoreCPU.Median)
		if i > 0 { // reelkeep is no pair with itself
			thrown += c.Thrown
		}
	}
	fmt.Fprintf(&b, "\n%d rounds on %s; ", o.Rounds, o.When.Format("2 January 2006"))
	switch thrown {
	case 0:
		b.WriteString("no pair was thrown away.")
	case 1:
		b.WriteString("1 pair was thrown away because the machine was busy beside it.")
	default:
		fmt.Fprintf(&b, "%d pairs were thrown away because the machine was busy beside them.", thrown)
	}
	if len(o.Goals) > 0 {
		b.WriteString(" Goals: " + strings.Join(o.Goals, " · ") + ".")
	}
	b.WriteString("\n\n")
	return b.String()
}
