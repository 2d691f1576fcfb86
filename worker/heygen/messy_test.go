package heygen_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

const signed = "https://files2.heygen.ai/a/b.mp4?Expires=1790604800&Signature=TOPSECRET~__&Key-Pair-Id=K2"

func TestUncertainTypesCostNothing(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string]string{
		`"status":"completed","created_at":"1777017422.0"`:                                         "completed created=1777017422",
		`"status":"completed","created_at":1777017422123`:                                          "completed created=1777017422",
		`"status":"completed","created_at":1.777017422e9`:                                          "completed created=1777017422",
		`"status":"completed","created_at":"2026-04-24T07:57:02Z"`:                                 "completed created=1777017422",
		`"status":"completed","created_at":"2026-04-24T09:57:02.5+02:00"`:                          "completed created=1777017422",
		`"status":"completed","created_at":"2026-04-24 07:57:02"`:                                  "completed created=1777017422",
		`"status":"completed","created_at":0`:                                                      "completed",
		`"status":"completed","created_at":-5`:                                                     "completed",
		`"status":"completed","created_at":1e300`:                                                  "completed",
		`"status":"completed","created_at":"NaN"`:                                                  "completed",
		`"status":"completed","created_at":{"seconds":1}`:                                          "completed",
		`"status":"completed","created_at":[1777017422]`:                                           "completed",
		`"status":"completed","created_at":true`:                                                   "completed",
		`"status":"completed","duration":"42.5"`:                                                   "completed 42.5s",
		`"status":"completed","duration":-1`:                                                       "completed",
		`"status":"completed","duration":"Inf"`:                                                    "completed",
		`"status":"completed","duration":{}`:                                                       "completed",
		`"status":" Completed "`:                                                                   "completed(Completed)",
		`"status":"COMPLETED"`:                                                                     "completed(COMPLETED)",
		`"status":"success"`:                                                                       "waiting(success)",
		`"status":"not_found"`:                                                                     "waiting(not_found)",
		`"status":"error"`:                                                                         "waiting(error)",
		`"status":7`:                                                                               "waiting(7)",
		`"status":"completed","title":12,"callback_id":34`:                                         `completed "12" callback=34`,
		`"status":"completed","title":["x"],"callback_id":{}`:                                      "completed",
		`"status":"completed","video_url":"","gif_url":"  "`:                                       "completed",
		`"status":"completed","video_url":["https://h/x.mp4"],"gif_url":{"url":"https://h/x.gif"}`: "completed",
		`"status":"completed","video_url":"pending","gif_url":"/x.gif"`:                            "completed",
		`"status":"completed","video_url":"javascript:alert(1)","gif_url":"file:///etc/passwd"`:    "completed",
		`"status":"completed","video_url":"HTTPS://h/x.mp4?Expires=1790604800"`:                    "completed video.mp4@1790604800",
		`"status":"completed","caption_url":"https://h/x.ass","subtitle_url":"https://h/x.srt"`:    "completed captions.srt",
		`"status":"completed","caption_url":"https://h/x.ass","subtitle_url":""`:                   "completed captions.ass",
		`"status":"failed","error":["x"]`:                                                          "failed failure[||]",
		`"status":"failed","error":42`:                                                             "failed failure[|42|]",
		`"status":"failed","error":{"code":null,"message":7}`:                                      "failed failure[|7|]",
		`"status":"failed","failure_code":9,"failure_message":null`:                                "failed failure[9||]",
		`"status":"failed","error":{"message":"get https://h/x?Signature=TOPSECRET refused"}`:      "failed failure[|get https://h/x refused|]",
		`"status":"failed","error":"red\u001b[31m\u202eline\nnext"`:                                "failed failure[|red [31m line next|]",
		`"status":"completed","error":{"message":"old"}`:                                           "completed",
		`"status":"completed","error":null,"new":{"deep":[{"er":1}]},"status2":"x"`:                "completed",
		`"status":"processing","status":"completed"`:                                               "completed",
	} {
		for _, version := range []string{"v3", "v1"} {
			body := `{"code":"100","warning":{"message":"legacy"},"data":{` + rest + `}}`
			if version == "v3" {
				body = `{"data":{` + rest + `},"request_id":1}`
			}
			c := newClient(t, version, always(ok(body)))
			v, err := c.Video(t.Context(), id)
			if got := describe(v, err); got != want {
				t.Errorf("%s %s\ngot  %s\nwant %s", version, rest, got, want)
			}
			if v != nil && v.ID != id {
				t.Errorf("id %q, want the one that was asked for", v.ID)
			}
		}
	}
}

func TestBodiesThatAreNoAnswer(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"data":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, tt := range map[string]struct {
		reply reply
		kind  heygen.Kind
	}{
		"empty":                         {ok(""), heygen.Unintelligible},
		"space":                         {ok(" \n"), heygen.Unintelligible},
		"no content":                    {reply{status: 204}, heygen.Unintelligible},
		"cut":                           {ok(`{"data":{"id":"` + id + `","status":"comp`), heygen.Unintelligible},
		"two documents":                 {ok(`{"data":{"status":"completed"}}{}`), heygen.Unintelligible},
		"null":                          {ok("null"), heygen.Unintelligible},
		"a list":                        {ok("[]"), heygen.Unintelligible},
		"a number":                      {ok("100"), heygen.Unintelligible},
		"text":                          {ok("OK"), heygen.Unintelligible},
		"binary":                        {ok("\x00\x01\xff"), heygen.Unintelligible},
		"nested too deep":               {ok(deep), heygen.Unintelligible},
		"no data":                       {ok(`{"code":100,"message":"Success"}`), heygen.Unintelligible},
		"data null":                     {ok(`{"code":100,"data":null}`), heygen.Unintelligible},
		"data text":                     {ok(`{"data":"completed"}`), heygen.Unintelligible},
		"no status":                     {ok(`{"data":{"id":"` + id + `"}}`), heygen.Unintelligible},
		"huge":                          {ok(`{"data":{"status":"completed","pad":"` + strings.Repeat("x", 9<<20) + `"}}`), heygen.Unintelligible},
		"another video":                 {v3Video("ffffffffffffffffffffffffffffffff", ""), heygen.Unintelligible},
		"half the id":                   {v3Video(id[:16], ""), heygen.Unintelligible},
		"page, 200":                     {html(200), heygen.Down},
		"page, 403":                     {html(403), heygen.Down},
		"page, 500":                     {html(500), heygen.Down},
		"page, 429":                     {html(429), heygen.Throttled},
		"page behind space and BOM":     {ok("\n \xef\xbb\xbf <html>"), heygen.Down},
		"XML":                           {reply{status: 403, body: `<?xml version="1.0"?><Error/>`}, heygen.Down},
		"408":                           {reply{status: 408}, heygen.Down},
		"418":                           {reply{status: 418, body: "{}"}, heygen.BadRequest},
		"500 with an envelope of a 404": {reply{status: 500, body: v3NotFound.body}, heygen.Down},
		"200 with v1's refusal":         {ok(`{"code":400112,"message":"Unauthorized","data":null}`), heygen.Unauthorized},
		"200 with v1's unknown video":   {ok(v1NotFound.body), heygen.NotFound},
		"200 with v3's throttle":        {ok(`{"error":{"code":"rate_limit_exceeded"}}`), heygen.Throttled},
		"200 with an unknown refusal":   {ok(`{"error":"no","data":{"status":"completed"}}`), heygen.BadRequest},
		"410 of the video":              {reply{status: 410, body: v3NotFound.body}, heygen.NotFound},
		"402":                           {reply{status: 402, body: "{}"}, heygen.Forbidden},
		"302":                           {reply{status: 302, header: map[string]string{"Location": signed}}, heygen.Down},
		"199":                           {reply{status: 199}, heygen.Unintelligible},
		"999":                           {reply{status: 999}, heygen.Down},
		"network":                       {reply{err: errors.New("dial https://u:TOPSECRET@h/p?Signature=TOPSECRET")}, heygen.Down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "v3", always(tt.reply))
			_, err := c.Video(t.Context(), id)
			e := asError(t, err)
			if e.Kind != tt.kind {
				t.Errorf("kind %q (%v), want %q", e.Kind, err, tt.kind)
			}
			if len(err.Error()) > 900 || e.Hint() == "" {
				t.Errorf("not a sentence for a person: %d bytes, hint %q", len(err.Error()), e.Hint())
			}
			noSecret(t, "error", err.Error())
		})
	}
}

func TestABodyWithAByteOrderMarkAndTheWrongTypeIsRead(t *testing.T) {
	t.Parallel()
	a := ok("\xef\xbb\xbf\r\n" + `{"data":{"status":"completed"}}` + "\n")
	a.header = map[string]string{"Content-Type": "text/html"}
	v, err := newClient(t, "v3", always(a)).Video(t.Context(), id)
	if got := describe(v, err); got != "completed" {
		t.Errorf("got %s", got)
	}
}

// TestASuccessCodeNeverSeenIsNoError: what counts is whether a video is described.
func TestASuccessCodeNeverSeenIsNoError(t *testing.T) {
	t.Parallel()
	v, err := newClient(t, "v1", always(ok(`{"code":200,"data":{"status":"completed"}}`))).Video(t.Context(), id)
	if got := describe(v, err); got != "completed" {
		t.Errorf("got %s", got)
	}
}

func TestRetryAfterIsObeyedWithinReason(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"5": 5 * time.Second, "2.5": 2500 * time.Millisecond, "": 30 * time.Second, "0": 30 * time.Second, "-3": 30 * time.Second,
		"soon": 30 * time.Second, "NaN": 30 * time.Second, "1e30": time.Hour, "Inf": time.Hour,
		"Mon, 23 Nov 2026 10:01:30 GMT": 90 * time.Second, "Mon, 23 Nov 2026 09:00:00 GMT": 30 * time.Second,
		"Tue, 24 Nov 2026 10:00:00 GMT": time.Hour, "Fri, 31 Dec 9999 23:59:59 GMT": time.Hour,
	} {
		c := newClient(t, "v3", always(reply{status: 429, header: map[string]string{"Retry-After": header}}))
		_, err := c.Video(t.Context(), id)
		if e := asError(t, err); e.Wait != want {
			t.Errorf("Retry-After %q: wait %s, want %s", header, e.Wait, want)
		}
	}
	_, err := newClient(t, "v3", always(reply{status: 503, header: map[string]string{"Retry-After": "9"}})).Video(t.Context(), id)
	if e := asError(t, err); e.Kind != heygen.Down || e.Wait != 9*time.Second {
		t.Errorf("503: kind %q, wait %s", e.Kind, e.Wait)
	}
	_, err = newClient(t, "v3", always(reply{status: 503})).Video(t.Context(), id)
	if e := asError(t, err); e.Wait != 0 {
		t.Errorf("503 without Retry-After: wait %s", e.Wait)
	}
}

func TestTheKeptResponseHasNoQueryAtAnyDepth(t *testing.T) {
	t.Parallel()
	body := ` {"data" : {"status":"completed","video_url":"` + signed + `","created_at": 1777017422.0, "big":123456789012345678901234567890,
	  "deep":[{"HTTPS://H/x?Signature=TOPSECRET":["a ` + signed + ` b"]}],
	  "escaped":"{\"u\":\"https:\\/\\/h\\/x?Signature=TOPSECRET\"}","no_scheme":"//h/x.mp4?Signature=TOPSECRET","path":"/x.mp4?Expires=1&Signature=TOPSECRET",
	  "twice":"u=https%3A%2F%2Fh%2Fx%3FSignature%3DTOPSECRET","alone":"Signature=TOPSECRET&x=1","before":"Signature=TOPSECRET?x=1","unicode":"https:\u002f\u002fh/x\u003fSignature=TOPSECRET",
	  "long":"` + strings.Repeat("y", 20<<10) + `Signature=TOPSECRET","who":"user:pw https://u:TOPSECRET@h/","key":"` + testKey + `","title":"a <b> & \"ä\" 😀 \u0000","null":null,"z":[true,false,-1.50e+3]}}`
	v, err := newClient(t, "v3", always(ok(body))).Video(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"TOPSECRET", "Expires=1"} {
		if strings.Contains(string(v.Response), s) {
			t.Errorf("response shows %s: %s", s, v.Response)
		}
	}
	var got map[string]any
	if err := json.Unmarshal(v.Response, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"video_url":"https://files2.heygen.ai/a/b.mp4"`, `"created_at":1777017422.0`, `123456789012345678901234567890`, `[true,false,-1.50e+3]`, `"null":null`} {
		if !strings.Contains(string(v.Response), want) {
			t.Errorf("response lacks %s: %s", want, v.Response)
		}
	}
	data, _ := got["data"].(map[string]any)
	if diff := cmp.Diff("a <b> & \"ä\" 😀 \x00", data["title"]); diff != "" {
		t.Errorf("title changed: %s", diff)
	}
	if l, _ := v.Link(heygen.AssetVideo); l.URL.Reveal() != signed {
		t.Errorf("link changed to %s", l.URL.Reveal())
	}
	if _, there := v.Link(heygen.AssetGIF); there {
		t.Error("a link that was not offered")
	}
}

func TestAnIDThatWouldEscapeIsNeverSent(t *testing.T) {
	t.Parallel()
	c := newClient(t, "auto", always(v3Empty))
	for _, bad := range []string{"", "../x", "a/b", "a b", "a.b", "a?b", "é", "x\n", strings.Repeat("a", 129), "a%2e"} {
		if _, err := c.Video(t.Context(), bad); !errors.Is(err, heygen.ErrInvalidID) {
			t.Errorf("Video(%q): %v, want ErrInvalidID", bad, err)
		}
		if _, err := c.Statuses(t.Context(), []string{id, bad}); !errors.Is(err, heygen.ErrInvalidID) {
			t.Errorf("Statuses(%q): %v, want ErrInvalidID", bad, err)
		}
	}
	if got := c.vendor.take(); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
	for _, good := range []string{id, "v_example01", "A-Z_09", strings.Repeat("a", 128)} {
		if !heygen.ValidID(good) {
			t.Errorf("%q refused", good)
		}
	}
}

func TestAnErrorEchoingTheKeyDoesNotShowIt(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":"unauthorized","message":"bad key ` + testKey + `\n for ` + signed + `"}}`
	c := newClient(t, "v3", always(reply{status: http.StatusUnauthorized, header: map[string]string{"X-Request-Id": testKey}, body: body}))
	_, err := c.Video(t.Context(), id)
	noSecret(t, "error", err.Error())
	if !strings.Contains(err.Error(), "HEYGEN_API_KEY") || strings.Contains(err.Error(), "\n") {
		t.Errorf("not one sentence that names the setting: %q", err)
	}
}
