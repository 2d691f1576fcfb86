package queue

import (
	"encoding/json"
	"time"
)

const (
	// gateSlips failures without a Retry-After and without a good answer between them are an outage. One or two are not:
	// of a thousand requests to any API some end in a 502, and a fleet must not stand still for each.
	gateSlips = 3
	// gateFirst and gateLast bound the time for which an outage closes the gate: the last is how long a fleet may stand
	// idle after it is over, and two probes in that time are no burden for the other side.
	gateFirst, gateLast = 2 * time.Second, 30 * time.Second
	// gateLongest bounds a Retry-After: a slip of the other side must not stop an account for a year. After
	// it a few requests ask whether it was meant.
	gateLongest = time.Hour
	// gateProbes requests in each gateWindow try whether the other side is well again.
	gateProbes = 2
	gateWindow = 5 * time.Second
	// gateMemory is how long strikes outlive the closing.
	gateMemory = 10 * time.Minute
)

// gate is what a fleet knows of how one account's requests are received. Its zero value is open. After a closing it
// is ajar: a few probes pass, until one of them ends as it should; when all have failed it closes for longer. Times are Unix milliseconds
// of one clock: Redis's, or ours while Redis is away.
type gate struct {
	Until   int64  `json:"u,omitempty"` // closed before
	Strikes int    `json:"n,omitempty"` // closings in a row
	Slips   int    `json:"f,omitempty"` // failures since the last closing or good answer
	Why     string `json:"w,omitempty"` // the word that closed it
	Probes  int    `json:"p,omitempty"` // let through since Since
	Since   int64  `json:"s,omitempty"`
}

func decodeGate(raw string) gate {
	var g gate
	if raw == "" || json.Unmarshal([]byte(raw), &g) != nil {
		return gate{} // a gate that can't be read is open: the next bad answer closes it
	}
	return g
}

func (g gate) open() bool { return g.Strikes == 0 }

// enter asks to pass. left > 0: not before that many milliseconds. Otherwise next is the gate as it is afterwards.
func (g gate) enter(now int64) (next gate, left int64) {
	switch {
	case g.open():
		return g, 0
	case now < g.Until:
		return g, g.Until - now
	}
	if age := now - g.Since; age >= gateWindow.Milliseconds() || age < 0 {
		g.Since, g.Probes = now, 0
	}
	if g.Probes >= gateProbes {
		return g, g.Since + gateWindow.Milliseconds() - now
	}
	g.Probes++
	return g, 0
}

// struck is the gate after an answer that may close it: a Retry-After does, and so does the third failure without a good answer
// between, or the second once the gate is ajar. Of requests that were on their way when it closed only the first counts; but the
// longest Retry-After of all of them is obeyed.
func (g gate) struck(now int64, why string, wait time.Duration) gate {
	leftover := now < g.Until || !g.open() && g.Probes == 0
	switch {
	case leftover && (wait <= 0 || told(now, wait) <= g.Until):
		return g
	case leftover:
		g.Until, g.Why = told(now, wait), why
		return g
	case wait > 0:
		return gate{Until: told(now, wait), Strikes: g.Strikes + 1, Why: why}
	case g.Slips+1 < g.bears():
		g.Slips++
		g.Why = why
		return g
	}
	wait = min(gateFirst<<min(g.Strikes, 10), gateLast)
	return gate{Until: now + wait.Milliseconds(), Strikes: g.Strikes + 1, Why: why}
}

// bears is the number of failures that close the gate.
func (g gate) bears() int {
	if g.open() {
		return gateSlips
	}
	return gateProbes
}

// told is the end of a Retry-After, which is in whole seconds. A hundred equal ones that come together shall mean one
// moment, not a hundred changes of the gate.
func told(now int64, wait time.Duration) int64 {
	const second = 1000
	until := now + min(wait, gateLongest).Milliseconds()
	return (until + second - 1) / second * second
}

// passed is the gate after an answer as it should be. While the gate is closed that means nothing: the request had
// left before.
func (g gate) passed(now int64) gate {
	if now < g.Until {
		return g
	}
	return gate{}
}

// life is how long Redis has to keep it.
func (g gate) life(now int64) time.Duration {
	return time.Duration(max(g.Until-now, 0))*time.Millisecond + gateMemory
}
