//go:build linux

package main

import (
	"slices"
	"time"
)

// spread is what several runs came to.
type spread struct{ Min, Median, Max float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Max: sorted[n-1]}
}

// unevenness is how much slower than usual the calibration loop may run beside a measurement.
const unevenness = 1.25

// calm says of each run whether the machine was as fast beside it as it usually was: the calibration loop before or
// behind it took no longer than its median by more than unevenness. Nothing else ever throws a run away.
func calm(rounds [][]*measured) map[*measured]bool {
	var all []float64
	for _, round := range rounds {
		for _, m := range round {
			if m != nil {
				all = append(all, m.Before.Seconds(), m.After.Seconds())
			}
		}
	}
	limit := spreadOf(all).Median * unevenness
	out := map[*measured]bool{}
	for _, round := range rounds {
		for _, m := range round {
			if m != nil {
				out[m] = max(m.Before, m.After).Seconds() <= limit
			}
		}
	}
	return out
}

// ratios pairs the runs of two clients, round by round, and divides their times. Pairs beside which the machine was not calm
// are left out and counted. If that would leave none, all stay: a machine that is never calm has to be judged as it is.
func ratios(of, by []*measured, calm map[*measured]bool) (values []float64, thrown int) {
	var all []float64
	for i := range min(len(of), len(by)) {
		a, b := of[i], by[i]
		if a == nil || b == nil {
			continue
		}
		ratio := a.Wall.Seconds() / b.Wall.Seconds()
		all = append(all, ratio)
		if calm[a] && calm[b] {
			values = append(values, ratio)
		}
	}
	if len(values) == 0 {
		return all, 0
	}
	return values, len(all) - len(values)
}

// each takes one figure of every run that took place.
func each(runs []*measured, figure func(*measured) float64) []float64 {
	var out []float64
	for _, m := range runs {
		if m != nil {
			out = append(out, figure(m))
		}
	}
	return out
}

// measured is one run of one client.
type measured struct {
	Wall          time.Duration
	Client        usage
	StoreCPU      time.Duration
	SourceCPU     time.Duration
	Before, After time.Duration // the calibration loop beside it
}

// usage is what a client took from the machine.
type usage struct {
	CPU time.Duration // user and system
	RSS int64         // its peak; of several processes at once: the sum of their peaks
}

// and adds what ran at the same time.
func (u usage) and(other usage) usage {
	return usage{CPU: u.CPU + other.CPU, RSS: u.RSS + other.RSS}
}

// then adds what ran afterwards.
func (u usage) then(other usage) usage {
	return usage{CPU: u.CPU + other.CPU, RSS: max(u.RSS, other.RSS)}
}
