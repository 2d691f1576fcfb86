package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func schedule(seed uint64, length time.Duration) []string {
	var all []string
	for _, e := range newPlan(seed, length).Events {
		all = append(all, fmt.Sprint(e))
	}
	return all
}

func TestTheSeedIsTheSchedule(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(schedule(7, time.Minute), schedule(7, time.Minute)); diff != "" {
		t.Errorf("the same seed, twice:\n%s", diff)
	}
	if cmp.Equal(schedule(7, time.Minute), schedule(8, time.Minute)) {
		t.Error("two seeds have one schedule")
	}
}

// Whatever the seed, the minute in which a change is tried has everything in it.
func TestAMinuteHasEveryKindOfTrouble(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		p := newPlan(seed, time.Minute)
		seen := map[string]bool{}
		for _, e := range p.Events {
			seen[e.Do] = true
		}
		for _, what := range []string{killWorker, freezeWorker, restartRedis, flushRedis, restartStore, breakStore, lateWrite, lateSeal, breakAPI, removeVideo, handedIn} {
			if !seen[what] {
				t.Errorf("seed %d: no %s", seed, what)
			}
		}
		kinds := map[string]bool{}
		for _, v := range p.Videos {
			kinds[v.What] = true
		}
		for _, kind := range sources() {
			if kind != "" && !kinds[kind] {
				t.Errorf("seed %d: no video of the kind %s", seed, kind)
			}
		}
	}
}

// The bill is what the verdict on fetched bytes rests on: each byte in one line.
func TestTheBillHasEveryByteOnce(t *testing.T) {
	t.Parallel()
	asset := func(id, etag, fault string, off, n int64) heygensim.Request {
		return heygensim.Request{Host: "asset", VideoID: id, Asset: "video", ETag: etag, Fault: fault, Offset: off, Bytes: n}
	}
	journal := []heygensim.Request{
		{Host: "api", Bytes: 999},
		asset("a", "1", "", 0, 100), asset("a", "1", "", 50, 50), // fetched again
		asset("a", "0", "", 0, 30),   // replaced since
		asset("a", "", "html", 0, 7), // a page
		asset("a", "1", heygensim.FaultWrongRange, 1, 20),
		asset("gone", "1", "", 0, 11),
		asset("plain", "1", heygensim.FaultNoRanges, 0, 60), asset("plain", "1", heygensim.FaultNoRanges, 0, 40),
	}
	sealed := map[file]sealedFile{{"a", "video"}: {"video.mp4", 100, "1", false}, {"plain", "video"}: {"video.mp4", 60, "1", true}}
	want := bill{fetched: 318, stored: 160, pages: 7, replaced: 30, unsealed: 11, lies: 20, inOrder: 40, answers: 8, rest: 50}
	if diff := cmp.Diff(want, newBill(journal, sealed), cmp.AllowUnexported(bill{})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheStoreHeldAndWasFetchedAgainIsSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newParts()
	p.ids["a"] = map[int64]time.Time{2: now}
	ask := func(at time.Time, off, n int64) heygensim.Request {
		return heygensim.Request{Host: "asset", VideoID: "a", Asset: "video", ETag: "1", At: at, Offset: off, Bytes: n}
	}
	journal := []heygensim.Request{
		ask(now.Add(-time.Second), partSize, partSize), // before it was stored
		ask(now.Add(time.Second), partSize-10, 30),     // 20 bytes of part 2
		ask(now.Add(time.Minute), 2*partSize-5, partSize),
	}
	woken, otherwise := p.fetchedAgain(journal, map[string]bool{"a": true}, []window{{now.Add(50 * time.Second), now.Add(70 * time.Second)}})
	if woken != 5 || otherwise["a"] != 20 {
		t.Errorf("%d and %v bytes, want 5 and 20", woken, otherwise)
	}
}

func TestASecondSealIsSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seals  []seal
		broken bool
	}{
		"once":                    {[]seal{{true, false, "archived", "a"}}, false},
		"the same bytes again":    {[]seal{{true, false, "archived", "a"}, {true, false, "archived", "a"}}, false},
		"other bytes":             {[]seal{{true, false, "archived", "b"}, {true, false, "archived", "a"}}, true},
		"completed":               {[]seal{{true, false, "partial", "b"}, {true, true, "archived", "a"}}, false},
		"replaced after its end":  {[]seal{{true, true, "archived", "b"}, {true, true, "archived", "a"}}, true},
		"nobody knows whether":    {[]seal{{false, false, "archived", "a"}}, false},
		"by nobody that was seen": {nil, true},
		"a partial one over it":   {[]seal{{true, false, "partial", "b"}, {true, false, "partial", "a"}}, true},
	} {
		s := newSeals()
		s.ids["v"] = c.seals
		if got := s.brokenBy("v", "a"); (len(got) > 0) != c.broken {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// MinIO may lose an upload that it is putting together when somebody is killed; nothing else excuses that a file comes twice.
func TestAnEndOfAnUploadThatAKillCutIsSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(from, to int) window {
		return window{now.Add(time.Duration(from) * time.Second), now.Add(time.Duration(to) * time.Second)}
	}
	kills := []window{at(10, 11)}
	for name, c := range map[string]struct {
		during   window
		answered bool
		cut      int
	}{
		"cut":                      {at(9, 11), false, 1},
		"begun while it died":      {at(10, 12), false, 1},
		"answered all the same":    {at(9, 11), true, 0},
		"over before":              {at(8, 9), false, 0},
		"begun after it was there": {at(12, 13), false, 0},
	} {
		e := &endings{all: []*ending{{id: "v", from: c.during.from, to: c.during.to, answered: c.answered}}}
		if got := e.cut(kills)["v"]; got != c.cut {
			t.Errorf("%s: %d cut, want %d", name, got, c.cut)
		}
	}
}
