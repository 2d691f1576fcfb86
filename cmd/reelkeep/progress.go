package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker"
)

const (
	// barFrom is the size from which an asset gets a bar: smaller ones are gone before anybody could read it. (So is a
	// larger one on a fast line: a bar that lives shorter than barRefresh is never drawn.)
	barFrom    = 64 << 10
	barRefresh = 150 * time.Millisecond
	// plainEvery is how often progress is told where there is no terminal to draw on, waitingEvery how often it is
	// told that nothing happens but waiting.
	plainEvery, waitingEvery = 10 * time.Second, time.Minute
)

// screen shows the work as it happens: bars where stderr is a terminal, a plain line now and then elsewhere.
type screen struct {
	con  *console
	bars *mpb.Progress // nil without a terminal

	// mpb draws while it holds its own locks, and statusLine is part of what it draws: mpb is called with barsMu held at
	// the most, never with mu, which statusLine takes.
	barsMu sync.Mutex
	mu     sync.Mutex
	open   map[string]*mpb.Bar // by video and asset
	moved  int64
	told   int64
	silent time.Duration // since the last line
	late   map[string]lateVideo
	status *mpb.Bar
	closed chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

type lateVideo struct {
	missing []string
	until   time.Time
}

func newScreen(con *console) *screen {
	s := &screen{con: con, open: map[string]*mpb.Bar{}, late: map[string]lateVideo{}, closed: make(chan struct{})}
	if con.errTerminal {
		s.bars = mpb.New(mpb.WithOutput(con.err), mpb.WithAutoRefresh(), mpb.WithRefreshRate(barRefresh), mpb.WithWidth(100))
		s.status = s.bars.MustAdd(0, nil, mpb.BarPriority(1<<20), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return s.statusLine() })))
		con.under(s.bars)
		return s
	}
	s.wg.Go(s.tellPlainly)
	return s
}

// close takes the bars off the screen. It may be called twice.
func (s *screen) close() {
	s.once.Do(func() {
		close(s.closed)
		s.wg.Wait()
		if s.bars == nil {
			return
		}
		s.con.under(nil)
		s.barsMu.Lock()
		for _, bar := range s.open {
			bar.Abort(true)
		}
		s.open = nil
		s.barsMu.Unlock()
		s.status.Abort(true)
		s.bars.Wait() // until the screen is clean; no bar is left to wait for, and none is added any more
	})
}

// AssetStarted opens a bar.
func (s *screen) AssetStarted(v worker.Video, asset string, total, stored int64) {
	if s.bars == nil || (total >= 0 && total < barFrom) {
		return
	}
	s.barsMu.Lock()
	defer s.barsMu.Unlock()
	if s.open == nil {
		return // the screen is closed
	}
	key := v.ID + "/" + asset
	if old := s.open[key]; old != nil {
		old.Abort(true)
	}
	bar := s.bars.AddBar(max(total, 0), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(shorten(v.ID, 12)+" "+asset, decor.WC{W: 28, C: decor.DindentRight})),
		mpb.AppendDecorators(
			decor.CountersKibiByte("% .1f / % .1f", decor.WC{W: 22}),
			decor.Any(pace(stored), decor.WC{W: 28}),
		))
	bar.SetCurrent(stored)
	bar.SetRefill(stored)
	s.open[key] = bar
}

// pace shows speed and time left of what is fetched in this run: what an earlier one stored took no time.
func pace(stored int64) decor.DecorFunc {
	began := time.Now()
	return func(s decor.Statistics) string {
		fetched, took := s.Current-stored, time.Since(began).Seconds()
		if fetched <= 0 || took <= 0 {
			return ""
		}
		speed := float64(fetched) / took
		line := config.FormatBytes(int64(speed)) + "/s"
		if left := s.Total - s.Current; left > 0 {
			line += "  " + (time.Duration(float64(left)/speed) * time.Second).String() + " left"
		}
		return line
	}
}

// Moved advances the bar and the total.
func (s *screen) Moved(v worker.Video, asset string, n int64) {
	s.mu.Lock()
	s.moved += n
	s.mu.Unlock()
	s.barsMu.Lock()
	bar := s.open[v.ID+"/"+asset]
	s.barsMu.Unlock()
	if bar != nil {
		bar.IncrInt64(n)
	}
}

// AssetDone closes the bar.
func (s *screen) AssetDone(v worker.Video, asset, _ string) {
	s.barsMu.Lock()
	defer s.barsMu.Unlock()
	key := v.ID + "/" + asset
	if bar := s.open[key]; bar != nil {
		bar.Abort(true)
		delete(s.open, key)
	}
}

// partial hears of a video that is sealed and waits for late assets.
func (s *screen) partial(v worker.Video, missing []string, until time.Time) {
	s.mu.Lock()
	_, known := s.late[v.ID]
	s.late[v.ID] = lateVideo{missing, until}
	s.mu.Unlock()
	if !known {
		s.con.sayf("%s is sealed; waiting up to %s for %s (REELKEEP_LATE_ASSETS_WAIT)",
			v.ID, remaining(until), strings.Join(missing, ", "))
	}
}

// settled hears that a video no longer waits.
func (s *screen) settled(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.late, id)
}

// waiting is how many sealed videos still wait for late assets.
func (s *screen) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.late)
}

// statusLine is the line below the bars.
func (s *screen) statusLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := config.FormatBytes(s.moved) + " fetched"
	if n, until := s.lateLocked(); n > 0 {
		line += fmt.Sprintf(" · %s waiting for late assets, %s left", plural(n, "video"), remaining(until))
	}
	return line
}

func (s *screen) lateLocked() (n int, until time.Time) {
	for _, v := range s.late {
		if v.until.After(until) {
			until = v.until
		}
	}
	return len(s.late), until
}

func (s *screen) tellPlainly() {
	tick := time.NewTicker(plainEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
			s.tellOnce()
		}
	}
}

func (s *screen) tellOnce() {
	s.mu.Lock()
	fresh := s.moved - s.told
	s.told = s.moved
	n, until := s.lateLocked()
	total := s.moved
	s.silent += plainEvery
	if fresh > 0 || s.silent >= waitingEvery {
		s.silent = 0
	} else {
		n = 0
	}
	s.mu.Unlock()
	if fresh > 0 {
		s.con.sayf("%s fetched, %s/s", config.FormatBytes(total), config.FormatBytes(fresh/int64(plainEvery/time.Second)))
	} else if n > 0 {
		s.con.sayf("%s waiting for late assets, %s left", plural(n, "video"), remaining(until))
	}
}

func remaining(until time.Time) string {
	return max(time.Until(until), 0).Round(time.Second).String()
}

func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n-1] + "…"
}
