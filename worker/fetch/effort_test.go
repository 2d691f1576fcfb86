package fetch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

func TestPausesDoubleUpToTheCapAndObeyTheHost(t *testing.T) {
	t.Parallel()
	r := Retry{Base: time.Second, Cap: 15 * time.Second, Longest: time.Minute}
	for tries, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 15 * time.Second, 40: 15 * time.Second, 400: 15 * time.Second,
	} {
		for range 100 {
			if got := r.pause(tries, &fault{}); got < most/2 || got > most {
				t.Fatalf("pause after try %d: %v, want %v to %v", tries, got, most/2, most)
			}
		}
	}
	for wish, want := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, time.Hour: time.Minute} {
		if got := r.pause(1, &fault{kind: busy, after: wish}); got != want {
			t.Errorf("asked to wait %v: %v, want %v", wish, got, want)
		}
	}
}

func TestAPauseLastsAsLongAsItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := sleep(t.Context(), time.Hour); err != nil || time.Since(start) != time.Hour {
			t.Errorf("slept %v, %v", time.Since(start), err)
		}
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(stop) })
		start = time.Now()
		if err := sleep(ctx, time.Hour); !errors.Is(err, stop) || time.Since(start) != time.Minute {
			t.Errorf("slept %v, %v", time.Since(start), err)
		}
	})
}

// TestFreshWaitIsADuration runs the denials of one link against a fake clock.
func TestFreshWaitIsADuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		refreshes := 0
		refresh := func(context.Context) (Link, error) {
			refreshes++
			return Link{URL: secret.New("https://h/p?q"), Expires: time.Now().Add(time.Hour)}, nil
		}
		f := &File{client: c, log: c.cfg.Log, links: &links{refresh: refresh, now: time.Now, observe: silent{}}}
		start, e := time.Now(), effort{}
		for err == nil {
			link, gen, _ := f.links.current()
			err = f.recover(t.Context(), &e, used{link, gen}, &fault{kind: denied, status: 403, text: "status 403"})
		}
		if !errors.Is(err, ErrNotThere) || time.Since(start) != 60*time.Second {
			t.Errorf("after %v: %v, want ErrNotThere after 60 s", time.Since(start), err)
		}
		if refreshes < 6 || refreshes > 14 {
			t.Errorf("%d refreshes in a minute", refreshes)
		}
	})
}

func TestWeakETagsAreCompared(t *testing.T) {
	t.Parallel()
	a, b := Pin{Size: 5, ETag: `W/"x"`}, Pin{Size: 5, ETag: `W/"y"`}
	if a.holds(b) || !a.holds(a) || a.holds(Pin{Size: -1}) || !(Pin{Size: 5}).holds(a) {
		t.Error("weak ETags of one kind are compared when nothing better is known")
	}
	if !a.holds(Pin{Size: 5, ETag: `"x"`}) || strong(`"`) || strong(``) || strong(`x`) || !strong(`"x"`) {
		t.Error("a tag that turned strong is still the same tag")
	}
}
