package heygen_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// account answers lists over n videos in pages of size, made an hour apart, the newest first.
type account struct {
	n, size int
	reverse bool
	v1      bool
}

func (a account) made(i int) int64 {
	if a.reverse {
		i = a.n - 1 - i
	}
	return 1_790_000_000 - int64(i)*3600
}

func (a account) answer(r *http.Request) reply {
	from, _ := strconv.Atoi(r.URL.Query().Get("token"))
	to := min(from+a.size, a.n)
	var items []string
	for i := from; i < to; i++ {
		items = append(items, fmt.Sprintf(`{"id":"v%d","video_id":"v%d","status":"completed","created_at":%d}`, i, i, a.made(i)))
	}
	next := "null"
	if to < a.n {
		next = fmt.Sprintf(`"%d"`, to)
	}
	if a.v1 {
		return ok(fmt.Sprintf(`{"code":100,"data":{"token":%s,"videos":[%s]},"message":null}`, next, strings.Join(items, ",")))
	}
	return ok(fmt.Sprintf(`{"data":[%s],"has_more":%t,"next_token":%s}`, strings.Join(items, ","), next != "null", next))
}

// collect walks to the end and returns ids, errors about single entries, and the error that ended the walk.
func collect(ctx context.Context, c setup, since time.Time) (ids []string, items []error, end error) {
	for v, err := range c.Videos(ctx, heygen.ListOptions{Since: since}) {
		var item *heygen.ItemError
		switch {
		case errors.As(err, &item):
			items = append(items, err)
		case err != nil:
			end = err
		default:
			ids = append(ids, v.ID)
		}
	}
	return ids, items, end
}

func TestAListIsReadToItsEndInBothGenerations(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 250} {
		for api, answer := range map[string]func(*http.Request) reply{
			"v3": generations(account{n: n, size: 100}.answer, nil),
			"v1": generations(nil, account{n: n, size: 100, v1: true}.answer),
		} {
			c := newClient(t, "auto", answer)
			ids, items, end := collect(t.Context(), c, time.Time{})
			if len(ids) != n || len(items) != 0 || end != nil {
				t.Errorf("%s: %d videos (want %d), %v, %v", api, len(ids), n, items, end)
			}
			if !slices.Equal(ids, slices.Compact(slices.Clone(ids))) {
				t.Errorf("%s: a video came twice", api)
			}
			for _, path := range c.vendor.take()[1:] {
				if strings.HasPrefix(path, "/v3/") != (api == "v3") {
					t.Errorf("%s: asked %s in the middle of the list", api, path)
				}
			}
		}
	}
}

func TestSinceLeavesOutOldVideosAndStopsEarlyOnlyInASortedList(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account
		pages int
	}{
		"newest first":                   {account{n: 50, size: 5}, 3},
		"newest first, one on each page": {account{n: 50, size: 1}, 9},
		"oldest first":                   {account{n: 50, size: 5, reverse: true}, 10},
		"oldest first, one on each page": {account{n: 50, size: 1, reverse: true}, 50},
	} {
		c := newClient(t, "v3", tt.answer)
		ids, _, end := collect(t.Context(), c, time.Unix(1_790_000_000-7*3600, 0))
		if len(ids) != 8 || end != nil {
			t.Errorf("%s: %d videos, %v; want 8", name, len(ids), end)
		}
		if got := len(c.vendor.take()); got != tt.pages {
			t.Errorf("%s: %d pages, want %d", name, got, tt.pages)
		}
	}
}

func TestSinceKeepsVideosWithoutADate(t *testing.T) {
	t.Parallel()
	c := newClient(t, "v1", always(ok(`{"code":100,"data":{"videos":[{"video_id":"a","status":"draft"},{"video_id":"b","created_at":1}]}}`)))
	ids, _, end := collect(t.Context(), c, time.Now())
	if !slices.Equal(ids, []string{"a", "b"}) || end != nil {
		t.Errorf("got %q, %v", ids, end)
	}
}

func TestOneBadEntryDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	c := newClient(t, "v3", always(ok(`{"data":[{"id":"a","status":"completed"},{"id":"../etc\u001b[2J","status":"completed"},7,null,{"status":"completed"},{"id":"b"}]}`)))
	ids, items, end := collect(t.Context(), c, time.Time{})
	if !slices.Equal(ids, []string{"a", "b"}) || end != nil {
		t.Errorf("got %q, %v", ids, end)
	}
	if len(items) != 4 {
		t.Fatalf("got %d errors about entries, want 4: %v", len(items), items)
	}
	if !errors.Is(items[0], heygen.ErrInvalidID) || !strings.Contains(items[0].Error(), "../etc") || strings.Contains(items[0].Error(), "\x1b") {
		t.Errorf("got %q, want the id, made printable", items[0])
	}
}

func TestAListThatLeadsBackToItselfEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pages map[string]string // token → body
		ids   []string
		kind  heygen.Kind
	}{
		"to the same page":       {map[string]string{"": `{"data":[{"id":"a"}],"next_token":"x"}`, "x": `{"data":[{"id":"b"}],"next_token":"x"}`}, []string{"a", "b"}, heygen.Unintelligible},
		"round and round":        {map[string]string{"": `{"data":[{"id":"a"}],"next_token":"x"}`, "x": `{"data":[{"id":"b"}],"next_token":"y"}`, "y": `{"data":[{"id":"c"}],"next_token":"x"}`}, []string{"a", "b", "c"}, heygen.Unintelligible},
		"over an empty last one": {map[string]string{"": `{"data":[{"id":"a"}],"next_token":"x"}`, "x": `{"data":[],"next_token":"x"}`}, []string{"a"}, ""},
		"shifted by a new video": {map[string]string{"": `{"data":[{"id":"a"},{"id":"b"}],"next_token":"x"}`, "x": `{"data":[{"id":"b"},{"id":"c"}]}`}, []string{"a", "b", "c"}, ""},
		"more without a token":   {map[string]string{"": `{"data":[{"id":"a"}],"has_more":true}`}, nil, heygen.Unintelligible},
		"token of another type":  {map[string]string{"": `{"data":[{"id":"a"}],"next_token":{"t":1}}`}, nil, heygen.Unintelligible},
		"token as a number":      {map[string]string{"": `{"data":[{"id":"a"}],"next_token":2}`, "2": `{"data":[{"id":"b"}],"next_token":""}`}, []string{"a", "b"}, ""},
		"no more, but a token":   {map[string]string{"": `{"data":[{"id":"a"}],"has_more":false,"next_token":"x"}`}, []string{"a"}, ""},
		"videos of another type": {map[string]string{"": `{"data":{"videos":"none"}}`}, nil, heygen.Unintelligible},
		"nothing at all":         {map[string]string{"": `{}`}, nil, heygen.Unintelligible},
		"an object without any":  {map[string]string{"": `{"code":100,"data":{"total":0}}`}, nil, heygen.Unintelligible},
		"null for an empty list": {map[string]string{"": `{"data":null,"has_more":false}`}, nil, ""},
		"v1's null for it":       {map[string]string{"": `{"code":100,"data":{"videos":null,"token":null}}`}, nil, ""},
	} {
		c := newClient(t, "v3", func(r *http.Request) reply { return ok(tt.pages[r.URL.Query().Get("token")]) })
		ids, _, end := collect(t.Context(), c, time.Time{})
		if !slices.Equal(ids, tt.ids) || heygen.KindOf(end) != tt.kind {
			t.Errorf("%s: got %q, %v; want %q, %q", name, ids, end, tt.ids, tt.kind)
		}
	}
}

func TestAListOfEmptyPagesEnds(t *testing.T) {
	t.Parallel()
	n := 0
	c := newClient(t, "v3", func(*http.Request) reply { n++; return ok(fmt.Sprintf(`{"data":[],"next_token":"%d"}`, n)) })
	if _, _, end := collect(t.Context(), c, time.Time{}); heygen.KindOf(end) != heygen.Unintelligible {
		t.Errorf("got %v, want an error: the list never ended", end)
	}
	if got := len(c.vendor.take()); got > 200 {
		t.Errorf("asked %d times", got)
	}
}

func TestAConsumerMayStopAnywhere(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 12; n++ {
		c := newClient(t, "v3", account{n: 12, size: 5}.answer)
		seen := 0
		for range c.Videos(t.Context(), heygen.ListOptions{}) {
			if seen++; seen == n {
				break
			}
		}
		if want := (n + 4) / 5; len(c.vendor.take()) != want {
			t.Errorf("stopped after %d videos: want %d pages", n, want)
		}
	}
}

func TestAMomentOfTroubleDoesNotEndAWalk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trouble reply
		times   int
		kind    heygen.Kind
		asked   int
		took    time.Duration
	}{
		"outage":             {html(503), 3, "", 6, 3500 * time.Millisecond},
		"throttle":           {reply{status: 429, header: map[string]string{"Retry-After": "5"}}, 2, "", 5, 10 * time.Second},
		"cut connection":     {reply{err: errors.New("reset")}, 1, "", 4, 500 * time.Millisecond},
		"lasting outage":     {html(503), 99, heygen.Down, 5, 3500 * time.Millisecond},
		"long throttle":      {reply{status: 429, header: map[string]string{"Retry-After": "600"}}, 99, heygen.Throttled, 2, 0},
		"key taken back":     {v3Refused, 99, heygen.Unauthorized, 2, 0},
		"endpoint taken off": {html(404), 99, heygen.Down, 2, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			left := tt.times
			c := newClient(t, "v3", func(r *http.Request) reply {
				if r.URL.Query().Get("token") == "5" && left > 0 {
					left--
					return tt.trouble
				}
				return account{n: 12, size: 5}.answer(r)
			})
			start := time.Now()
			ids, _, end := collect(t.Context(), c, time.Time{})
			if heygen.KindOf(end) != tt.kind || (tt.kind == "" && len(ids) != 12) || (tt.kind != "" && len(ids) != 5) {
				t.Errorf("%s: %d videos, %v", name, len(ids), end)
			}
			if asked, took := len(c.vendor.take()), time.Since(start); asked != tt.asked || took != tt.took {
				t.Errorf("%s: asked %d times in %s, want %d in %s", name, asked, took, tt.asked, tt.took)
			}
		})
	}
}

func TestAWalkThatWaitsCanBeInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		draining := errors.New("draining")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(draining) })
		c := newClient(t, "v3", always(reply{status: 429, header: map[string]string{"Retry-After": "20"}}))
		start := time.Now()
		_, _, end := collect(ctx, c, time.Time{})
		if !errors.Is(end, context.Canceled) || !errors.Is(end, draining) || time.Since(start) != time.Second {
			t.Errorf("got %v after %s", end, time.Since(start))
		}
	})
}

func TestStatusesAreAskedFor100AtATime(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("v%d", i))
	}
	c := newClient(t, "auto", generations(func(r *http.Request) reply {
		if r.URL.Path == "/v3/videos" {
			return v3Empty
		}
		var items []string
		for id := range strings.SplitSeq(r.URL.Query().Get("video_ids"), ",") {
			items = append(items, fmt.Sprintf(`{"video_id":%q,"status":"queued"}`, id))
		}
		half := len(items) / 2 // the answer may come in pages of its own
		if r.URL.Query().Get("token") == "" {
			return ok(fmt.Sprintf(`{"data":[%s],"has_more":true,"next_token":"2"}`, strings.Join(items[:half], ",")))
		}
		return ok(fmt.Sprintf(`{"data":[%s,{"video_id":"stranger","status":"completed"}],"has_more":false}`, strings.Join(items[half:], ",")))
	}, nil))
	got, err := c.Statuses(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 250 || got["v249"] != heygen.StatusWaiting {
		t.Errorf("got %d statuses, v249 %q", len(got), got["v249"])
	}
	for _, path := range c.vendor.take()[1:] {
		if n := strings.Count(path, "%2C") + 1; n > 100 {
			t.Errorf("%d ids in one call", n)
		}
	}
	if got, err := c.Statuses(t.Context(), nil); err != nil || len(got) != 0 || len(c.vendor.take()) != 0 {
		t.Errorf("no ids: %v, %v", got, err)
	}
}

func TestStatusesWhereTheyAreNotOffered(t *testing.T) {
	t.Parallel()
	bulk := func(a reply) func(*http.Request) reply {
		return func(r *http.Request) reply {
			if r.URL.Path == "/v3/videos" {
				return v3Empty
			}
			return a
		}
	}
	for name, tt := range map[string]struct {
		version string
		v3, v1  func(*http.Request) reply
		sentry  error
		kind    heygen.Kind
	}{
		"v1 by setting":               {version: "v1", v1: always(v1Empty), sentry: heygen.ErrUnsupported},
		"v1 found":                    {version: "auto", v1: always(v1Empty), sentry: heygen.ErrUnsupported},
		"v3 without the call":         {version: "v3", v3: bulk(html(404)), sentry: heygen.ErrUnsupported},
		"v3 that takes it for an id":  {version: "auto", v3: bulk(v3NotFound), sentry: heygen.ErrUnsupported},
		"v3 out of order":             {version: "auto", v3: bulk(html(503)), kind: heygen.Down},
		"v3 refuses the key":          {version: "auto", v3: always(v3Refused), kind: heygen.Unauthorized},
		"v3 with something unlike it": {version: "auto", v3: bulk(ok(`{"data":"x"}`)), kind: heygen.Unintelligible},
	} {
		c := newClient(t, tt.version, generations(tt.v3, tt.v1))
		_, err := c.Statuses(t.Context(), []string{id})
		if heygen.KindOf(err) != tt.kind || (tt.sentry != nil && !errors.Is(err, tt.sentry)) {
			t.Errorf("%s: got %v, want %v %q", name, err, tt.sentry, tt.kind)
		}
	}
}
