package heygen_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// words answers v3: bulk statuses from a map of HeyGen's words (ids that are not in it are left out), one video the same way.
func words(of map[string]string) func(*http.Request) reply {
	return func(r *http.Request) reply {
		if r.URL.Path == "/v3/videos" {
			return v3Empty
		}
		if one, plain := strings.CutPrefix(r.URL.Path, "/v3/videos/"); plain && one != "statuses" {
			switch word := of[one]; word {
			case "", "not_found":
				return v3NotFound
			default:
				return ok(fmt.Sprintf(`{"data":{"id":%q,"status":%q,"failure_message":"too long","video_url":"https://x.example/v.mp4"}}`, one, word))
			}
		}
		var items []string
		for one := range strings.SplitSeq(r.URL.Query().Get("video_ids"), ",") {
			if of[one] != "" {
				items = append(items, fmt.Sprintf(`{"video_id":%q,"status":%q}`, one, of[one]))
			}
		}
		return ok(fmt.Sprintf(`{"data":[%s]}`, strings.Join(items, ",")))
	}
}

func newDesk(t *testing.T, answer func(*http.Request) reply, wanted int) (*heygen.Desk, setup) {
	t.Helper()
	c := newClientWith(t, heygen.Config{Version: "v3", Now: time.Now}, answer)
	return heygen.NewDesk(c.Client, heygen.DeskConfig{Wanted: func() int { return wanted }}), c
}

type looked struct {
	video *heygen.Video
	err   error
}

// lookAll asks about all ids at once.
func lookAll(ctx context.Context, d *heygen.Desk, ids ...string) map[string]looked {
	var mu sync.Mutex
	out := map[string]looked{}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			v, err := d.Look(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			out[id] = looked{v, err}
		})
	}
	wg.Wait()
	return out
}

// bulkCalls sorts what was asked into bulk calls and others.
func bulkCalls(asked []string) (bulk, others []string) {
	for _, path := range asked {
		if strings.Contains(path, "/statuses?") {
			bulk = append(bulk, path)
		} else {
			others = append(others, path)
		}
	}
	return bulk, others
}

func TestThoseWhoAskTogetherShareOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, c := newDesk(t, words(map[string]string{"a": "queued", "b": "processing", "c": "completed", "d": "failed", "e": "not_found", "g": "a new word"}), 0)
		start := time.Now()
		got := lookAll(t.Context(), d, "a", "b", "c", "d", "e", "f", "g")
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s", took)
		}
		for id, want := range map[string]heygen.Video{
			"a": {Status: heygen.StatusWaiting, VendorStatus: "queued"}, "b": {Status: heygen.StatusWaiting, VendorStatus: "processing"},
			"c": {Status: heygen.StatusCompleted, VendorStatus: "completed"}, "g": {Status: heygen.StatusWaiting, VendorStatus: "a new word"},
		} {
			v := got[id].video
			if got[id].err != nil || v.ID != id || v.Status != want.Status || v.VendorStatus != want.VendorStatus || v.API != "v3" || !v.Brief {
				t.Errorf("%s: %+v, %v", id, v, got[id].err)
			}
		}
		if v := got["d"].video; v == nil || v.Failure == nil || v.Failure.Message != "too long" || v.Brief {
			t.Errorf("a failed render comes without its reason: %+v", v)
		}
		for _, id := range []string{"e", "f"} {
			if heygen.KindOf(got[id].err) != heygen.NotFound {
				t.Errorf("%s: %v, want HeyGen's own not found", id, got[id].err)
			}
		}
		if bulk, others := bulkCalls(c.vendor.take()); len(bulk) != 1 || len(others) != 3 {
			t.Errorf("asked %q and %q", bulk, others)
		}
	})
}

func TestOneWhoIsAloneGetsAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, c := newDesk(t, words(map[string]string{"a": "completed"}), 0)
		v, err := d.Look(t.Context(), "a")
		if err != nil || v.Brief || len(v.Links) != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		if again, err := d.Look(t.Context(), "a"); err != nil || again.Brief {
			t.Fatalf("%+v, %v", again, err)
		}
		if v, err = d.Video(t.Context(), "a"); err != nil || len(v.Links) != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		if asked := c.vendor.take(); !slices.Equal(asked, []string{"/v3/videos/a"}) {
			t.Errorf("asked %q for a look and its transfer", asked)
		}
		_, _ = d.Video(t.Context(), "a")
		if asked := c.vendor.take(); len(asked) != 1 {
			t.Errorf("asked %q for a new link", asked)
		}
		_, _ = d.Look(t.Context(), "a")
		time.Sleep(11 * time.Minute)
		c.vendor.take()
		_, _ = d.Video(t.Context(), "a")
		if asked := c.vendor.take(); len(asked) != 1 {
			t.Errorf("asked %q: an answer of eleven minutes ago was used", asked)
		}
	})
}

func TestNobodyWaitsForThoseWhoCannotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClientWith(t, heygen.Config{Version: "v3", Now: time.Now}, words(map[string]string{"a": "queued", "b": "completed"}))
		d := heygen.NewDesk(c.Client, heygen.DeskConfig{Most: func() int { return 2 }})
		start := time.Now()
		for id, got := range lookAll(t.Context(), d, "a", "b") {
			if got.err != nil {
				t.Errorf("%s: %v", id, got.err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("all there are had asked, and still they waited %s for others", took)
		}
		if bulk, others := bulkCalls(c.vendor.take()); len(bulk) != 1 || len(others) > 1 {
			t.Errorf("asked %q and %q, want one call for both and at most one that finds out the generation", bulk, others)
		}
	})
}

func TestARoundHoldsAHundred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		of := map[string]string{}
		var ids []string
		for i := range 250 {
			ids = append(ids, fmt.Sprintf("v%d", i))
			of[ids[i]] = "processing"
		}
		d, c := newDesk(t, words(of), 0)
		for id, got := range lookAll(t.Context(), d, append(ids, ids[:20]...)...) {
			if got.err != nil || got.video.ID != id {
				t.Errorf("%s: %+v, %v", id, got.video, got.err)
			}
		}
		bulk, others := bulkCalls(c.vendor.take())
		if len(bulk) != 3 || len(others) != 0 {
			t.Errorf("%d bulk calls, and %q", len(bulk), others)
		}
		for _, path := range bulk {
			if n := strings.Count(path, "%2C") + 1; n > 100 {
				t.Errorf("%d ids in one call", n)
			}
		}
	})
}

func TestOneWhoLeavesDoesNotTakeTheOthersAnswerAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		of := words(map[string]string{"a": "processing", "b": "processing", "c": "processing"})
		d, c := newDesk(t, func(r *http.Request) reply {
			select { // HeyGen takes its time
			case <-time.After(5 * time.Second):
				return of(r)
			case <-r.Context().Done():
				return reply{err: r.Context().Err()}
			}
		}, 0)
		draining := errors.New("draining")
		ctx, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { leave(draining) })
		var first looked
		var wg sync.WaitGroup
		wg.Go(func() { first.video, first.err = d.Look(ctx, "a") }) // it is the one who began the round
		synctest.Wait()
		start := time.Now()
		rest := lookAll(t.Context(), d, "b", "c")
		wg.Wait()
		if !errors.Is(first.err, draining) {
			t.Errorf("the one who left: %+v, %v", first.video, first.err)
		}
		for id, got := range rest {
			if got.err != nil {
				t.Errorf("%s: %v", id, got.err)
			}
		}
		if asked, took := c.vendor.take(), time.Since(start); len(asked) != 1 || took > 6*time.Second {
			t.Errorf("asked %q in %s", asked, took)
		}

		// Once all have left, nothing goes on.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for id, got := range lookAll(ctx, d, "a", "b") {
			if !errors.Is(got.err, context.DeadlineExceeded) {
				t.Errorf("%s: %+v, %v", id, got.video, got.err)
			}
		}
		synctest.Wait()
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("the call went on for %s", took)
		}
	})
}

func TestTroubleOfABulkCall(t *testing.T) {
	t.Parallel()
	bulkOnly := func(a reply) func(*http.Request) reply {
		good := words(map[string]string{"a": "processing", "b": "processing", "c": "processing"})
		return func(r *http.Request) reply {
			if strings.HasSuffix(r.URL.Path, "/statuses") {
				return a
			}
			return good(r)
		}
	}
	for name, tt := range map[string]struct {
		answer func(*http.Request) reply
		kind   heygen.Kind // for all; "" = good answers
		asked  [2]int      // calls for three who ask, the first time and the second
	}{
		"throttled":               {always(reply{status: 429}), heygen.Throttled, [2]int{1, 1}},
		"refused key":             {always(v3Refused), heygen.Unauthorized, [2]int{1, 1}},
		"out of order":            {always(html(502)), heygen.Down, [2]int{1, 1}},
		"a web page with 200":     {always(html(200)), heygen.Down, [2]int{1, 1}},
		"no JSON":                 {always(ok("oops")), heygen.Unintelligible, [2]int{1, 1}},
		"no network":              {always(reply{err: errors.New("refused")}), heygen.Down, [2]int{1, 1}},
		"the call is not offered": {bulkOnly(v3NotFound), "", [2]int{1 + 3, 3}},
		"one id spoils the call":  {bulkOnly(reply{status: 400, body: `{"error":{"code":"invalid_parameter"}}`}), "", [2]int{1 + 3, 1 + 3}},
		"not offered and then down": {func(r *http.Request) reply {
			return map[bool]reply{true: html(404), false: html(503)}[strings.HasSuffix(r.URL.Path, "/statuses")]
		}, heygen.Down, [2]int{2, 3}},
		"broken while all else is up": {bulkOnly(html(500)), heygen.Down, [2]int{1, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, c := newDesk(t, tt.answer, 0)
			for _, calls := range tt.asked {
				for id, got := range lookAll(t.Context(), d, "a", "b", "c") {
					if heygen.KindOf(got.err) != tt.kind || (tt.kind == "" && got.video.ID != id) {
						t.Errorf("%s: %s: %+v, %v", name, id, got.video, got.err)
					}
				}
				if asked := c.vendor.take(); len(asked) != calls {
					t.Errorf("%s: asked %q, want %d calls", name, asked, calls)
				}
			}
		})
	}
}

// A bulk call that never works must not keep any video for ever, and must not be tried all the time.
func TestABrokenBulkCallIsGivenUpForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := words(map[string]string{"a": "processing", "b": "completed"})
		d, c := newDesk(t, func(r *http.Request) reply {
			if strings.HasSuffix(r.URL.Path, "/statuses") {
				return html(500)
			}
			return good(r)
		}, 0)
		answered, bulk := 0, 0
		for range 60 { // ten minutes
			for _, got := range lookAll(t.Context(), d, "a", "b") {
				if got.err == nil {
					answered++
				}
			}
			calls, _ := bulkCalls(c.vendor.take())
			bulk += len(calls)
			time.Sleep(10 * time.Second)
		}
		if answered < 100 || bulk > 10 {
			t.Errorf("%d of 120 looks were answered, with %d bulk calls", answered, bulk)
		}
	})
}

// In an outage of all of HeyGen, a hundred who ask must not become a hundred calls; and when it is over, bulk calls are back at once.
func TestAnOutageDoesNotTurnIntoPlainCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		of := map[string]string{}
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprintf("v%d", i))
			of[ids[i]] = "processing"
		}
		s := &stage{v3: always(html(502))}
		d, c := newDesk(t, s.answer, 0)
		for range 20 {
			lookAll(t.Context(), d, ids...)
			time.Sleep(10 * time.Second)
		}
		if asked := c.vendor.take(); len(asked) > 25 {
			t.Errorf("%d calls for twenty rounds of an outage", len(asked))
		}
		s.set(words(of), nil)
		for range 3 {
			lookAll(t.Context(), d, ids...)
		}
		if bulk, others := bulkCalls(c.vendor.take()); len(bulk) < 2 || len(others) > 1 {
			t.Errorf("after the outage: %d bulk calls, others %q", len(bulk), others)
		}
	})
}

// pages is a v3 list of ids in pages of 100, with a token of its own for each reading of the list.
type pages struct {
	mu    sync.Mutex
	ids   []string
	age   int                        // tokens of another age are refused
	spoil func(*http.Request) *reply // nil: nothing goes wrong
}

func (p *pages) answer(r *http.Request) reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spoil != nil {
		if a := p.spoil(r); a != nil {
			return *a
		}
	}
	entry := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"status":"completed","title":"of a list","video_url":"https://x.example/%s.mp4?Expires=%d&n=%d"}`,
			id, id, time.Now().Add(time.Hour).Unix(), time.Now().UnixNano())
	}
	if one, plain := strings.CutPrefix(r.URL.Path, "/v3/videos/"); plain {
		return ok(`{"data":` + entry(one) + `}`)
	}
	from, age := 0, p.age
	if token := r.URL.Query().Get("token"); token != "" {
		_, _ = fmt.Sscanf(token, "%d-%d", &age, &from)
	}
	if age != p.age {
		return reply{status: 400, body: `{"error":{"code":"invalid_parameter","message":"token is not valid"}}`}
	}
	to := min(from+100, len(p.ids))
	var items []string
	for _, id := range p.ids[from:to] {
		items = append(items, entry(id))
	}
	next := "null"
	if to < len(p.ids) {
		next = fmt.Sprintf(`"%d-%d"`, p.age, to)
	}
	return ok(fmt.Sprintf(`{"data":[%s],"has_more":%t,"next_token":%s}`, strings.Join(items, ","), next != "null", next))
}

func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("v%d", i)
	}
	return ids
}

func TestManyWhoWantLinksShareThePages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pages{ids: manyIDs(1000)}
		d, c := newDesk(t, p.answer, 1000)
		var wg sync.WaitGroup
		for _, id := range shuffled(p.ids) {
			wg.Go(func() {
				if v, err := d.Video(t.Context(), id); err != nil || v.ID != id || v.API != "v3" || len(v.Links) != 1 || v.AsOf.IsZero() {
					t.Errorf("%s: %+v, %v", id, v, err)
				}
			})
		}
		wg.Wait()
		if asked := c.vendor.take(); len(asked) != 10 {
			t.Errorf("asked %d times", len(asked))
		}
		// An hour later the same pages serve again, each by its token.
		time.Sleep(time.Hour)
		for _, id := range shuffled(p.ids) {
			if v, err := d.Video(t.Context(), id); err != nil || time.Since(v.AsOf) > 10*time.Minute {
				t.Errorf("%s: %+v, %v", id, v, err)
			}
		}
		if asked := c.vendor.take(); len(asked) != 10 {
			t.Errorf("asked %d times an hour later", len(asked))
		}
	})
}

func TestTroubleOfTheListDoesNotKeepAnybodyFromHisLink(t *testing.T) {
	t.Parallel()
	list := func(a reply) func(*http.Request) *reply {
		return func(r *http.Request) *reply {
			if r.URL.Path == "/v3/videos" {
				return &a
			}
			return nil
		}
	}
	deep := func(a reply) func(*http.Request) *reply {
		return func(r *http.Request) *reply {
			if r.URL.Query().Get("token") != "" {
				return &a
			}
			return nil
		}
	}
	for name, spoil := range map[string]func(*http.Request) *reply{
		"forbidden": list(reply{status: 403, body: `{"error":{"code":"forbidden"}}`}), "down": list(html(500)), "gone": list(html(404)),
		"unreadable": list(ok(`{"data":7}`)), "endless": list(ok(`{"data":[],"has_more":true,"next_token":"x"}`)), "null": list(ok(`{"data":[null,3,"x"]}`)),
		"deep pages refused": deep(reply{status: 400, body: `{"error":{"code":"invalid_parameter"}}`}), "deep pages down": deep(html(500)),
		"not completed": list(ok(`{"data":[{"id":"v1","status":"processing"},{"id":"v2","status":"completed"}]}`)),
		"dead links":    list(ok(`{"data":[{"id":"v1","status":"completed","video_url":"https://x.example/?Expires=1000000000"}]}`)),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pages{ids: manyIDs(500), spoil: spoil}
			d, c := newDesk(t, p.answer, 500)
			answered := 0
			for _, id := range p.ids {
				for range 10 { // as often as the queue tries without calling it a failure, and more
					v, err := d.Video(t.Context(), id)
					if err == nil && v.ID == id && len(v.Links) == 1 && v.Links[0].Expires.After(time.Now()) {
						answered++
						break
					}
					time.Sleep(10 * time.Second)
				}
			}
			if asked := c.vendor.take(); answered != len(p.ids) || len(asked) > 600 {
				t.Errorf("%s: %d of %d were answered, by %d calls", name, answered, len(p.ids), len(asked))
			}
		})
	}
}

func TestTokensThatDiedAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pages{ids: manyIDs(1000)}
		d, c := newDesk(t, p.answer, 1000)
		all := func() int {
			for _, id := range shuffled(p.ids) {
				if _, err := d.Video(t.Context(), id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
			return len(c.vendor.take())
		}
		all()
		time.Sleep(20 * time.Minute)
		p.mu.Lock()
		p.age++
		p.mu.Unlock()
		if n := all(); n > 20 {
			t.Errorf("%d calls when all tokens had died", n)
		}
	})
}

func TestASearchThatBeginsAgainSkipsWhatItKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pages{ids: manyIDs(2000)}
		d, c := newDesk(t, p.answer, 1000)
		if _, err := d.Video(t.Context(), "v1999"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		p.ids = append([]string{"new"}, p.ids...)
		c.vendor.take()
		for _, id := range []string{"new", "nowhere", "nowhere"} {
			if _, err := d.Video(t.Context(), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		if asked := c.vendor.take(); len(asked) > 5 {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestWhatConcernsEverybodyIsSaidToEverybody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		a    reply
		kind heygen.Kind
	}{"throttle": {reply{status: 429}, heygen.Throttled}, "refused key": {v3Refused, heygen.Unauthorized}} {
		p := &pages{ids: manyIDs(500)}
		d, c := newDesk(t, p.answer, 500)
		p.spoil = func(*http.Request) *reply { return &tt.a }
		_, err := d.Video(t.Context(), "v7")
		if asked := c.vendor.take(); heygen.KindOf(err) != tt.kind || len(asked) != 1 {
			t.Errorf("%s: %v after %q", name, err, asked)
		}
	}
}

func TestWaitingForAPageEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pages{ids: manyIDs(500)}
		d, _ := newDesk(t, func(r *http.Request) reply {
			if r.URL.Path == "/v3/videos" {
				select {
				case <-time.After(10 * time.Second):
				case <-r.Context().Done():
					return reply{err: r.Context().Err()}
				}
			}
			return p.answer(r)
		}, 500)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := d.Video(ctx, fmt.Sprintf("v%d", i)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		if _, err := d.Video(t.Context(), "v1"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestAnImpossibleIDIsNeverSent(t *testing.T) {
	t.Parallel()
	d, c := newDesk(t, always(v3Empty), 500)
	for _, id := range []string{"", "../x", "a b"} {
		if _, err := d.Look(t.Context(), id); !errors.Is(err, heygen.ErrInvalidID) {
			t.Errorf("look %q: %v", id, err)
		}
		if _, err := d.Video(t.Context(), id); !errors.Is(err, heygen.ErrInvalidID) {
			t.Errorf("video %q: %v", id, err)
		}
	}
	if asked := c.vendor.take(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}
