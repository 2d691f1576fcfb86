package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
)

// A source that is away must not pause the whole fleet as a store does that is.
func TestASourceThatIsAwayIsNoTroubleOfTheStore(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	s := &service{log: log, board: newBoard(log), cfg: config.Config{}}
	for range 100 { // videos
		s.away("default", &worker.OutageError{Of: worker.OfSource, Host: "a.example", Err: errors.New("status 503")})
		s.refused("default", &worker.RefusedError{Of: worker.OfSource, Host: "b.example", Err: errors.New("not allowed")})
	}
	if problems := s.board.problems(); len(problems) > 0 {
		t.Errorf("/readyz tells of %v", problems)
	}
	if lines := strings.Count(said.String(), "level=WARN"); lines != 2 {
		t.Errorf("%d warnings, want one for each host", lines)
	}
}

// A foreground run goes on with other videos when the files of some can't be had, and still ends when nothing moves.
func TestASourceInTroubleDoesNotStopOtherVideos(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*patience){
		"not allowed": func(p *patience) {
			p.refused("default", &worker.RefusedError{Of: worker.OfSource, Host: "a.example", Err: errors.New("not allowed")})
		},
		"away": func(p *patience) {
			p.away("default", &worker.OutageError{Of: worker.OfSource, Host: "a.example", Err: errors.New("status 503")})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var ended error
			told := 0
			p := &patience{limit: foregroundPatience, end: func(err error) { ended = err }, notice: func(string) { told++ }}
			b := &bench{outlook: p}
			other := b.furthest(worker.Video{ID: "large"}, stored{})
			p.reached()
			for n := range int64(20) {
				trouble(p)
				time.Sleep(time.Minute)
				other("video", n+1, -1)
			}
			if ended != nil || told != 20 {
				t.Errorf("%s: told %d times, ended: %v", name, told, ended)
			}
			for range 6 {
				trouble(p)
				other("video", 20, -1) // a damaged file that is stored again is no progress
				time.Sleep(time.Minute)
			}
			if ended == nil {
				t.Errorf("%s: the run goes on for ever", name)
			}
		})
	}
}

type stored struct{ queue.Progress }

func (stored) Stored(string, int64, int64) {}
