//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpreadIsTheLeastTheMiddleAndTheMost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{7}, spread{7, 7, 7}},
		{[]float64{3, 1, 2}, spread{1, 2, 3}},
		{[]float64{4, 1, 3, 100}, spread{1, 3.5, 100}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

// runsOf makes runs of so many seconds, with a calibration of one second beside each.
func runsOf(seconds ...float64) []*measured {
	var out []*measured
	for _, s := range seconds {
		out = append(out, &measured{Wall: time.Duration(s * float64(time.Second)), Before: time.Second, After: time.Second})
	}
	return out
}

func rounds(columns ...[]*measured) [][]*measured {
	out := make([][]*measured, len(columns[0]))
	for _, column := range columns {
		for i, m := range column {
			out[i] = append(out[i], m)
		}
	}
	return out
}

func TestRatiosPairTheRunsOfOneRound(t *testing.T) {
	t.Parallel()
	// The machine was twice as slow in the second round, for both: the ratio does not see it, the medians of the times would.
	ours, theirs := runsOf(1, 2, 1), runsOf(2, 4, 4)
	values, thrown := ratios(ours, theirs, calm(rounds(ours, theirs)))
	if diff := cmp.Diff([]float64{0.5, 0.5, 0.25}, values); diff != "" || thrown != 0 {
		t.Errorf("%d thrown away\n%s", thrown, diff)
	}
}

func TestAPairIsThrownAwayOnlyWhenTheCalibrationWasSlow(t *testing.T) {
	t.Parallel()
	ours, theirs := runsOf(1, 9, 1), runsOf(2, 2, 2)
	if values, thrown := ratios(ours, theirs, calm(rounds(ours, theirs))); len(values) != 3 || thrown != 0 {
		t.Errorf("a slow run alone is no reason: %v, %d thrown away", values, thrown)
	}
	ours[1].After = 1300 * time.Millisecond
	values, thrown := ratios(ours, theirs, calm(rounds(ours, theirs)))
	if diff := cmp.Diff([]float64{0.5, 0.5}, values); diff != "" || thrown != 1 {
		t.Errorf("%d thrown away\n%s", thrown, diff)
	}
	ours[1].After, theirs[1].Before = time.Second, 1300*time.Millisecond
	if values, thrown := ratios(ours, theirs, calm(rounds(ours, theirs))); len(values) != 2 || thrown != 1 {
		t.Errorf("the other one's calibration counts, too: %v, %d thrown away", values, thrown)
	}
}

func TestAMachineThatIsNeverCalmIsJudgedAsItIs(t *testing.T) {
	t.Parallel()
	ours, theirs := runsOf(1, 1), runsOf(2, 2)
	quiet := runsOf(1, 1, 1) // others, which keep the usual calibration low
	ours[0].Before, theirs[1].Before = 2*time.Second, 2*time.Second
	if values, thrown := ratios(ours, theirs, calm([][]*measured{ours, theirs, quiet})); len(values) != 2 || thrown != 0 {
		t.Errorf("%v, %d thrown away", values, thrown)
	}
}

func TestAClientThatRanOnceHasOneRatio(t *testing.T) {
	t.Parallel()
	ours, theirs := runsOf(1, 1, 1), []*measured{runsOf(10)[0], nil, nil}
	if values, _ := ratios(ours, theirs, calm(rounds(ours, theirs))); len(values) != 1 || values[0] != 0.1 {
		t.Errorf("%v", values)
	}
}

func TestMemoryOfWhatRunsTogetherAddsUp(t *testing.T) {
	t.Parallel()
	a, b := usage{CPU: time.Second, RSS: 10}, usage{CPU: 2 * time.Second, RSS: 30}
	if got := a.and(b); got != (usage{3 * time.Second, 40}) {
		t.Errorf("together: %v", got)
	}
	if got := a.then(b); got != (usage{3 * time.Second, 30}) {
		t.Errorf("one after the other: %v", got)
	}
}

func TestARunOfSomeVideosIsScaledToAll(t *testing.T) {
	t.Parallel()
	m := measured{Wall: time.Second, Client: usage{CPU: 2 * time.Second, RSS: 5}, StoreCPU: 3 * time.Second}
	m.scale(500, 50)
	if m.Wall != 10*time.Second || m.Client != (usage{20 * time.Second, 5}) || m.StoreCPU != 30*time.Second {
		t.Errorf("%+v", m)
	}
}

func TestWhatTheKernelSaysIsRead(t *testing.T) {
	t.Parallel()
	stat := "17 (a) b (c)) S 1 17 17 0 -1 4194560 100 200 0 0 150 50 7 3 20 0 9 0 12345 1000 200"
	if got := parseCPU(stat); got != 2100*time.Millisecond {
		t.Errorf("CPU: %s", got)
	}
	if got := kilobytes("Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n", "VmHWM:"); got != 2<<20 {
		t.Errorf("VmHWM: %d", got)
	}
	for _, bad := range []string{"", "17 (x", "17 (x) S 1", strings.Replace(stat, "150", "x", 1)} {
		if got := parseCPU(bad); got != 0 {
			t.Errorf("%q: %s", bad, got)
		}
	}
	if kilobytes("", "VmHWM:") != 0 || kilobytes("VmHWM:\tmuch kB\n", "VmHWM:") != 0 {
		t.Error("no number was read as one")
	}
}
