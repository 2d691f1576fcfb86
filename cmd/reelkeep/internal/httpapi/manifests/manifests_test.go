package manifests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
)

// store answers with manifests made up on the spot and counts the questions.
type store struct {
	state string
	err   error
	asked atomic.Int64
	came  chan struct{} // holds a token once somebody has asked; may be nil
	gate  chan struct{} // nil: open
}

func (s *store) Manifest(ctx context.Context, k storage.VideoKey) (*storage.Manifest, error) {
	s.asked.Add(1)
	select {
	case s.came <- struct{}{}:
	default:
	}
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	return &storage.Manifest{VideoID: k.VideoID, Account: k.Account, State: s.state}, nil
}

type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func ask(t *testing.T, c *Cache, k storage.VideoKey) *storage.Manifest {
	t.Helper()
	m, err := c.Manifest(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAManifestIsReadOnceAMinuteAndAPartialOneMoreOften(t *testing.T) {
	t.Parallel()
	for state, life := range map[string]time.Duration{storage.StateArchived: archivedTTL, storage.StatePartial: partialTTL} {
		s, now := &store{state: state}, new(clock)
		c := New(s, now.Now)
		for range 10 {
			ask(t, c, storage.VideoKey{VideoID: "v1"})
		}
		now.advance(life - 1)
		ask(t, c, storage.VideoKey{Account: "default", VideoID: "v1"})
		if n := s.asked.Load(); n != 1 {
			t.Errorf("%s: read %d times, want 1", state, n)
		}
		now.advance(1)
		if ask(t, c, storage.VideoKey{VideoID: "v1"}); s.asked.Load() != 2 {
			t.Errorf("%s: not read again after %s", state, life)
		}
	}
}

func TestAccountsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	s := &store{state: storage.StateArchived}
	c := New(s, nil)
	for _, account := range []string{"", "west", "east", "west"} {
		if m := ask(t, c, storage.VideoKey{Account: account, VideoID: "v1"}); m.Account != account {
			t.Errorf("asked for the video of %q, got that of %q", account, m.Account)
		}
	}
	if _, err := c.Manifest(t.Context(), storage.VideoKey{VideoID: "../v1"}); err == nil || s.asked.Load() != 3 {
		t.Errorf("an id that climbs: %v after %d reads", err, s.asked.Load())
	}
}

func TestAbsenceAndTroubleAreNotRemembered(t *testing.T) {
	t.Parallel()
	for _, trouble := range []error{storage.ErrNotFound, errors.New("no route to host")} {
		s := &store{state: storage.StateArchived, err: trouble}
		c := New(s, nil)
		if _, err := c.Manifest(t.Context(), storage.VideoKey{VideoID: "v1"}); !errors.Is(err, trouble) {
			t.Errorf("got %v", err)
		}
		s.err = nil
		ask(t, c, storage.VideoKey{VideoID: "v1"})
	}
}

func TestManyWhoAskAtOnceAskOnceAndOneWhoLeavesSpoilsNothing(t *testing.T) {
	t.Parallel()
	s := &store{state: storage.StateArchived, came: make(chan struct{}, 1), gate: make(chan struct{})}
	c := New(s, nil)
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.Manifest(leaving, storage.VideoKey{VideoID: "v1"})
		left <- err
	}()
	<-s.came // the first one holds the door
	var staying sync.WaitGroup
	errs := make(chan error, 20)
	for range cap(errs) {
		staying.Go(func() {
			_, err := c.Manifest(t.Context(), storage.VideoKey{VideoID: "v1"})
			errs <- err
		})
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(s.gate)
	staying.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("read %d times, want 1", n)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	s := &store{state: storage.StateArchived}
	c := New(s, nil)
	for i := range mostEntries + 100 {
		ask(t, c, storage.VideoKey{VideoID: fmt.Sprintf("v%d", i)})
		ask(t, c, storage.VideoKey{VideoID: "v0"}) // always the last one used
	}
	if len(c.known) != mostEntries || c.order.Len() != mostEntries {
		t.Errorf("%d manifests are remembered, want %d", len(c.known), mostEntries)
	}
	before := s.asked.Load()
	if ask(t, c, storage.VideoKey{VideoID: "v0"}); s.asked.Load() != before {
		t.Error("the one in use was forgotten")
	}
}
