package fetch

import (
	"fmt"
	"time"
)

// A trickle is not silence, but holds a buffer and a connection for as long: a byte every 29 seconds is a part in years.
// What counts is what all ranges of the file bring together while one of them waits for the host, and that is far below what
// any line brings that a video was ever fetched over.
const (
	slowest    = 1 << 10 // bytes a second
	slowWindow = 2 * time.Minute
)

// flow is what one range knows of how fast its file comes.
type flow struct {
	waited time.Duration // for the host, since the window began
	from   int64         // what had come of the file by then
	began  time.Time     // when that was
	slow   int           // windows in a row that were too slow
	since  time.Time     // when the first of them began
}

// trickles is told that the host was waited for d more, and says whether a window has ended in which the file hardly moved.
func (f *flow) trickles(d time.Duration, came int64) bool {
	if f.waited == 0 {
		f.began = time.Now().Add(-d)
	}
	if f.waited += d; f.waited < slowWindow {
		return false
	}
	slow := float64(came-f.from) < slowest*f.waited.Seconds()
	f.waited, f.from = 0, came
	switch {
	case !slow:
		f.slow = 0
	case f.slow == 0:
		f.slow, f.since = 1, f.began
	default:
		f.slow++
	}
	return slow
}

func tooSlow() *fault {
	return &fault{kind: stalled, text: fmt.Sprintf("fewer than %d bytes a second for %s", slowest, slowWindow)}
}
