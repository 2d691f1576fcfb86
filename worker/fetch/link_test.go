package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

func (b *bench) wantRefreshed(want string) {
	b.t.Helper()
	if _, refreshed := b.events.all(); refreshed != want {
		b.t.Errorf("refreshed %q, want %q", refreshed, want)
	}
}

// onlyLink makes the source deny every link but those from n on.
func onlyLink(n, code int) trick {
	return func(w http.ResponseWriter, r *http.Request) bool {
		var got int
		fmt.Sscanf(r.URL.RawQuery, "Signature=TOPSECRET~%d&", &got)
		return got < n && status(code)(w, r)
	}
}

func TestADeniedLinkIsRefreshedInTheMiddleAndReadingGoesOn(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		400: "forbidden", 401: "forbidden", 403: "forbidden", 404: "not_found", 410: "not_found",
	} {
		b := setup(t, size)
		b.play(b.cutAfter(40_000))
		b.playAlways(nil)
		f := b.open(fetch.Options{Length: size})
		b.playAlways(onlyLink(1, code))
		b.wantBytes(f, 0, -1)
		b.wantBytes(f, 5, 10)
		b.wantRefreshed(want)
	}
}

func TestAnExpiredLinkIsRefreshedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	now := time.Now()
	for _, life := range []time.Duration{-time.Hour, 0, 4 * time.Second} {
		link := b.link(0)
		link.Expires = now.Add(life)
		f, err := b.client.Open(t.Context(), link, b.refresh.link, fetch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	b.wantRefreshed("expired expired ahead")
	for _, r := range b.seen() {
		if strings.Contains(r.URL.RawQuery, "~0") {
			t.Error("the dead link was used")
		}
	}
}

func TestALinkThatDiesBetweenRangesIsRefreshedAhead(t *testing.T) {
	t.Parallel()
	cfg := fast()
	var clock events // its lock guards now
	now := time.Now()
	cfg.Now = func() time.Time { clock.mu.Lock(); defer clock.mu.Unlock(); return now }
	b := setupWith(t, cfg, size)
	b.refresh.life = func(int) time.Time { return cfg.Now().Add(time.Hour) }
	link := b.link(0)
	link.Expires = now.Add(time.Minute)
	f, err := b.client.Open(t.Context(), link, b.refresh.link, fetch.Options{Length: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b.wantBytes(f, 0, 10)
	b.wantRefreshed("")
	clock.mu.Lock()
	now = now.Add(56 * time.Second)
	clock.mu.Unlock()
	b.wantBytes(f, 20, 10)
	b.wantBytes(f, 40, 10)
	b.wantRefreshed("ahead")
}

func TestLinksThatLiveForSecondsAreUsedUntilTheyAreDenied(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.refresh.life = func(int) time.Time { return time.Now().Add(time.Second) }
	link := b.link(0)
	link.Expires = time.Now().Add(time.Second)
	f, err := b.client.Open(t.Context(), link, b.refresh.link, fetch.Options{Length: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := range int64(20) {
		b.wantBytes(f, off, 10)
	}
	b.wantRefreshed("ahead")
	b.playAlways(onlyLink(2, 403))
	b.wantBytes(f, 0, 10)
	if n := b.refresh.count(); n != 2 {
		t.Errorf("%d refreshes, want 2", n)
	}
}

func TestOneRefreshServesAllRanges(t *testing.T) {
	t.Parallel()
	const ranges = 16
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 1})
	b.wantBytes(f, 0, 1)
	denied := make(chan struct{}, ranges)
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		if !onlyLink(1, 403)(w, r) {
			return false
		}
		denied <- struct{}{}
		return true
	})
	// The new link comes only after every range has been denied with the old one.
	b.refresh.fail = func(context.Context, int) error {
		for range ranges {
			<-denied
		}
		return nil
	}
	var g errgroup.Group
	for i := range int64(ranges) {
		g.Go(func() error { _, err := b.read(f, i*1000, 1000); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := b.refresh.count(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	b.wantRefreshed("forbidden")
}

func TestTheErrorOfRefreshEndsTheRead(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 1})
	b.playAlways(status(403))
	b.refresh.fail = func(context.Context, int) error { return errStop }
	if _, err := b.read(f, 10, 10); !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
	b.refresh.fail = nil
	b.playAlways(nil)
	b.wantBytes(f, 10, 10)
}

func TestARefreshAheadThatFailsIsNoHarmWhileTheLinkLives(t *testing.T) {
	t.Parallel()
	cfg := fast()
	at := time.Now()
	cfg.Now = func() time.Time { return at }
	b := setupWith(t, cfg, size)
	b.refresh.fail = func(context.Context, int) error { return errStop }
	link := b.link(0)
	link.Expires = at.Add(time.Second)
	f, err := b.client.Open(t.Context(), link, b.refresh.link, fetch.Options{Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b.wantBytes(f, 0, 10)
	link.Expires = at
	if _, err = b.client.Open(t.Context(), link, b.refresh.link, fetch.Options{}); !errors.Is(err, errStop) {
		t.Errorf("dead link: got %v", err)
	}
}

func TestARefreshWithoutALinkIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, size, status(403))
	none := func(context.Context) (fetch.Link, error) { return fetch.Link{}, nil }
	if f, err := b.client.Open(t.Context(), b.link(0), none, fetch.Options{}); err == nil {
		f.Close()
		t.Error("opened")
	}
}

func TestAFileThatIsNotThereYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.FreshWait = time.Hour
	deny := status(403)
	b := setupWith(t, cfg, size, deny, status(404), deny, deny, deny, deny, deny, deny, deny, deny, deny, deny)
	b.refresh.life = func(int) time.Time { return time.Now().Add(time.Hour) }
	b.wantBytes(b.open(fetch.Options{}), 0, -1)
	if n := b.refresh.count(); n != 12 {
		t.Errorf("%d refreshes, want 12", n)
	}
}

func TestAFileThatIsNeverThereIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	for name, refresh := range map[string]bool{"with refresh": true, "without": false} {
		cfg := fast()
		cfg.FreshWait = 20 * time.Millisecond
		b := setupWith(t, cfg, size)
		b.playAlways(status(404))
		b.refresh.life = func(int) time.Time { return time.Now().Add(time.Hour) }
		var refresher fetch.Refresh
		if refresh {
			refresher = b.refresh.link
		}
		_, err := b.client.Open(t.Context(), b.link(0), refresher, fetch.Options{})
		b.clean(err)
		var hint interface{ Hint() string }
		if !errors.Is(err, fetch.ErrNotThere) || !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%s: got %v", name, err)
		}
		if !strings.Contains(fmt.Sprint(err), "404 AccessDenied") {
			t.Errorf("%s: %v does not say what the host answered", name, err)
		}
	}
}

func TestLinksThatAreBornDeadEnd(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.FreshWait = time.Hour
	b := setupWith(t, cfg, size)
	b.playAlways(status(403))
	b.refresh.life = func(int) time.Time { return time.Unix(1, 0) }
	if err := b.openError(fetch.Options{}); !isGiveUp(err) {
		t.Errorf("got %v, want to give up", err)
	}
	_, refreshed := b.events.all()
	if diff := cmp.Diff("forbidden"+strings.Repeat(" expired", 7), refreshed); diff != "" {
		t.Errorf("refreshed (-want +got):\n%s", diff)
	}
}
