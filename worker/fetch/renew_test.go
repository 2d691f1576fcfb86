package fetch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

func newLinks(refresh Refresh) *links {
	return &links{refresh: refresh, now: time.Now, observe: silent{}}
}

var freshLink = Link{URL: secret.New("https://h/p?q")}

func TestARangeThatIsCancelledWhileItRefreshesDoesNotHarmTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := newLinks(func(ctx context.Context) (Link, error) {
			if calls++; calls == 1 {
				<-ctx.Done()
				return Link{}, context.Cause(ctx)
			}
			return freshLink, nil
		})
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		errs := [3]error{}
		go func() { errs[0] = l.renew(ctx, 0, "forbidden") }()
		synctest.Wait()
		go func() { errs[1] = l.renew(t.Context(), 0, "forbidden") }()
		go func() { errs[2] = l.renew(t.Context(), 0, "forbidden") }()
		synctest.Wait()
		cancel(stop)
		synctest.Wait()
		if !errors.Is(errs[0], stop) || errs[1] != nil || errs[2] != nil || calls != 2 {
			t.Errorf("errors %v after %d calls, want one stopped and one more call for the others", errs, calls)
		}
	})
}

func TestAFailedRefreshIsSharedAndNotRepeatedByThoseWhoWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, down := 0, errors.New("down")
		l := newLinks(func(ctx context.Context) (Link, error) {
			calls++
			return Link{}, errors.Join(down, sleep(ctx, time.Second))
		})
		errs := [8]error{}
		for i := range errs {
			go func() { errs[i] = l.renew(t.Context(), 0, "forbidden") }()
		}
		if err := sleep(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // passing time alone does not order memory
		for _, err := range errs {
			if !errors.Is(err, down) {
				t.Errorf("got %v", err)
			}
		}
		if calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}

func TestARangeThatWaitsForARefreshObeysItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLinks(func(ctx context.Context) (Link, error) { return freshLink, sleep(ctx, time.Hour) })
		go func() { _ = l.renew(t.Context(), 0, "forbidden") }()
		synctest.Wait()
		stop := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, stop)
		defer cancel()
		if err := l.renew(ctx, 0, "forbidden"); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		if err := l.renew(t.Context(), 0, "forbidden"); err != nil {
			t.Errorf("the link that came was not taken: %v", err)
		}
		if err := l.renew(t.Context(), 0, "forbidden"); err != nil || l.gen != 1 {
			t.Errorf("an old generation renewed the new link: %v, generation %d", err, l.gen)
		}
	})
}
