package worker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// line is a source and a way to it: what so many streams bring together, in MB a second.
type line func(streams int) float64

func perConnection(each float64) line { return func(n int) float64 { return each * float64(n) } }
func capped(each, all float64) line {
	return func(n int) float64 { return min(each*float64(n), all) }
}

// collapses is faster up to a number of streams and far slower beyond it.
func collapses(each float64, at int) line {
	return func(n int) float64 {
		if n > at {
			return each
		}
		return each * float64(n)
	}
}

// drive lets a pace run over a line for a while, and returns the number of streams at each moment.
func drive(p *pace, of line, took time.Duration) []int {
	var seen []int
	now, moved := time.Unix(0, 0), 0.0
	for end := now.Add(took); now.Before(end); now = now.Add(paceEvery) {
		p.tick(now, int64(moved), true)
		seen = append(seen, p.limit)
		moved += of(p.limit) * 1e6 * paceEvery.Seconds()
	}
	return seen
}

func TestThePaceFindsTheNumberOfStreamsThatPays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of         line
		most       int
		least, end int // streams in the end
	}{
		"20 MiB a second a connection": {perConnection(20), 32, 32, 32},
		"the line is full with four":   {capped(100, 300), 32, 4, 4},
		"the line is full with ten":    {capped(30, 300), 32, 8, 16},
		"more than eight collapse":     {collapses(50, 8), 32, 8, 8},
		"one is all that is allowed":   {perConnection(20), 1, 1, 1},
		"three":                        {perConnection(20), 3, 3, 3},
		"24":                           {perConnection(20), 24, 24, 24},
	} {
		p := newPace(c.most, 0)
		seen := drive(p, c.of, 4*time.Second)
		if end := seen[len(seen)-1]; end < c.least || end > c.end {
			t.Errorf("%s: %d streams in the end, want %d to %d", name, end, c.least, c.end)
		}
	}
}

func TestThePaceIsUpWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	seen := drive(newPace(32, 0), perConnection(20), 2*time.Second)
	if seen[len(seen)-1] != 32 {
		t.Errorf("after two seconds: %d streams", seen[len(seen)-1])
	}
}

// What is too much is tried again, but ever more seldom.
func TestWhatDoesNotPayIsTriedSeldom(t *testing.T) {
	t.Parallel()
	const minute = int(time.Minute / paceEvery)
	seen := drive(newPace(32, 0), collapses(50, 8), 10*time.Minute)
	over := 0
	for _, n := range seen[minute:] {
		if n > 8 {
			over++
		}
	}
	if share := float64(over) / float64(len(seen)-minute); share > 0.02 {
		t.Errorf("for %.1f %% of the time there were too many streams", 100*share)
	}
}

func TestARefusalHalvesTheStreamsOnce(t *testing.T) {
	t.Parallel()
	p := newPace(32, 0)
	drive(p, perConnection(20), 3*time.Second)
	now := time.Unix(10, 0)
	for range 20 { // all of them are turned away at once
		p.refused(now, 32)
	}
	if p.limit != 16 {
		t.Errorf("%d streams, want 16", p.limit)
	}
	p.refused(now, 16)
	if p.limit != 8 {
		t.Errorf("%d streams, want 8: sixteen were too many as well", p.limit)
	}
	for active := 8; active > 0; active /= 2 {
		p.refused(now, active)
	}
	if p.limit != 1 {
		t.Errorf("%d streams, want 1", p.limit)
	}
	p.tick(now.Add(time.Second), 1, true)
	p.tick(now.Add(2*time.Second), 2, true)
	if p.limit != 1 {
		t.Error("it grew at once after a refusal")
	}
}

func TestThePaceStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 256).Draw(t, "most")
		p := newPace(most, 0)
		now, moved := time.Unix(0, 0), int64(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "pause")))
			moved += rapid.Int64Range(0, 1<<30).Draw(t, "moved")
			if rapid.Float64().Draw(t, "refused") < 0.1 {
				p.refused(now, rapid.IntRange(0, most).Draw(t, "active"))
			} else {
				p.tick(now, moved, rapid.Bool().Draw(t, "busy"))
			}
			if p.limit < 1 || p.limit > most {
				t.Fatalf("%d streams of at most %d", p.limit, most)
			}
		}
	})
}
