package worker_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker"
)

func TestABudgetOfLessThanOnePartIsRefused(t *testing.T) {
	t.Parallel()
	_, err := worker.NewBuffers(part-1, part)
	if err == nil || !strings.Contains(err.Error(), "REELKEEP_MEMORY") {
		t.Errorf("got %v", err)
	}
}

// Whoever serves a file can say that it has 40 TB.
func TestAPartLargerThanTheMemoryIsRefused(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(2*part, part)
	must(t, err)
	t.Cleanup(b.Close)
	_, err = b.Share().Take(t.Context(), 2*part+1)
	var large *worker.PartTooLargeError
	if !errors.As(err, &large) || !strings.Contains(err.Error(), "REELKEEP_MEMORY") || !strings.Contains(large.Hint(), "REELKEEP_MEMORY") {
		t.Errorf("got %v", err)
	}
	if n := b.Held(); n != 0 {
		t.Errorf("%d bytes are held", n)
	}
}

// One part's worth of memory is enough for any number of transfers: each fills a buffer, hands it on, and the one
// that stores it gives it back.
func TestOneBufferServesManyTransfers(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(part, part)
	must(t, err)
	t.Cleanup(b.Close)
	var wg sync.WaitGroup
	for range 16 {
		share := b.Share()
		wg.Go(func() {
			for range 20 {
				buf, err := share.Take(t.Context(), part)
				if err != nil {
					t.Error(err)
					return
				}
				if held := b.Held(); held > part {
					t.Errorf("%d bytes are held, the budget is %d", held, part)
				}
				share.Give(buf)
			}
		})
	}
	wg.Wait()
	if b.Held() != 0 {
		t.Errorf("%d bytes are held in the end", b.Held())
	}
}

func TestAShortenedBufferGivesAllOfItsMemoryBack(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(part, part)
	must(t, err)
	t.Cleanup(b.Close)
	share := b.Share()
	for _, n := range []int64{part, part - 1, part/2 + 1, part / 2, 100, 0} {
		buf, err := share.Take(t.Context(), n)
		must(t, err)
		if int64(len(buf)) != n {
			t.Errorf("asked for %d bytes, got %d", n, len(buf))
		}
		share.Give(buf[:len(buf)/3])
		if b.Held() != 0 {
			t.Fatalf("after a buffer of %d bytes %d are held", n, b.Held())
		}
	}
}

func TestWaitingForABufferEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(part, part)
	must(t, err)
	t.Cleanup(b.Close)
	share := b.Share()
	buf, err := share.Take(t.Context(), part)
	must(t, err)
	defer share.Give(buf)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := share.Take(ctx, 1); !errors.Is(err, stopped) {
		t.Errorf("got %v, want the cause", err)
	}
}

// taker takes buffers in the background and tells in which order they came.
func taker(t *testing.T, b *worker.Buffers, s *worker.Share, name string, served chan<- string) (give func()) {
	t.Helper()
	before := b.Waiting()
	got := make(chan []byte, 1)
	go func() {
		buf, err := s.Take(context.WithoutCancel(t.Context()), part)
		if err != nil {
			t.Error(err)
		}
		got <- buf
		served <- name
	}()
	for b.Waiting() == before { // it must have its place in the order
		runtime.Gosched()
	}
	return func() { s.Give(<-got) }
}

// Whoever has nothing comes first, then whoever has least; the giant gets more only when nobody waits.
func TestBuffersGoToWhoHasFewest(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(3*part, part)
	must(t, err)
	t.Cleanup(b.Close)
	giant, other, small := b.Share(), b.Share(), b.Share()
	var hold [][]byte
	for _, s := range []*worker.Share{giant, giant, other} {
		buf, err := s.Take(t.Context(), part)
		must(t, err)
		hold = append(hold, buf)
	}
	served := make(chan string, 3)
	gives := []func(){
		taker(t, b, giant, "giant", served),
		taker(t, b, other, "other", served),
		taker(t, b, small, "small", served),
	}
	var order []string
	giant.Give(hold[0])
	order = append(order, <-served)
	other.Give(hold[2])
	order = append(order, <-served)
	giant.Give(hold[1])
	order = append(order, <-served)
	if diff := cmp.Diff([]string{"small", "other", "giant"}, order); diff != "" {
		t.Errorf("served in the order (-want +got):\n%s", diff)
	}
	for _, give := range gives {
		give()
	}
	if n := b.Held(); n != 0 {
		t.Errorf("%d bytes are held in the end", n)
	}
}

// A buffer larger than what is free is not passed by for ever by smaller ones.
func TestALargeBufferIsServedInItsTurn(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(2*part, part)
	must(t, err)
	t.Cleanup(b.Close)
	first, large, late := b.Share(), b.Share(), b.Share()
	buf, err := first.Take(t.Context(), part)
	must(t, err)
	got := make(chan string, 2)
	var all sync.WaitGroup
	take := func(s *worker.Share, n int64, name string) {
		before := b.Waiting()
		all.Go(func() {
			buf, err := s.Take(context.WithoutCancel(t.Context()), n)
			if err != nil {
				t.Error(err)
			}
			got <- name
			s.Give(buf)
		})
		for b.Waiting() == before {
			runtime.Gosched()
		}
	}
	take(large, 2*part, "large") // all there is
	take(late, part, "late")
	first.Give(buf)
	all.Wait()
	if one, two := <-got, <-got; one != "large" || two != "late" {
		t.Errorf("served %s, then %s", one, two)
	}
}
