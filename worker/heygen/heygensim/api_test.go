package heygensim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func TestAWrongKeyIsRefusedByBothGenerations(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	for path, want := range map[string]string{
		"/v1/video_status.get?video_id=v": `{"code":400112,"message":"Unauthorized"}`,
		"/v1/video.list":                  `{"code":400112,"message":"Unauthorized"}`,
		"/v3/videos/v":                    `"code":"unauthorized"`,
		"/v3/videos":                      `"code":"unauthorized"`,
		"/v3/videos/statuses?video_ids=v": `"code":"unauthorized"`,
	} {
		for _, header := range [][]string{nil, {"x-api-key", "wrong"}, {"Authorization", "Bearer " + b.Key()}} {
			r := b.get(b.APIURL()+path, header...)
			if r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), want) {
				t.Errorf("%s with %v: %d %s", path, header, r.StatusCode, r.body)
			}
		}
	}
}

func TestAGenerationThatIsOffAnswersAPage(t *testing.T) {
	t.Parallel()
	for _, paths := range [][2]string{{"/v1/video.list", "/v3/videos"}, {"/v3/videos", "/v1/video.list"}} {
		first := strings.HasPrefix(paths[0], "/v1")
		b := setup(t, heygensim.Options{V1: first, V3: !first})
		if status, _ := b.api(paths[0]); status != http.StatusOK {
			t.Errorf("%s answers %d", paths[0], status)
		}
		for _, path := range []string{paths[1], "/", "/v1/other", "/v3/videosx"} {
			r := b.get(b.APIURL()+path, "x-api-key", b.Key())
			if r.StatusCode != http.StatusNotFound || !strings.Contains(string(r.body), "<html>") {
				t.Errorf("%s answers %d %s", path, r.StatusCode, r.body)
			}
		}
	}
}

func TestAVideoLivesThroughItsRender(t *testing.T) {
	t.Parallel()
	rendering := simple("v", nil)
	rendering.RenderFor, rendering.Duration, rendering.CallbackID = time.Minute, 42.5, "mine"
	rendering.Assets["gif"] = heygensim.Asset{After: 30 * time.Second}
	failing := heygensim.Video{ID: "f", RenderFor: time.Minute, Fail: &heygensim.Failure{Code: "40119", Message: "Video is too long", Detail: "d"}}
	named := heygensim.Video{ID: "n", Fail: &heygensim.Failure{Code: "RESOLUTION_NOT_ALLOWED", Message: "no"}}
	b := setup(t, heygensim.Options{}, rendering, failing, named, heygensim.Video{ID: "d", Draft: true})
	see := func(want ...string) {
		t.Helper()
		for i, id := range []string{"v", "f"} {
			v1, v3 := b.data("/v1/video_status.get?video_id="+id), b.data("/v3/videos/"+id)
			if v1["status"] != want[i] || v3["status"] != want[i] {
				t.Errorf("%s is %v and %v, want %s", id, v1["status"], v3["status"], want[i])
			}
			if want[i] != "completed" && (v1["video_url"] != nil || v3["video_url"] != nil) {
				t.Errorf("%s has a link while %s", id, want[i])
			}
		}
	}
	see("pending", "pending")
	b.clock.Add(20 * time.Second)
	see("processing", "processing")
	b.clock.Add(40 * time.Second)
	see("completed", "failed")

	v1, v3 := b.data("/v1/video_status.get?video_id=v"), b.data("/v3/videos/v")
	if v1["duration"] != 42.5 || v3["duration"] != 42.5 || v1["callback_id"] != "mine" || v3["title"] != "A title" {
		t.Errorf("v1 %v\nv3 %v", v1, v3)
	}
	if v3["completed_at"].(float64)-v3["created_at"].(float64) != 60 {
		t.Errorf("completed_at %v, created_at %v", v3["completed_at"], v3["created_at"])
	}
	if v1["gif_url"] != nil || v3["gif_url"] != nil {
		t.Error("the GIF is there too early")
	}
	gif := b.AssetURL() + "/video/gifs/v.gif"
	if r := b.get(gif); r.StatusCode != http.StatusNotFound {
		t.Errorf("the GIF's file is there too early: %d", r.StatusCode)
	}
	b.clock.Add(30 * time.Second)
	if b.data("/v1/video_status.get?video_id=v")["gif_url"] != gif || b.get(gif).StatusCode != http.StatusOK {
		t.Error("the GIF is not there")
	}

	want := map[string]any{"code": 40119.0, "message": "Video is too long", "detail": "d"}
	if diff := cmp.Diff(want, b.data("/v1/video_status.get?video_id=f")["error"]); diff != "" {
		t.Errorf("v1 error:\n%s", diff)
	}
	if d := b.data("/v3/videos/f"); d["failure_code"] != "40119" || d["failure_message"] != "Video is too long" {
		t.Errorf("v3 failure: %v", d)
	}
	if e := b.data("/v1/video_status.get?video_id=n")["error"].(map[string]any); e["code"] != "RESOLUTION_NOT_ALLOWED" {
		t.Errorf("v1 error with a name: %v", e)
	}
	if d := b.data("/v3/videos/d"); d["status"] != "draft" {
		t.Errorf("a draft is %v", d["status"])
	}
	_, bulk := b.api("/v3/videos/statuses?video_ids=v,f,d,unknown")
	words := []string{}
	for _, item := range bulk["data"].([]any) {
		words = append(words, item.(map[string]any)["status"].(string))
	}
	if diff := cmp.Diff([]string{"completed", "failed", "draft", "not_found"}, words); diff != "" {
		t.Errorf("statuses:\n%s", diff)
	}
}

func TestUnknownVideosAndBadParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	b.Remove("v")
	b.Remove("v")
	b.Update("v", func(*heygensim.Video) { t.Error("a removed video was updated") })
	ids := strings.TrimSuffix(strings.Repeat("x,", 101), ",")
	for path, want := range map[string]int{
		"/v1/video_status.get?video_id=v":            404,
		"/v3/videos/v":                               404,
		"/v1/video_status.get":                       400,
		"/v1/video_status.get?id=v":                  400,
		"/v1/video.list?limit=0":                     400,
		"/v1/video.list?limit=many":                  400,
		"/v3/videos?limit=101":                       400,
		"/v3/videos?token=%21":                       400,
		"/v1/video.list?token=bm8=":                  400,
		"/v3/videos/statuses":                        400,
		"/v3/videos/statuses?video_ids=" + ids:       400,
		"/v3/videos/statuses?video_ids=" + ids[:199]: 200,
	} {
		if got, _ := b.api(path); got != want {
			t.Errorf("%.60s answers %d, want %d", path, got, want)
		}
	}
	for _, path := range []string{"/v1/video.list", "/v3/videos/v"} {
		if r := b.do(http.MethodPost, b.APIURL()+path, "x-api-key", b.Key()); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s answers %d", path, r.StatusCode)
		}
	}
	if r, n := b.Open("v", "video"); r != nil || n != 0 {
		t.Error("a removed video can be opened")
	}
}

// list pages through a list and returns the ids.
func list(b *bench, path string, between func()) []string {
	b.t.Helper()
	var ids []string
	token := ""
	for {
		_, v := b.api(path + "&token=" + url.QueryEscape(token))
		items, next := v["data"], v["next_token"]
		if d, ok := items.(map[string]any); ok {
			items, next = d["videos"], d["token"]
		} else if v["has_more"] != (next != nil) {
			b.t.Errorf("has_more %v beside next_token %v", v["has_more"], next)
		}
		for _, item := range items.([]any) {
			m := item.(map[string]any)
			id, ok := m["id"].(string)
			if !ok {
				id = m["video_id"].(string)
			}
			ids = append(ids, id)
		}
		if next == nil {
			return ids
		}
		token = next.(string)
		between()
	}
}

func TestAListHasEveryVideoOnceNewestFirst(t *testing.T) {
	t.Parallel()
	for _, opt := range []heygensim.Options{{}, {PageSize: 3}} {
		b := setup(t, opt)
		var want []string
		for i := range 25 {
			id := fmt.Sprintf("v%02d", i)
			b.Add(heygensim.Video{ID: id, Title: id})
			if i%2 == 0 { // some have the same age
				b.clock.Add(time.Second)
			}
			want = append(want, id)
		}
		slices.Reverse(want)
		for _, path := range []string{"/v1/video.list?limit=7", "/v3/videos?limit=7", "/v3/videos?x=", "/v1/video.list?x="} {
			if diff := cmp.Diff(want, list(b, path, func() {})); diff != "" {
				t.Errorf("%s:\n%s", path, diff)
			}
			// What comes and goes meanwhile moves nothing else.
			n := 0
			got := list(b, path, func() {
				b.Add(heygensim.Video{ID: fmt.Sprint("new", n)})
				n++
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s while videos are added:\n%s", path, diff)
			}
			for i := range n {
				b.Remove(fmt.Sprint("new", i))
			}
		}
	}
}

func TestAV3ListCarriesLinksAndAV1ListNone(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	_, v3 := b.api("/v3/videos?limit=100")
	item := v3["data"].([]any)[0].(map[string]any)
	if r := b.get(item["video_url"].(string)); r.StatusCode != http.StatusOK {
		t.Errorf("the link in a list answers %d", r.StatusCode)
	}
	_, v1 := b.api("/v1/video.list?limit=100")
	want := map[string]any{"video_id": "v", "video_title": "A title", "status": "completed", "created_at": float64(b.clock.Now().Unix()), "type": "GENERATED"}
	if diff := cmp.Diff(want, v1["data"].(map[string]any)["videos"].([]any)[0]); diff != "" {
		t.Error(diff)
	}
}

func TestAMessyAPISaysTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{Messy: true}, simple("v", nil))
	r := b.get(b.APIURL()+"/v1/video_status.get?video_id=v", "x-api-key", b.Key())
	for _, want := range []string{`"code":"100"`, `"warning":{`, fmt.Sprintf(`"created_at":%d.0`, b.clock.Now().Unix()), `"status":"completed"`, `&Signature=`} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("%s is missing in %s", want, r.body)
		}
	}
	if strings.Contains(string(r.body), "null") || strings.Contains(string(r.body), "gif_url") {
		t.Errorf("null keys are there: %s", r.body)
	}
	if d := b.data("/v3/videos/v"); d["id"] != "v" || d["video_url"] == nil {
		t.Errorf("v3: %v", d)
	}
	_, v := b.api("/v3/videos?limit=5")
	if !json.Valid(b.get(b.APIURL()+"/v3/videos", "x-api-key", b.Key()).body) || len(v["data"].([]any)) != 1 {
		t.Errorf("v3 list: %v", v)
	}
}

func TestAPIFaultsComeInTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	path := b.APIURL() + "/v3/videos/v"
	key := []string{"x-api-key", b.Key()}
	b.APIFault(429, `{"error":{"code":"rate_limit_exceeded"}}`, 2)
	b.APIFault(200, "<!DOCTYPE html><html></html>", 1)
	b.APIFault(0, "", 1)
	for range 2 {
		if r := b.get(path, key...); r.StatusCode != 429 || r.Header.Get("Retry-After") != "1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %v", r.StatusCode, r.Header)
		}
	}
	if r := b.get(path, key...); r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	b.client.Transport.(*http.Transport).CloseIdleConnections() // a cut on a used connection would be retried by net/http
	if r := b.get(path, key...); r.err == nil {
		t.Errorf("the connection was not cut: %d", r.StatusCode)
	}
	if r := b.get(path, key...); r.StatusCode != 200 || !strings.Contains(string(r.body), "video_url") {
		t.Errorf("after the faults: %d %s", r.StatusCode, r.body)
	}
	b.APIFault(503, "", 0)
	for range 5 {
		if r := b.get(path, key...); r.StatusCode != 503 {
			t.Errorf("a fault for good answers %d", r.StatusCode)
		}
	}
	b.APIFault(0, "", 0)
	if r := b.get(path, key...); r.StatusCode != 200 {
		t.Errorf("taken back: %d", r.StatusCode)
	}
}

func TestV1SaysThatItEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{})
	if r := b.get(b.APIURL()+"/v1/video.list", "x-api-key", b.Key()); r.Header.Get("Sunset") == "" || r.Header.Get("Deprecation") != "true" {
		t.Errorf("v1: %v", r.Header)
	}
	if r := b.get(b.APIURL()+"/v3/videos", "x-api-key", b.Key()); r.Header.Get("Sunset") != "" || r.Header.Get("X-Request-Id") == "" {
		t.Errorf("v3: %v", r.Header)
	}
}
