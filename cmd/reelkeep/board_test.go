package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

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

// A full store answers every read, so looks at it say that all is well; but the fleet must try again, now and then.
func TestAStoreThatTakesNoWritesStaysOnTheBoard(t *testing.T) {
	t.Parallel()
	s := newWatched()
	now := time.Now()
	s.board.now = func() time.Time { return now }
	write := func() { s.away("acme", &worker.OutageError{Of: "the store", Err: errors.New("it is full")}) }
	look := func(err error) { s.look(t.Context(), storeName, func(context.Context) error { return err }) }
	expect := func(when string, fine bool) {
		t.Helper()
		if s.board.fine(storeName) != fine {
			t.Errorf("%s: the board shows %q", when, s.board.problems())
		}
	}
	write()
	look(nil)
	expect("the first trouble is over at the first good look", true)
	for range 3 {
		write()
		for range 2 {
			now = now.Add(storeEvery)
			look(nil)
			expect("looks have been wrong just now", false)
		}
		now = now.Add(storeEvery)
		look(nil)
		expect("after half a minute the fleet may try again", true)
	}
	write()
	look(errors.New("connection refused"))
	look(nil)
	expect("a store that was away for looks, too, is back", true)
	now = now.Add(soonAfter + time.Second)
	write()
	look(nil)
	expect("the next trouble, much later, is the first one again", true)
}
