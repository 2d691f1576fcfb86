package heygen_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// hall is a simulated account and the desks of some processes that share its videos.
type hall struct {
	t      *testing.T
	sim    *heygensim.Sim
	desks  []*heygen.Desk
	wanted atomic.Int64
}

func newHall(t *testing.T, opt heygensim.Options, desks int) *hall {
	t.Helper()
	opt.CountOnly = true
	sim, err := heygensim.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	h := &hall{t: t, sim: sim}
	for range desks {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		t.Cleanup(transport.CloseIdleConnections)
		api, err := heygen.New(heygen.Config{BaseURL: sim.APIURL(), Key: secret.New(sim.Key()), HTTP: &http.Client{Transport: transport}, Now: opt.Now})
		if err != nil {
			t.Fatal(err)
		}
		h.desks = append(h.desks, heygen.NewDesk(api, heygen.DeskConfig{Wanted: func() int { return int(h.wanted.Load()) }}))
	}
	return h
}

// add puts n videos into the account, the oldest first, and returns their ids in that order.
func (h *hall) add(from, n int, change func(*heygensim.Video)) []string {
	ids := make([]string, n)
	start := time.Now().Add(-time.Hour)
	for i := range n {
		v := heygensim.Video{
			ID: fmt.Sprintf("%032x", rand.Uint64()), Title: fmt.Sprintf("video %d", from+i), CreatedAt: start.Add(time.Duration(from+i) * 10 * time.Millisecond),
			Assets: map[string]heygensim.Asset{"video": {Size: heygensim.MinSize}, "thumbnail": {}},
		}
		if change != nil {
			change(&v)
		}
		h.sim.Add(v)
		ids[i] = v.ID
	}
	return ids
}

// each runs do for every id, at that many at once on each desk, in order, each on the desk that chance picks.
func (h *hall) each(ids []string, atOnce int, do func(d *heygen.Desk, id string)) {
	lanes := make([]chan string, len(h.desks))
	var wg sync.WaitGroup
	for i, d := range h.desks {
		lanes[i] = make(chan string)
		for range atOnce {
			wg.Go(func() {
				for id := range lanes[i] {
					do(d, id)
				}
			})
		}
	}
	for _, id := range ids {
		lanes[rand.IntN(len(lanes))] <- id
	}
	for _, lane := range lanes {
		close(lane)
	}
	wg.Wait()
}

// look polls every video once, as a queue with a hundred places for it does, and counts those that are completed.
func (h *hall) look(ids []string) int {
	var completed atomic.Int64
	h.each(ids, 100, func(d *heygen.Desk, id string) {
		v, err := d.Look(h.t.Context(), id)
		if err != nil || v.ID != id {
			h.t.Errorf("look at %s: %+v, %v", id, v, err)
			return
		}
		if v.Status == heygen.StatusCompleted {
			completed.Add(1)
		}
	})
	return int(completed.Load())
}

// transfer asks for the links of every video once, as eight transfers at a time do.
func (h *hall) transfer(ids []string) {
	h.wanted.Store(int64(len(ids)))
	defer h.wanted.Store(0)
	h.each(ids, 8, func(d *heygen.Desk, id string) {
		defer h.wanted.Add(-1)
		h.video(d, id)
	})
}

func (h *hall) video(d *heygen.Desk, id string) heygen.Link {
	h.t.Helper()
	v, err := d.Video(h.t.Context(), id)
	if err != nil || v.ID != id || v.Brief {
		h.t.Errorf("video %s: %+v, %v", id, v, err)
		return heygen.Link{}
	}
	l, ok := v.Link(heygen.AssetVideo)
	if !ok || !l.Expires.After(v.AsOf) {
		h.t.Errorf("video %s has no link that lives: %+v", id, l)
	}
	return l
}

// calls is how many API calls were made since the last time.
func (h *hall) calls() heygensim.Counts {
	c := h.sim.Counts()
	h.sim.Forget()
	return c
}

func newestFirst(ids []string) []string {
	out := slices.Clone(ids)
	slices.Reverse(out)
	return out
}

func shuffled(ids []string) []string {
	out := slices.Clone(ids)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestTenThousandRendersCostFewCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		n     int
		order func([]string) []string
	}{
		"newest first": {4_000, newestFirst}, "oldest first": {4_000, slices.Clone[[]string]}, "any order": {10_000, shuffled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, h := tt.n, newHall(t, heygensim.Options{V3: true}, 2)
			ids := tt.order(h.add(0, n, func(v *heygensim.Video) { v.Held = true }))
			if got := h.look(ids); got != 0 {
				t.Fatalf("%d are completed before they are released", got)
			}
			waiting := h.calls()
			h.sim.Release()
			if got := h.look(ids); got != n {
				t.Errorf("%d of %d are completed", got, n)
			}
			polled := h.calls()
			h.transfer(ids)
			links := h.calls()
			all := float64(waiting.API+polled.API+links.API) / float64(n)
			t.Logf("%-12s %.4f calls a video: %d+%d for two polls of each, %d pages and %d single calls for links", name, all, waiting.API, polled.API, links.List, links.Detail)
			if all > 0.1 {
				t.Errorf("%.3f calls a video: %+v, %+v, %+v", all, waiting, polled, links)
			}
		})
	}
}

// The archive command over 300 videos that are all completed, on one desk, eight at a time or a hundred.
func TestHundredsOfCompletedVideosCostFewCalls(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{8, 100} {
		h := newHall(t, heygensim.Options{}, 1)
		h.add(0, 500, nil)
		ids := h.add(500, 300, nil)
		h.wanted.Store(300)
		h.each(ids, atOnce, func(d *heygen.Desk, id string) {
			if _, err := d.Look(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		h.transfer(ids)
		c := h.calls()
		t.Logf("%d at once: %.3f calls a video: %+v", atOnce, float64(c.API)/300, c)
		if c.API > 60 {
			t.Errorf("%d at once: %+v", atOnce, c)
		}
	}
}

func TestFewVideosCostNoMoreThanOneCallEach(t *testing.T) {
	t.Parallel()
	for _, opt := range []heygensim.Options{{V3: true}, {V1: true}} {
		h := newHall(t, opt, 1)
		h.add(0, 100, nil)
		ids := h.add(100, 9, nil)
		one := []string{ids[8]}
		h.look(one)
		h.transfer(one)
		c := h.calls()
		if c.API > 1 && opt.V3 || c.API > 2 { // v1 alone: v3 is tried once
			t.Errorf("%+v: one video: %+v", opt, c)
		}
		h.look(ids[:8])
		h.transfer(ids[:8])
		if c := h.calls(); c.API > 9 {
			t.Errorf("%+v: eight videos at once: %+v", opt, c)
		}
		h.look([]string{ids[0]})
		if c := h.calls(); c.API != 1 {
			t.Errorf("%+v: another look: %+v", opt, c)
		}
	}
}

func TestV1AnswersWithoutListsOrBulkCalls(t *testing.T) {
	t.Parallel()
	h := newHall(t, heygensim.Options{V1: true}, 1)
	ids := h.add(0, 200, nil)
	if got := h.look(ids); got != 200 {
		t.Errorf("%d are completed", got)
	}
	h.transfer(ids)
	if c := h.calls(); c.List > 2 || c.Statuses > 1 || c.Detail > 2*200+2*8 {
		t.Errorf("%+v", c)
	}
}

// New videos come to the front of the list while it is read, and old ones are deleted: each is still found, and most by pages.
func TestAListThatShiftsWhileItIsRead(t *testing.T) {
	t.Parallel()
	h := newHall(t, heygensim.Options{V3: true}, 2)
	ids := h.add(0, 3000, nil)
	var served atomic.Int64
	h.wanted.Store(int64(len(ids)))
	h.each(shuffled(ids), 8, func(d *heygen.Desk, id string) {
		h.video(d, id)
		if n := int(served.Add(1)); n%20 == 0 {
			fresh := h.add(3000+n, 1, nil)
			h.sim.Remove(id)
			if n%40 == 0 {
				h.video(d, fresh[0])
			}
		}
	})
	c := h.calls()
	t.Logf("%.3f calls a video: %+v", float64(c.API)/3075, c)
	if c.API > 3075/5 {
		t.Errorf("%+v", c)
	}
}

// Videos that a search cannot find cost a tenth more than if nobody had searched.
func TestVideosThatAreFarApartCostHardlyMoreThanTheirOwnCalls(t *testing.T) {
	t.Parallel()
	h := newHall(t, heygensim.Options{V3: true}, 1)
	ids := h.add(0, 300, nil)
	h.add(300, 5000, nil)
	h.transfer(ids)
	if c := h.calls(); c.API > 331 || c.Detail > 301 {
		t.Errorf("300 videos at the end of the list: %+v", c)
	}
}

// Links that live five seconds are given while there is most of that left, however many are asked for.
func TestShortLivedLinksAreGivenWhileTheyLive(t *testing.T) {
	t.Parallel()
	clock := &movedClock{t: time.Now()}
	h := newHall(t, heygensim.Options{V3: true, LinkLife: 5 * time.Second, Now: clock.now}, 1)
	ids := h.add(0, 400, nil)
	h.wanted.Store(400)
	for i, id := range shuffled(ids) {
		if i%20 == 0 {
			clock.add(time.Second)
		}
		if l := h.video(h.desks[0], id); l.Expires.Sub(clock.now()) < 2*time.Second {
			t.Errorf("the link to %s lives %s more", id, l.Expires.Sub(clock.now()))
		}
	}
	if c := h.calls(); c.API > 200 {
		t.Errorf("%+v", c)
	}
}

type movedClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *movedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *movedClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Whoever asks again has seen the link fail.
func TestALinkIsGivenOnce(t *testing.T) {
	t.Parallel()
	for _, wanted := range []int64{0, 1000} {
		h := newHall(t, heygensim.Options{V3: true}, 1)
		ids := h.add(0, 150, nil)
		h.wanted.Store(wanted)
		if _, err := h.desks[0].Look(t.Context(), ids[3]); err != nil {
			t.Fatal(err)
		}
		given := map[string]bool{}
		for range 5 {
			for _, id := range []string{ids[3], ids[140]} {
				l := h.video(h.desks[0], id)
				if given[l.URL.Reveal()] {
					t.Errorf("with %d wanted: a link was given twice", wanted)
				}
				given[l.URL.Reveal()] = true
			}
		}
	}
}

// The whole account is read through a desk many times over; what it remembers must stay below 10 MB.
func TestTheDeskStaysSmall(t *testing.T) {
	h := newHall(t, heygensim.Options{V3: true}, 1)
	full := func(v *heygensim.Video) {
		v.Assets = map[string]heygensim.Asset{"video": {Size: heygensim.MinSize}, "thumbnail": {}, "gif": {}, "captions": {}, "captioned_video": {}}
	}
	ids := h.add(0, 26_000, full)
	h.wanted.Store(100_000)
	h.video(h.desks[0], ids[len(ids)-1]) // what the client and its connection take is not the desk's
	before := heap()
	for i := len(ids) - 1; i >= 0; i -= 50 {
		h.video(h.desks[0], ids[i])
	}
	if c := h.calls(); c.Detail > 1 || c.List < 250 {
		t.Errorf("%+v: the account was not read", c)
	}
	pages := heap() - before
	runtime.KeepAlive(h)

	// Single answers: each look keeps one for the transfer that does not come.
	h = newHall(t, heygensim.Options{V1: true}, 1)
	ids = h.add(0, 3000, full)
	h.look(ids[:500])
	before = heap()
	h.look(ids[500:])
	singles := heap() - before + 512<<10 // what the first 500 took
	t.Logf("the desk holds %d KB of pages and %d KB of single answers", pages>>10, singles>>10)
	if pages+singles > 10<<20 {
		t.Errorf("the desk holds %d KB", (pages+singles)>>10)
	}
	runtime.KeepAlive(h)
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
