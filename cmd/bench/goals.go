//go:build linux

package main

import (
	"fmt"
	"math"
)

// goal is a figure that reelkeep should reach. got is NaN where it was not measured.
type goal struct {
	says string
	most float64
	got  func(*outcome) float64
}

func timesLimit(most float64) goal {
	return goal{fmt.Sprintf("at most %.2f × the limit", most), most, func(o *outcome) float64 {
		return o.best(isLimit).Ratio.Median
	}}
}

func timesBestPeer(most float64) goal {
	return goal{fmt.Sprintf("at most %.2f × the best peer", most), most, func(o *outcome) float64 {
		return o.best(isPeer).Ratio.Median
	}}
}

func secondsAtMost(most float64) goal {
	return goal{fmt.Sprintf("at most %.1f s", most), most, func(o *outcome) float64 { return o.ours().Wall.Median }}
}

func cpuAtMost(most float64) goal {
	return goal{fmt.Sprintf("at most %.1f CPU seconds", most), most, func(o *outcome) float64 { return o.ours().CPU.Median }}
}

func memoryAtMost(most float64) goal {
	return goal{fmt.Sprintf("at most %.0f MB of memory", most), most, func(o *outcome) float64 { return o.ours().RSS.Max }}
}

// filesPerSecond is turned over, so that as with all goals less is better.
func filesPerSecond(least float64) goal {
	return goal{fmt.Sprintf("at least %.0f files a second", least), -least, func(o *outcome) float64 { return -float64(o.Files) / o.ours().Wall.Median }}
}

// line says whether the goal was reached.
func (g goal) line(o *outcome) string {
	got := g.got(o)
	word := "reached"
	switch {
	case math.IsNaN(got) || math.IsInf(got, 0) || got == 0:
		return g.says + ": not measured"
	case got > g.most:
		word = "missed"
	}
	return fmt.Sprintf("%s: %s (%.2f)", g.says, word, math.Abs(got))
}
