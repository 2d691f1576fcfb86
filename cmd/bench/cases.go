//go:build linux

package main

import "fmt"

// benchCase is one thing to bring into the store, and who competes.
type benchCase struct {
	Name, Title string
	set         *dataset
	place       place
	clients     []client
	goals       []goal
	note        string
}

// place is where the source is.
type place string

const (
	near place = "near" // on this machine, as fast as it goes
	slow place = "slow" // so much for each request
	far  place = "far"  // behind a round trip of 40 ms
)

// origin is the root of the source's files there.
func (p place) origin(l *lab) string {
	switch p {
	case slow:
		return l.source.origin + "/slow"
	case far:
		return l.far.origin
	}
	return l.source.origin
}

// impossible says why a case can't be measured here; "" if it can.
func (c *benchCase) impossible(l *lab) string {
	if c.place == far && l.far == nil {
		return l.farWhy
	}
	// The source's files, the store's, and what lies between them or is not given back yet.
	need := c.set.bytes()*5/2 + gib
	if free := freeMemory(); free < need {
		return fmt.Sprintf("it takes %.1f GiB of memory, and %.1f are free", float64(need)/gib, float64(free)/gib)
	}
	return ""
}

func caseNames() []string {
	var out []string
	for _, c := range cases(1) {
		out = append(out, c.Name)
	}
	return out
}

const mib, gib = 1 << 20, 1 << 30

// cases are all that is measured, in the order of the page. The goals are those of the design.
func cases(shrink int64) []*benchCase {
	one := func(name string) *dataset { return plain(name, 1, gib/shrink) }
	videos := max(1, 500/int(shrink))
	all := []*benchCase{
		{
			Name: "plain", Title: "1 GiB, as fast as it goes", set: one("plain"), place: near,
			clients: []client{
				archive(), bare(4, 16*mib), copyTo(", default"), copyTo(", 4 × 64 MiB", "--multi-thread-streams", "4", "--multi-thread-chunk-size", "64M", "--s3-chunk-size", "64M"),
				often(copyURL()), curlPipe(", default", 1), curlPipe(", 4 × 16 MiB", 1, "--part-size", "16MiB", "--concurrent", "4"),
			},
			goals: []goal{timesLimit(1.25), timesBestPeer(0.8), cpuAtMost(2.2), memoryAtMost(170)},
		},
		{
			Name: "slow", Title: "1 GiB, a source that gives 20 MiB/s a connection", set: one("slow"), place: slow,
			clients: []client{
				archive(), bare(32, 8*mib), bare(16, 16*mib), copyTo(", default"), copyTo(", 32 × 16 MiB", "--multi-thread-streams", "32", "--multi-thread-chunk-size", "16M", "--s3-chunk-size", "16M"),
				copyURL(), once(curlPipe(", default", 1)),
			},
			goals: []goal{secondsAtMost(4.5)},
			note:  "nginx's `limit_rate`, in steps of 256 KiB. How many streams to use is for reelkeep to find out; the others are told.",
		},
		{
			Name: "far", Title: "1 GiB, 40 ms round trip to the source", set: one("far"), place: far,
			clients: []client{
				archive(), bare(16, 16*mib), bare(32, 8*mib), copyTo(", default"), copyTo(", 16 × 16 MiB", "--multi-thread-streams", "16", "--multi-thread-chunk-size", "16M", "--s3-chunk-size", "16M"),
				copyURL(), once(curlPipe(", default", 1)),
			},
			goals: []goal{timesLimit(1.25)},
			note:  "The packets to and from the source are held back for 20 ms by a relay between two network namespaces; the store is near.",
		},
		{
			Name: "small", Title: fmt.Sprintf("%d small files in %d videos", 4*videos, videos), set: small("small", videos), place: near,
			clients: []client{
				fleet(), archive(), bare(16, 16*mib),
				copyTree(", 16 at once, no checks", "--transfers", "16", "--checkers", "16", "--no-check-dest", "--ignore-checksum", "--no-traverse", "--s3-no-head", "--http-no-head"),
				copyTree(", 16 at once", "--transfers", "16"), copyURLs(", default"), copyURLs(", 16 at once", "--transfers", "16"),
				onPart(50, once(curlPipe(", 4 at once", 4))),
			},
			goals: []goal{filesPerSecond(450)},
			note: "8 KB to 1 MB. reelkeep's time includes the queue, HeyGen's answers and a manifest for every video. `serve` is up already, as a service is; `archive` and all others " +
				"start from nothing.",
		},
		{
			Name: "fleet", Title: "16 videos of 256 MiB at once", set: plain("fleet", 16, 256*mib/shrink), place: near,
			clients: []client{
				archive("REELKEEP_CONCURRENCY=16"), bare(8, 16*mib), copyTree(", 16 at once", "--transfers", "16"), copyURLs(", 16 at once", "--transfers", "16"),
				curlPipe(", 4 at once", 4, "--part-size", "16MiB"),
			},
			note: "reelkeep with `REELKEEP_CONCURRENCY=16`, all else at its default.",
		},
	}
	if shrink > 1 { // what is smaller proves nothing about the goals
		for _, c := range all {
			c.Title, c.goals = fmt.Sprintf("%s (shrunk by %d)", c.Title, shrink), nil
		}
	}
	return all
}

func once(c client) client  { c.once = true; return c }
func often(c client) client { c.once = false; return c }

// onPart gives a client only the first n videos.
func onPart(n int, c client) client {
	c.part = n
	c.name += fmt.Sprintf(" (by %d of the videos)", n)
	return c
}
