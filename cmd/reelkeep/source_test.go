package main

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker"
)

// A source that is away must not pause the whole fleet as a store does that is.
func TestASourceThatIsAwayIsNoTroubleOfTheStore(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	s := &service{log: log, board: newBoard(log), cfg: config.Config{}}
	s.away("default", &worker.OutageError{Of: worker.OfSource, Err: errors.New("status 503")})
	s.refused("default", &worker.RefusedError{Of: worker.OfSource, Err: errors.New("not allowed")})
	if problems := s.board.problems(); len(problems) > 0 {
		t.Errorf("/readyz tells of %v", problems)
	}
}

// A foreground run goes on with other videos when a link is on a host that is not allowed, and still ends.
func TestALinkThatIsNotAllowedDoesNotStopOtherVideos(t *testing.T) {
	t.Parallel()
	var ended error
	p := &patience{limit: foregroundPatience, end: func(err error) { ended = err }, notice: func(string) {}}
	blocked := &worker.RefusedError{Of: worker.OfSource, Err: errors.New("not allowed")}
	p.reached()
	p.refused("default", blocked)
	if ended != nil {
		t.Fatalf("the run ended at once: %v", ended)
	}
	p.awaySince = time.Now().Add(-foregroundPatience)
	p.refused("default", blocked)
	if !errors.Is(ended, blocked) {
		t.Errorf("the run goes on for ever: %v", ended)
	}
}
