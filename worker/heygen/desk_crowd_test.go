package heygen_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

func TestACrowdOfRendersCostsFewCalls(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func([]string) []string{
		"newest first": newestFirst, "oldest first": slices.Clone[[]string], "any order": shuffled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 800
			h := newHall(t, heygensim.Options{V3: true}, 2)
			ids := order(h.add(0, n, func(v *heygensim.Video) { v.Held = true }))
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

// Renders that end in no order over a quarter of an hour, and are looked at three times more for a late asset: whoever was
// on a page when it was read for others, too early or already served, is served when the page is read again.
func TestACrowdThatCompletesBitByBitCostsFewCalls(t *testing.T) {
	t.Parallel()
	const n, rounds = 600, 5
	clock := &movedClock{t: time.Now()}
	h := newHall(t, heygensim.Options{V3: true, Now: clock.now}, 2)
	ids := shuffled(h.add(0, n, func(v *heygensim.Video) { v.Held = true }))
	for round := range rounds {
		done, waiting := ids[round*n/rounds:(round+1)*n/rounds], ids[round*n/rounds:]
		h.sim.Release(done...)
		if got := h.look(shuffled(waiting)); got != len(done) {
			t.Fatalf("round %d: %d are completed, want %d", round, got, len(done))
		}
		h.transfer(done)
		clock.add(200 * time.Second)
	}
	renders := h.calls()
	for range 3 {
		h.transfer(shuffled(ids))
		clock.add(400 * time.Second)
	}
	late := h.calls()
	t.Logf("%.3f calls a video until all are rendered: %+v", float64(renders.API)/n, renders)
	t.Logf("%.3f calls a video for three more looks: %+v", float64(late.API)/n, late)
	if renders.API > n*17/100 || late.API > n*7/100 || renders.Detail+late.Detail > n/50 {
		t.Errorf("%+v, %+v", renders, late)
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
	ids := h.add(0, 1500, nil)
	var served atomic.Int64
	h.wanted.Store(int64(len(ids)))
	h.each(shuffled(ids), 8, func(d *heygen.Desk, id string) {
		h.video(d, id)
		if n := int(served.Add(1)); n%20 == 0 {
			fresh := h.add(1500+n, 1, nil)
			h.sim.Remove(id)
			if n%40 == 0 {
				h.video(d, fresh[0])
			}
		}
	})
	c := h.calls()
	t.Logf("%.3f calls a video: %+v", float64(c.API)/1537, c)
	if c.API > 1537/5 {
		t.Errorf("%+v", c)
	}
}

// Videos that a search does not find within reason cost a tenth more than if nobody had searched.
func TestVideosFarDownTheListCostHardlyMoreThanTheirOwnCalls(t *testing.T) {
	t.Parallel()
	a := &archive{videos: 15_000, links: 1}
	d, _ := newDesk(t, a.answer, 60)
	for place := range 60 {
		if _, err := d.Video(t.Context(), archived(a.videos-1-place)); err != nil {
			t.Error(err)
		}
	}
	if lists, others := a.lists.Load(), a.others.Load(); lists > 6 || others != 60 {
		t.Errorf("%d pages and %d single calls for 60 videos", lists, others)
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

// archive is a v3 account of so many completed videos in a RoundTripper, with links as long and as random as real ones. The
// sixteenth digit of an id and those behind it are its place in the list.
type archive struct {
	videos, links int
	lists, others atomic.Int64
}

func archived(place int) string {
	return fmt.Sprintf("%016x%016x", uint64(place)*0x9e3779b97f4a7c15, place)
}

func (a *archive) answer(r *http.Request) reply {
	entry := func(id string) string {
		var b strings.Builder
		fmt.Fprintf(&b, `{"id":%q,"title":"Video %s","status":"completed","created_at":1763892000,"completed_at":1763892300,"duration":42.5,"folder_id":null,"output_language":null,"failure_code":null,"failure_message":null,"gif_url":"https://resource2.heygen.ai/video/gifs/%s.gif","video_page_url":"https://app.heygen.com/videos/%s"`, id, id[:6], id, id)
		for _, name := range []string{"video_url", "thumbnail_url", "subtitle_url", "captioned_video_url"}[:a.links] {
			signature := make([]byte, 258)
			for i := 0; i+8 <= len(signature); i += 8 {
				binary.LittleEndian.PutUint64(signature[i:], rand.Uint64())
			}
			fmt.Fprintf(&b, `,%q:"https://files2.heygen.ai/aws_pacific/avatar_tmp/0bf6e51cbbc44f0f9e6f5b2f7c1d9a38/%s.mp4?Expires=%d&Signature=%s&Key-Pair-Id=K1234567890ABC"`,
				name, id, time.Now().Add(7*24*time.Hour).Unix(), base64.URLEncoding.EncodeToString(signature))
		}
		return b.String() + "}"
	}
	if id, plain := strings.CutPrefix(r.URL.Path, "/v3/videos/"); plain {
		a.others.Add(1)
		return ok(`{"data":` + entry(id) + `}`)
	}
	a.lists.Add(1)
	from, _ := strconv.Atoi(r.URL.Query().Get("token"))
	to := min(from+100, a.videos)
	items := make([]string, 0, 100)
	for place := from; place < to; place++ {
		items = append(items, entry(archived(place)))
	}
	next := "null"
	if to < a.videos {
		next = fmt.Sprintf(`"%d"`, to)
	}
	return ok(fmt.Sprintf(`{"data":[%s],"has_more":%t,"next_token":%s}`, strings.Join(items, ","), next != "null", next))
}

// All of ten thousand videos find room in a desk at once, so that any order is as good as the list's.
func TestTenThousandLinksInAnyOrderTakeAHundredPages(t *testing.T) {
	t.Parallel()
	a := &archive{videos: 10_000, links: 2}
	d, _ := newDesk(t, a.answer, a.videos)
	// Every tenth is asked for: if not all had room, its page would be gone when its turn comes.
	for _, place := range rand.Perm(a.videos)[:a.videos/10] {
		id := archived(place)
		if v, err := d.Video(t.Context(), id); err != nil || v.ID != id || len(v.Links) != 3 {
			t.Fatalf("%s: %+v, %v", id, v, err)
		}
	}
	if lists, others := a.lists.Load(), a.others.Load(); lists > 110 || others > 10 {
		t.Errorf("%d pages and %d single calls", lists, others)
	}
}

// A large account is read through a desk; what it remembers must stay below 10 MB.
func TestTheDeskStaysSmall(t *testing.T) {
	a := &archive{videos: 32_000, links: 2}
	d, c := newDesk(t, a.answer, 100_000)
	if _, err := d.Video(t.Context(), archived(0)); err != nil {
		t.Fatal(err)
	}
	before := heap()
	for place := 100; place < a.videos; place += 100 {
		if _, err := d.Video(t.Context(), archived(place)); err != nil {
			t.Fatal(err)
		}
	}
	c.vendor.forget()
	pages := heap() - before
	runtime.KeepAlive(d)
	if lists, others := a.lists.Load(), a.others.Load(); lists < 320 || others > 10 {
		t.Errorf("%d pages and %d single calls: the account was not read", lists, others)
	}

	// Single answers: each look keeps one for the transfer that does not come.
	synctest.Test(t, func(t *testing.T) {
		d, c = newDesk(t, a.answer, 0)
		before = heap()
		for place := range 400 {
			if _, err := d.Look(t.Context(), archived(place)); err != nil {
				t.Fatal(err)
			}
		}
	})
	c.vendor.forget()
	singles := heap() - before
	runtime.KeepAlive(d)
	t.Logf("the desk holds %d KB of pages and %d KB of single answers", pages>>10, singles>>10)
	if pages+singles > 10<<20 || singles > 800<<10 || singles < 100<<10 {
		t.Errorf("the desk holds %d KB of pages and %d KB of single answers", pages>>10, singles>>10)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
