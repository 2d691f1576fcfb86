package storage

import (
	"context"
	"io"
	"time"
)

// readStall is how long a body may stay silent. There is no limit on its length.
const readStall = 30 * time.Second

// watchdog cuts a body that stays silent. It watches each read alone, so a slow consumer is not punished.
type watchdog struct {
	body  io.Reader
	timer *time.Timer
}

func newWatchdog(cancel context.CancelFunc, body io.Reader) *watchdog {
	return &watchdog{body: body, timer: newStoppedTimer(cancel)}
}

func newStoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(readStall, f)
	t.Stop()
	return t
}

func (w *watchdog) Read(p []byte) (int, error) {
	w.timer.Reset(readStall)
	defer w.timer.Stop()
	return w.body.Read(p)
}

func (w *watchdog) stop() { w.timer.Stop() }
