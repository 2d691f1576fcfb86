package worker

import "time"

const (
	paceStart = 4 // enough for a fast source; one that limits each connection gets more within a second

	// Behind a long line every connection begins slowly, and most videos would be over before more streams have paid. So
	// there are more from the beginning if the first answer, with the handshakes before it, took longer than that of a source
	// next door.
	paceStartFar = 8
	paceFar      = 20 * time.Millisecond

	// paceSettle is how long new streams have to connect and to get going before they are judged, paceWindow how long
	// they are watched then. One that seems not to pay gets a second look, twice as long: behind a long line a new
	// connection needs some round trips until it is fast.
	paceSettle = 150 * time.Millisecond
	paceWindow = 200 * time.Millisecond

	// paceGain is by how much the rate has to grow for twice the streams to be worth keeping.
	paceGain = 1.1

	// paceHold is how long it stays at what it found before it tries again; each time in vain doubles it.
	paceHold    = 5 * time.Second
	paceHoldMax = 2 * time.Minute
)

// A pace decides how many streams one asset is read by. It doubles their number while that makes the whole faster,
// takes the last step back when it does not, and halves it when the source says that it is too much. It is a pure
// function of what it is told.
type pace struct {
	limit, max int

	base  level // the last number of streams that paid; rate 0: not measured yet
	trial bool  // limit is being tried against base
	again bool  // and looked at for the second time

	from  time.Time // begin of the measurement; zero: there is none
	moved int64     // at from
	wait  time.Time // no measurement before
	hold  time.Duration
}

// level is a number of streams and the bytes a second they brought.
type level struct {
	streams int
	rate    float64
}

// newPace begins for a source whose first byte took so long to come.
func newPace(most int, firstByte time.Duration) *pace {
	start := paceStart
	if firstByte >= paceFar {
		start = paceStartFar
	}
	return &pace{limit: min(start, most), max: most, hold: paceHold}
}

// tick is told again and again how many bytes have come so far, and whether all streams that are allowed are under way.
// When they are not, something else sets the pace (the store, the memory, the end of the file), and nothing can
// be learnt about more streams.
func (p *pace) tick(now time.Time, moved int64, busy bool) {
	switch {
	case !busy:
		p.from = time.Time{}
		return
	case p.limit == p.max && !p.trial, now.Before(p.wait):
		return
	case p.from.IsZero():
		p.from, p.moved = now, moved
		return
	}
	window := paceWindow
	if p.again {
		window *= 2
	}
	took := now.Sub(p.from)
	if took < window {
		return
	}
	rate := float64(moved-p.moved) / took.Seconds()
	p.from = time.Time{}
	p.judge(now, rate)
}

func (p *pace) judge(now time.Time, rate float64) {
	switch {
	case !p.trial:
		p.grow(now, rate)
	case rate >= p.base.rate*paceGain:
		p.hold = paceHold
		p.grow(now, rate)
	case !p.again:
		p.again = true
	default:
		p.limit = p.base.streams
		p.rest(now)
	}
}

// grow takes the present number of streams for good and tries twice as many.
func (p *pace) grow(now time.Time, rate float64) {
	p.base = level{p.limit, rate}
	p.limit = min(2*p.limit, p.max)
	p.trial, p.again, p.wait = p.limit > p.base.streams, false, now.Add(paceSettle)
}

// rest stays where it is for a while.
func (p *pace) rest(now time.Time) {
	p.trial, p.again, p.from = false, false, time.Time{}
	p.wait = now.Add(p.hold)
	p.hold = min(2*p.hold, paceHoldMax)
}

// refused is told that the source has turned a stream away as one too many. active is how many are under way: what
// those above the limit are told says nothing about the limit, which has been lowered since they began.
func (p *pace) refused(now time.Time, active int) {
	if active > p.limit {
		return
	}
	p.limit = max(1, min(p.limit, active)/2)
	p.rest(now)
}
