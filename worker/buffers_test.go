package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/reelkeep/reelkeep/worker"
)

func TestABudgetOfLessThanOnePartIsRefused(t *testing.T) {
	t.Parallel()
	_, err := worker.NewBuffers(part-1, part)
	if err == nil || !strings.Contains(err.Error(), "REELKEEP_MEMORY") {
		t.Errorf("got %v", err)
	}
}

// One part's worth of memory is enough for any number of transfers: each fills a buffer, hands it on, and the one
// that stores it gives it back.
func TestOneBufferServesManyTransfers(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(part, part)
	must(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				buf, err := b.Take(t.Context(), part)
				if err != nil {
					t.Error(err)
					return
				}
				if held := b.Held(); held > part {
					t.Errorf("%d bytes are held, the budget is %d", held, part)
				}
				b.Give(buf)
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
	for _, n := range []int64{part, part - 1, part/2 + 1, part / 2, 100, 0, 3 * part} {
		buf, err := b.Take(t.Context(), n)
		must(t, err)
		if int64(len(buf)) != n {
			t.Errorf("asked for %d bytes, got %d", n, len(buf))
		}
		b.Give(buf[:len(buf)/3])
		if b.Held() != 0 {
			t.Fatalf("after a buffer of %d bytes %d are held", n, b.Held())
		}
	}
}

func TestWaitingForABufferEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b, err := worker.NewBuffers(part, part)
	must(t, err)
	buf, err := b.Take(t.Context(), part)
	must(t, err)
	defer b.Give(buf)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := b.Take(ctx, 1); !errors.Is(err, stopped) {
		t.Errorf("got %v, want the cause", err)
	}
}
