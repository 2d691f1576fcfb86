package queue

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = int64(1000)

// outage is the gate after so many failures in a row as make one.
func outage(g gate, now int64) gate {
	for range g.bears() {
		g = g.struck(now, "down", 0)
	}
	return g
}

func TestClosingsDoubleAndEndAtHalfAMinute(t *testing.T) {
	t.Parallel()
	var g gate
	now := 1_800_000_000 * second
	for i, want := range []int64{2, 4, 8, 16, 30, 30, 30} {
		g = outage(g, now)
		if closed := (g.Until - now) / second; closed != want || g.Strikes != i+1 {
			t.Errorf("closing %d lasts %d s (%+v); want %d s", i+1, closed, g, want)
		}
		now = g.Until
		if g, _ = g.enter(now); g.Probes != 1 {
			t.Fatalf("after its time the gate lets nobody through: %+v", g)
		}
	}
	if g = g.passed(now); g != (gate{}) {
		t.Errorf("a probe that ended well leaves %+v", g)
	}
	if g = outage(g, now); g.Until-now != 2*second {
		t.Errorf("the strikes outlived a success: %+v", g)
	}
}

func TestAFailureAmongGoodAnswersClosesNothing(t *testing.T) {
	t.Parallel()
	now := 1_800_000_000 * second
	var g gate
	for range 50 {
		for range gateSlips - 1 {
			if g = g.struck(now, "down", 0); !g.open() || g.Until > now {
				t.Fatalf("a slip closes the gate: %+v", g)
			}
		}
		if g = g.passed(now); g != (gate{}) {
			t.Fatalf("a good answer leaves %+v", g)
		}
	}
	g = outage(g, now)
	now = g.Until
	g, _ = g.enter(now)
	if g = g.struck(now, "down", 0); g.Until > now {
		t.Errorf("one failed probe closes the gate again: %+v; want another one to try at once", g)
	}
	if next, left := g.enter(now); left != 0 || next.passed(now) != (gate{}) {
		t.Errorf("the second probe waits %d ms, and ends with %+v", left, next.passed(now))
	}
}

// callers play a fleet of which somebody asks every tenth of a second and hears an answer 0.3 s later. They say how many
// asked in each second, and what time it was then.
func callers(seconds int, fails func(ms int64) bool) (asked []int) {
	const tenth, answer = 100, 3
	asked = make([]int, seconds)
	var g gate
	under := make([]bool, answer) // way: somebody's request
	for tick := range int64(seconds * 10) {
		now := 1_800_000_000*second + tick*tenth
		if slot := tick % answer; under[slot] {
			if fails(tick * tenth) {
				g = g.struck(now, "down", 0)
			} else {
				g = g.passed(now)
			}
		}
		var left int64
		g, left = g.enter(now)
		under[tick%answer] = left == 0
		if left == 0 {
			asked[tick/10]++
		}
	}
	return asked
}

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestScatteredFailuresCostAFleetNextToNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 5))
		const minutes = 10
		asked := sum(callers(minutes*60, func(int64) bool { return dice.IntN(100) < 5 }))
		if asked < minutes*60*10*95/100 {
			t.Errorf("seed %d: with 5 %% of failures a fleet asked %d times in %d minutes; want nearly %d", seed, asked, minutes, minutes*600)
		}
	}
}

func TestAnOutageIsProbedGentlyAndEndsSoon(t *testing.T) {
	t.Parallel()
	for from := range int64(10) { // wherever in the second it begins
		const begins, lasts = 60, 300
		asked := callers(600, func(ms int64) bool {
			return ms >= begins*second+from*100 && ms < (begins+lasts)*second+from*100
		})
		if n := sum(asked[begins+2 : begins+lasts]); n < 10 || n > 40 {
			t.Errorf("%d requests in an outage of five minutes; want a few probes", n)
		}
		back := begins + lasts
		for back < len(asked) && asked[back] < 10 {
			back++
		}
		if idle := back - begins - lasts; idle > 35 {
			t.Errorf("the fleet stood still for %d s after the outage; want half a minute at the most", idle)
		}
	}
}

func TestRequestsUnderWayCountAsOneStrike(t *testing.T) {
	t.Parallel()
	now := 1_800_000_000 * second
	g := outage(gate{}, now)
	for range 99 {
		g = g.struck(now+second, "down", 0)
	}
	if g.Strikes != 1 || g.Until != now+2*second {
		t.Errorf("a hundred failures at once: %+v", g)
	}
	if g = g.struck(now+3*second, "down", 0); g.Strikes != 1 {
		t.Errorf("a straggler that failed before any probe left: %+v", g)
	}
	if g = g.passed(now + second); g.open() {
		t.Error("a straggler that succeeded opened a closed gate")
	}
	if g = g.struck(now+second, "throttled", 30*time.Second); g.Until != now+31*second || g.Why != "throttled" || g.Strikes != 1 {
		t.Errorf("a straggler's longer Retry-After is obeyed: %+v", g)
	}
	if g = g.struck(now+second, "throttled", 10*time.Second); g.Until != now+31*second {
		t.Errorf("a shorter one takes nothing back: %+v", g)
	}
}

func TestRetryAfterIsNeverCutShortButForAnHour(t *testing.T) {
	t.Parallel()
	now := 1_800_000_000*second + 123
	for wait, most := range map[time.Duration]time.Duration{time.Second: 2 * time.Second, 90 * time.Second: 91 * time.Second, 1e6 * time.Hour: time.Hour + time.Second} {
		closed := time.Duration(gate{}.struck(now, "x", wait).Until-now) * time.Millisecond
		if closed > most || closed < min(wait, time.Hour) {
			t.Errorf("a Retry-After of %s closes for %s", wait, closed)
		}
	}
}

func TestOnlyAFewProbesPassAGateThatIsAjar(t *testing.T) {
	t.Parallel()
	now := 1_800_000_000 * second
	g := outage(gate{}, now)
	passed := 0
	for now = g.Until; now < g.Until+20*second; now += 10 {
		var left int64
		if g, left = g.enter(now); left == 0 {
			passed++
		} else if left < 0 || left > gateWindow.Milliseconds() {
			t.Fatalf("told to come back after %d ms", left)
		}
	}
	if want := 4 * gateProbes; passed != want {
		t.Errorf("%d of 2000 passed in 20 s; want %d, since probes may die", passed, want)
	}
}

func TestGateNeverLetsManyThroughBeforeItsTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var g gate
		now := 1_800_000_000 * second
		told := int64(0) // the longest Retry-After so far
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 4000).Draw(t, "pause")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				wait := rapid.Int64Range(0, 20).Draw(t, "wait")
				told = max(told, now+wait*second)
				g = g.struck(now, "x", time.Duration(wait)*time.Second)
			case 1:
				g = g.passed(now)
			default:
				next, left := g.enter(now)
				if left == 0 && now < told {
					t.Fatalf("at %d somebody passed; told not before %d: %+v", now, told, g)
				}
				g = next
			}
			if g != decodeGate(mustEncode(t, g)) {
				t.Fatalf("%+v does not survive Redis", g)
			}
		}
	})
}

func mustEncode(t *rapid.T, g gate) string {
	raw, err := encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
