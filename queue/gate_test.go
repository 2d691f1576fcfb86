package queue

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = int64(1000)

func TestClosingsDoubleAndEndAtTwoMinutes(t *testing.T) {
	t.Parallel()
	var g gate
	now := 1_800_000_000 * second
	for i, want := range []int64{2, 4, 8, 16, 32, 64, 120, 120, 120} {
		g = g.struck(now, "down", 0)
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
	if g = g.struck(now, "down", 0); g.Until-now != 2*second {
		t.Errorf("the strikes outlived a success: %+v", g)
	}
}

func TestRequestsUnderWayCountAsOneStrike(t *testing.T) {
	t.Parallel()
	now := 1_800_000_000 * second
	g := gate{}.struck(now, "down", 0)
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
	g := gate{}.struck(now, "down", 0)
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
