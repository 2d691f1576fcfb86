package main

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker"
)

// newWatched returns a service with one account, "acme".
func newWatched() *service {
	return &service{cfg: config.Config{Accounts: []config.Account{{Name: "acme"}}}, board: newBoard(slog.New(slog.DiscardHandler))}
}

// A mistyped account has no key, and no look at HeyGen would ever end its trouble.
func TestAnAccountThatIsNotConfiguredIsNoDependency(t *testing.T) {
	t.Parallel()
	s := newWatched()
	s.refused("amce", &worker.RefusedError{Of: "HeyGen", Err: errors.New("there is no key")})
	if got := s.board.problems(); len(got) > 0 {
		t.Errorf("the board shows %q", got)
	}
	s.refused("acme", &worker.RefusedError{Of: "HeyGen", Err: errors.New("the key is refused")})
	s.away("amce", &worker.OutageError{Of: "the store", Err: errors.New("away")})
	want := []string{"heygen/acme: the key is refused", "store: the store is out of reach: away"}
	if diff := cmp.Diff(want, s.board.problems()); diff != "" {
		t.Errorf("the board (-want +got):\n%s", diff)
	}
}
