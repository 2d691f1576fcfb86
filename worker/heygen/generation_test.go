package heygen_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

const (
	atV3 = "/v3/videos/" + id
	atV1 = "/v1/video_status.get?video_id=" + id
	inV3 = "/v3/videos?limit=1"
	inV1 = "/v1/video.list?limit=1"
)

var (
	v1NotFound = reply{status: 404, body: `{"code":40031,"message":"Invalid video ID","data":null}`}
	v3NotFound = reply{status: 404, body: `{"error":{"code":"video_not_found","message":"Video not found"}}`}
	v1Refused  = reply{status: 401, body: `{"code":400112,"message":"Unauthorized"}`}
	v3Refused  = reply{status: 401, body: `{"error":{"code":"unauthorized","message":"Invalid API key"}}`}
	plain404   = reply{status: 404, body: "404 page not found\n"}
	v1Empty    = ok(`{"code":100,"data":{"token":null,"videos":[]}}`)
	v3Empty    = ok(`{"data":[],"has_more":false,"next_token":null}`)
)

// TestAutoFindsTheGenerationThatAnswers asks the same thing twice: the second time shows what was remembered.
func TestAutoFindsTheGenerationThatAnswers(t *testing.T) {
	t.Parallel()
	v1Good, v3Good := always(v1Video(id, "")), always(v3Video(id, ""))
	both := []string{atV3, atV1}
	for name, tt := range map[string]struct {
		v3, v1        func(*http.Request) reply
		api           string // "" for an error of kind
		kind          heygen.Kind
		first, second []string
	}{
		"both answer":                    {v3: v3Good, v1: v1Good, api: "v3", first: both[:1], second: both[:1]},
		"v3 alone":                       {v3: v3Good, api: "v3", first: both[:1], second: both[:1]},
		"v1 alone, HTML 404 on v3":       {v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, plain 404":            {v3: always(plain404), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, JSON of a router":     {v3: always(reply{status: 404, body: `{"error":"Not Found","status":404}`}), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, 405":                  {v3: always(reply{status: 405}), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, 410 in an envelope":   {v3: always(reply{status: 410, body: `{"error":{"code":"endpoint_retired","message":"gone"}}`}), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, 501":                  {v3: always(reply{status: 501, body: `{}`}), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, 200 with a page":      {v3: always(html(200)), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, a catch-all in JSON":  {v3: always(ok(`{"status":"ok"}`)), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v1 alone, 301":                  {v3: always(reply{status: 301, header: map[string]string{"Location": "https://elsewhere.example/"}}), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"key is good for v1 only":        {v3: always(v3Refused), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"video is known to v1 only":      {v3: always(v3NotFound), v1: v1Good, api: "v1", first: both, second: both[1:]},
		"v3 is out of order":             {v3: always(html(503)), v1: v1Good, api: "v1", first: both, second: both},
		"nobody knows the video":         {v3: always(v3NotFound), v1: always(v1NotFound), kind: heygen.NotFound, first: both, second: both},
		"v1 alone does not know it":      {v1: always(v1NotFound), kind: heygen.NotFound, first: both, second: both},
		"v3 alone does not know it":      {v3: always(v3NotFound), kind: heygen.NotFound, first: both, second: both},
		"unknown to v3, v1 out of order": {v3: always(v3NotFound), v1: always(html(502)), kind: heygen.Down, first: both, second: both},
		"unknown to v3, v1 throttles":    {v3: always(v3NotFound), v1: always(reply{status: 429}), kind: heygen.Throttled, first: both, second: both},
		"key refused by both":            {v3: always(v3Refused), v1: always(v1Refused), kind: heygen.Unauthorized, first: both, second: both},
		"key refused by v3 alone":        {v3: always(v3Refused), kind: heygen.Unauthorized, first: both, second: both},
		"key refused by v1 alone":        {v1: always(v1Refused), kind: heygen.Unauthorized, first: both, second: both},
		"throttled at once":              {v3: always(reply{status: 429}), v1: v1Good, kind: heygen.Throttled, first: both[:1], second: both[:1]},
		"no network":                     {v3: always(reply{err: errors.New("refused")}), v1: v1Good, kind: heygen.Down, first: both[:1], second: both[:1]},
		"no HeyGen at this address":      {kind: heygen.Down, first: []string{atV3, atV1, inV3, inV1}, second: []string{atV3, atV1, inV3, inV1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "", generations(tt.v3, tt.v1))
			for _, want := range [][]string{tt.first, tt.second} {
				v, err := c.Video(t.Context(), id)
				if got := heygen.KindOf(err); got != tt.kind {
					t.Errorf("kind %q (%v), want %q", got, err, tt.kind)
				}
				if err == nil && v.API != tt.api {
					t.Errorf("answer of %s, want %s", v.API, tt.api)
				}
				if got := c.vendor.take(); !slices.Equal(got, want) {
					t.Errorf("asked %q, want %q", got, want)
				}
			}
		})
	}
}

// stage lets a test change what a generation answers.
type stage struct {
	mu     sync.Mutex
	v3, v1 func(*http.Request) reply
}

func (s *stage) set(v3, v1 func(*http.Request) reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v3, s.v1 = v3, v1
}

func (s *stage) answer(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return generations(s.v3, s.v1)(r)
}

func TestAutoNoticesThatItsGenerationIsGone(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]reply{
		"HTML 404": html(404), "410": {status: 410}, "200 with a page": html(200), "410 in words": {status: 410, body: `{"code":410000,"message":"retired"}`},
		"404 in words never used before": {status: 404, body: `{"code":410001,"message":"This API was retired"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stage{v1: always(v1Video(id, ""))}
			c := newClient(t, "auto", s.answer)
			mustVideo(t, c, "v1")
			s.set(always(v3Video(id, "")), always(end))
			mustVideo(t, c, "v3")
			c.vendor.take()
			mustVideo(t, c, "v3")
			if got := c.vendor.take(); !slices.Equal(got, []string{atV3}) {
				t.Errorf("asked %q: v3 was not remembered", got)
			}
		})
	}
}

func mustVideo(t *testing.T, c setup, api string) {
	t.Helper()
	v, err := c.Video(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if v.API != api {
		t.Fatalf("answer of %s, want %s", v.API, api)
	}
}

// TestAKnownGenerationIsBelieved: once a generation has answered, its word on one video needs no second opinion.
func TestAKnownGenerationIsBelieved(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		v3, v1 func(*http.Request) reply
		then   reply
		kind   heygen.Kind
	}{
		"v3, unknown video": {v3: always(v3Video(id, "")), then: v3NotFound, kind: heygen.NotFound},
		"v3, refused key":   {v3: always(v3Video(id, "")), then: v3Refused, kind: heygen.Unauthorized},
		"v3, out of order":  {v3: always(v3Video(id, "")), then: html(503), kind: heygen.Down},
		"v3, unreadable":    {v3: always(v3Video(id, "")), then: ok(`{"data":`), kind: heygen.Unintelligible},
		"v1, unknown video": {v1: always(v1Video(id, "")), then: v1NotFound, kind: heygen.NotFound},
		"v1, refused key":   {v1: always(v1Video(id, "")), then: v1Refused, kind: heygen.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stage{v3: tt.v3, v1: tt.v1}
			c := newClient(t, "auto", s.answer)
			if _, err := c.Video(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			c.vendor.take()
			s.set(always(tt.then), always(tt.then))
			_, err := c.Video(t.Context(), id)
			if got := heygen.KindOf(err); got != tt.kind {
				t.Errorf("kind %q, want %q", got, tt.kind)
			}
			if got := c.vendor.take(); len(got) != 1 {
				t.Errorf("asked %q, want one call", got)
			}
		})
	}
}

// TestAPlain404OfALivingEndpointMeansTheVideoIsUnknown: some servers in front of an API say "404 page not found" for everything.
func TestAPlain404OfALivingEndpointMeansTheVideoIsUnknown(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stage{
		"v3": {v3: byCall(plain404, v3Empty)},
		"v1": {v1: byCall(plain404, v1Empty)},
	} {
		for _, version := range []string{"auto", name} {
			c := newClient(t, version, s.answer)
			for range 2 {
				_, err := c.Video(t.Context(), id)
				if got := heygen.KindOf(err); got != heygen.NotFound {
					t.Errorf("%s, version %s: kind %q (%v), want not_found", name, version, got, err)
				}
			}
		}
	}
}

// TestALostEndpointDoesNotBecomeARefusedKey: v3 is known to take the key; what a dead v1 says about it is no news.
func TestALostEndpointDoesNotBecomeARefusedKey(t *testing.T) {
	t.Parallel()
	s := &stage{v3: always(v3Video(id, ""))}
	c := newClient(t, "auto", s.answer)
	mustVideo(t, c, "v3")
	s.set(always(html(404)), always(v1Refused))
	_, err := c.Video(t.Context(), id)
	if e := asError(t, err); e.Kind != heygen.Down || !strings.Contains(e.Hint(), "HEYGEN_API_URL") {
		t.Errorf("got %v, want down", err)
	}
}

func TestA400OfV1IsAThrottleOnlyIfTheListIsRefusedToo(t *testing.T) {
	t.Parallel()
	bad := reply{status: 400, body: `{"code":40012,"message":"Invalid query parameter","data":null}`}
	for name, tt := range map[string]struct {
		status, list reply
		kind         heygen.Kind
	}{
		"list refused with 400": {bad, bad, heygen.Throttled},
		"list refused with 429": {bad, reply{status: 429}, heygen.Throttled},
		"list answers":          {bad, v1Empty, heygen.BadRequest},
		"list out of order":     {bad, html(502), heygen.BadRequest},
		"with Retry-After":      {reply{status: 400, header: map[string]string{"Retry-After": "7"}}, v1Empty, heygen.Throttled},
		"code of a bad id":      {reply{status: 400, body: v1NotFound.body}, v1Empty, heygen.NotFound},
		"code of a bad key":     {reply{status: 400, body: v1Refused.body}, v1Empty, heygen.Unauthorized},
	} {
		c := newClient(t, "v1", byCall(tt.status, tt.list))
		_, err := c.Video(t.Context(), id)
		if e := asError(t, err); e.Kind != tt.kind || (e.Kind == heygen.Throttled && e.Wait == 0) {
			t.Errorf("%s: kind %q, wait %s, want %q", name, e.Kind, e.Wait, tt.kind)
		}
	}
}

func TestAFixedVersionAsksNobodyElse(t *testing.T) {
	t.Parallel()
	for version, prefix := range map[string]string{"v3": "/v3/", "v1": "/v1/"} {
		c := newClient(t, version, always(html(404)))
		_, err := c.Video(t.Context(), id)
		if e := asError(t, err); e.Kind != heygen.Down || !strings.Contains(e.Hint(), "HEYGEN_API_VERSION") {
			t.Errorf("got %v, want down with a hint at HEYGEN_API_VERSION", err)
		}
		for _, path := range c.vendor.take() {
			if !strings.HasPrefix(path, prefix) {
				t.Errorf("version %s asked %s", version, path)
			}
		}
	}
}

func TestCheckTellsAGoodKeyFromABadOne(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		v3, v1 func(*http.Request) reply
		kind   heygen.Kind
		asked  []string
	}{
		"v3":                 {v3: always(v3Empty), asked: []string{inV3}},
		"v1":                 {v1: always(v1Empty), asked: []string{inV3, inV1}},
		"refused":            {v3: always(v3Refused), v1: always(v1Refused), kind: heygen.Unauthorized, asked: []string{inV3, inV1}},
		"list not known":     {v3: always(v3NotFound), v1: always(v1NotFound), kind: heygen.Down, asked: []string{inV3, inV1}},
		"wrong address":      {kind: heygen.Down, asked: []string{inV3, inV1}},
		"throttled with 400": {v1: always(reply{status: 400, body: `{"code":40012,"message":"x"}`}), kind: heygen.Throttled, asked: []string{inV3, inV1}},
	} {
		c := newClient(t, "auto", generations(tt.v3, tt.v1))
		if got := heygen.KindOf(c.Check(t.Context())); got != tt.kind {
			t.Errorf("%s: kind %q, want %q", name, got, tt.kind)
		}
		if got := c.vendor.take(); !slices.Equal(got, tt.asked) {
			t.Errorf("%s: asked %q, want %q", name, got, tt.asked)
		}
	}
}

func TestManyGoroutinesShareOneMemory(t *testing.T) {
	t.Parallel()
	c := newClient(t, "auto", generations(nil, always(v1Video(id, ""))))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := c.Video(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c.vendor.take()
	mustVideo(t, c, "v1")
	if got := c.vendor.take(); !slices.Equal(got, []string{atV1}) {
		t.Errorf("asked %q, want v1 alone", got)
	}
}
