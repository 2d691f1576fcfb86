package worker_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// checkAll checks videos as a queue with many places does: at once.
func checkAll(b *bundle, a *worker.Archiver, videos ...worker.Video) []worker.Finding {
	b.t.Helper()
	found := make([]worker.Finding, len(videos))
	var wg sync.WaitGroup
	for i, v := range videos {
		wg.Go(func() {
			var err error
			if found[i], err = a.Check(b.ctx, v); err != nil {
				b.t.Errorf("check %s: %v", v.ID, err)
			}
		})
	}
	wg.Wait()
	return found
}

func some(n int) []worker.Video {
	out := make([]worker.Video, n)
	for i := range out {
		out[i] = worker.Video{ID: id(i)}
	}
	return out
}

func TestOneVideoCostsOneCall(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true})
	b.sim.Add(bigVideo(1, 50_000, nil))
	b.mustArchive(id(1))
	if c := b.sim.Counts(); c.API != 1 {
		t.Errorf("%+v", c)
	}
}

func TestManyVideosAreArchivedWithFewCalls(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true})
	const n = 60
	for i := range n {
		b.sim.Add(bigVideo(i, 20_000, nil))
	}
	b.wanted = n
	a := b.bench()
	for _, f := range checkAll(b, a, some(n)...) {
		if f.Manifest != nil || f.Deadline.Before(time.Now().Add(6*24*time.Hour)) {
			t.Errorf("found %+v", f)
		}
	}
	for _, v := range some(n) {
		m, err := a.Transfer(b.ctx, v, nil)
		must(t, err)
		if m.Video.Title != "Big" || m.Source.API != "v3" || !strings.Contains(string(m.Source.Response), `"completed"`) || strings.Contains(string(m.Source.Response), "Signature=") {
			t.Errorf("sealed with %+v and %s", m.Video, m.Source.Response)
		}
		b.proveExact(m)
	}
	if c := b.sim.Counts(); c.API > 5 {
		t.Errorf("%d videos: %+v", n, c)
	}
}

// Links that live for a day, seen once, tell that a video which was only seen to be completed has a day, too.
func TestTheDeadlineOfABriefAnswerKnowsHowLongLinksLive(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true, LinkLife: 24 * time.Hour})
	for i := range 4 {
		b.sim.Add(bigVideo(i, 20_000, nil))
	}
	a := b.bench()
	_, err := a.Transfer(b.ctx, worker.Video{ID: id(3)}, nil)
	must(t, err)
	for _, f := range checkAll(b, a, some(3)...) {
		if left := time.Until(f.Deadline); left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("the deadline is %s away", left)
		}
	}
}

// Polls of renders don't read the store; what somebody else has sealed meanwhile is found before anything is fetched.
func TestAVideoThatRendersIsNotLookedForInTheStore(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true})
	b.sim.Add(bigVideo(1, 20_000, nil))
	b.mustArchive(id(1))
	calls, fetched := b.sim.Counts().API, b.fetched(id(1), "video")
	a := b.bench()
	found, err := a.Check(b.ctx, worker.Video{ID: id(1), Rendering: true})
	if err != nil || found.Manifest != nil {
		t.Fatalf("found %+v, %v", found, err)
	}
	m, err := a.Transfer(b.ctx, worker.Video{ID: id(1)}, nil)
	if err != nil || m.State != storage.StateArchived {
		t.Fatalf("%+v, %v", m, err)
	}
	if c := b.sim.Counts(); c.API != calls+1 || b.fetched(id(1), "video") != fetched {
		t.Errorf("%d calls; the video was fetched again: %v", c.API-calls, b.fetched(id(1), "video") != fetched)
	}
}

// A page that was read for other videos may be some minutes old. It must not tell that there is still no GIF, and least
// of all when that is the last look.
func TestALateAssetIsNotMissedForAnOldPage(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	forward := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	b := setup(t, heygensim.Options{V3: true, Now: clock})
	b.cfg.Now, b.wanted = clock, 100
	for i := range 3 {
		v := fullVideo(i)
		v.CreatedAt = now
		v.Assets["gif"] = heygensim.Asset{After: time.Minute}
		b.sim.Add(v)
	}
	a := b.bench()
	other := b.bench() // another worker, whose pages are its own
	transfer := func(a *worker.Archiver, n int) *storage.Manifest {
		t.Helper()
		m, err := a.Transfer(b.ctx, worker.Video{ID: id(n)}, nil)
		must(t, err)
		return m
	}
	transfer(a, 2) // shows it that v3 answers
	transfer(a, 0) // reads a page, which tells of video 1 as well
	if c := b.sim.Counts(); c.List != 1 {
		t.Fatalf("%+v: no page was read", c)
	}
	if m := transfer(other, 1); m.State != storage.StatePartial {
		t.Fatalf("state %s", m.State)
	}
	forward(3 * time.Minute)
	m := transfer(a, 1)
	if _, ok := m.Asset("gif"); !ok || m.State != storage.StateArchived {
		t.Errorf("state %s, absent %v", m.State, m.Absent)
	}
}

// How long it takes until a crowd of partial videos is closed is spaced like their polls.
func TestACrowdOfPartialVideosIsLookedAtSparingly(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true})
	waiting := 1
	b.cfg.Waiting = func(string) int { return waiting }
	a := b.bench()
	now := time.Now()
	m := &storage.Manifest{VideoID: id(1), SealedAt: now, Source: storage.Source{API: "v3"}, Video: storage.Video{CompletedAt: now}}
	if d := a.LookAgain(m); d > 3*time.Second {
		t.Errorf("one is looked at after %s", d)
	}
	waiting = 1000
	if d := a.LookAgain(m); d < 79*time.Second || d > 120*time.Second {
		t.Errorf("a thousand are looked at after %s", d)
	}
	waiting = 10_000 // 800 seconds apart, if there were not the end of the wait
	if d := a.LookAgain(m); d < 10*time.Minute || d > 10*time.Minute+258*time.Second {
		t.Errorf("ten thousand are looked at after %s", d)
	}
	m.Video.CompletedAt = now.Add(-9 * time.Minute)
	together := map[time.Time]bool{} // the last looks of videos that were completed within two minutes
	for i := range 120 {
		m.Video.CompletedAt = now.Add(-9 * time.Minute).Add(time.Duration(i) * time.Second)
		d := a.LookAgain(m)
		if until := a.LateUntil(m).Sub(now); d < until || d > until+258*time.Second {
			t.Errorf("with %s left they are looked at after %s", until, d)
		}
		together[time.Now().Add(d).Round(time.Second)] = true
	}
	if len(together) > 2 {
		t.Errorf("their last looks are due at %d moments", len(together))
	}
	waiting, m.Video.CompletedAt = 1, now.Add(-time.Hour)
	if d := a.LookAgain(m); d > 3*time.Second {
		t.Errorf("at the end one is looked at after %s", d)
	}
}

func TestNoFormOfOutageCountsAsAFailure(t *testing.T) {
	const page, odd = "<html>out of order</html>", `{"status":"maintenance"}`
	for name, tt := range map[string]struct {
		status int
		body   string
		after  time.Duration // HeyGen's, and then the least that is waited
		least  time.Duration
	}{
		"429": {http.StatusTooManyRequests, `{"error":{"code":"rate_limit_exceeded"}}`, 90 * time.Second, 90 * time.Second},
		"502": {http.StatusBadGateway, page, 0, time.Second}, "503": {http.StatusServiceUnavailable, page, 45 * time.Second, 45 * time.Second},
		"a page with 200": {http.StatusOK, page, 0, time.Second}, "a page with 403": {http.StatusForbidden, page, 0, time.Second},
		"a page with 404": {http.StatusNotFound, page, 0, time.Second}, "nothing": {http.StatusOK, "", 0, time.Second},
		"half of a JSON": {http.StatusOK, `{"data":`, 0, time.Second}, "JSON of another kind": {http.StatusOK, odd, 0, time.Second},
		"cut": {0, "", 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.sim.Add(bigVideo(1, 20_000, nil))
			b.wanted = 100
			v := worker.Video{ID: id(1), AcceptedAt: time.Now()}
			for _, known := range []bool{false, true} {
				a := b.bench()
				if known { // the client knows that v3 answers
					_, err := a.Check(b.ctx, v)
					must(t, err)
					_, err = a.Transfer(b.ctx, v, nil)
					must(t, err)
					b.sim.Add(bigVideo(2, 20_000, nil))
					v.ID = id(2)
				}
				lift := b.sim.APIOutage(tt.status, tt.body, tt.after)
				for range 5 {
					_, checked := a.Check(b.ctx, v)
					_, transferred := a.Transfer(b.ctx, v, nil)
					for step, err := range map[string]error{"check": checked, "transfer": transferred} {
						var outage *worker.OutageError
						if !errors.As(err, &outage) || outage.RetryAfter() < tt.least {
							t.Fatalf("%s (generation known: %v): %v", step, known, err)
						}
					}
				}
				lift()
			}
			_, err := b.bench().Transfer(b.ctx, v, nil)
			must(t, err)
		})
	}
}

func TestACrowdDoesNotComeBackEveryTenSecondsInAnOutage(t *testing.T) {
	b := setup(t, heygensim.Options{V3: true})
	defer b.sim.APIOutage(http.StatusBadGateway, "", 0)()
	for waiting, want := range map[int][2]time.Duration{1: {10 * time.Second, 10 * time.Second}, 10_000: {time.Minute, 93 * time.Second}} {
		b.cfg.Waiting = func(string) int { return waiting }
		_, err := b.bench().Check(b.ctx, worker.Video{ID: id(1), AcceptedAt: time.Now()})
		var outage *worker.OutageError
		if !errors.As(err, &outage) || outage.RetryAfter() < want[0] || outage.RetryAfter() > want[1] {
			t.Errorf("%d waiting: %v, after %s", waiting, err, outage.RetryAfter())
		}
	}
}

// An answer that stays unreadable for as long as a render may take is about the video, and somebody has to hear of it.
func TestWhatStaysUnreadableBecomesAFailure(t *testing.T) {
	b := setup(t, heygensim.Options{})
	defer b.sim.APIOutage(http.StatusOK, `{"data":{"id":7}}`, 0)()
	_, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1), AcceptedAt: time.Now().Add(-100 * time.Hour)}, nil)
	var outage *worker.OutageError
	if err == nil || errors.As(err, &outage) {
		t.Errorf("got %v", err)
	}
}

func TestMessagesNameTheKeyOfTheAccount(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.cfg.KeyIn = func(account string) string { return "the drawer of " + account }
	_, err := b.bench().Check(b.ctx, worker.Video{ID: id(1)})
	if err == nil || !strings.Contains(err.Error(), "the drawer of default") {
		t.Errorf("got %v", err)
	}
	_, err = b.bench().Check(b.ctx, worker.Video{ID: id(1), Account: "team"})
	var refused *worker.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "the drawer of team") || refused.RetryAfter() < time.Minute {
		t.Errorf("got %v", err)
	}
}
