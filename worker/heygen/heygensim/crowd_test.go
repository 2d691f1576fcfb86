package heygensim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// Ten thousand videos, their whole list and their statuses, in far less than it takes to build all of this anew
// for every page.
func TestTenThousandVideosAreNoBurden(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{CountOnly: true})
	const n = 10_000
	start := time.Now()
	for i := range n {
		b.Add(heygensim.Video{ID: fmt.Sprintf("v%d", i), Held: true, Assets: map[string]heygensim.Asset{"video": {Size: heygensim.MinSize}, "thumbnail": {}}})
	}
	b.Release()
	seen := map[string]bool{}
	for token := ""; ; {
		_, page := b.api("/v3/videos?limit=100&token=" + token)
		items, _ := page["data"].([]any)
		for _, item := range items {
			v, _ := item.(map[string]any)
			id, _ := v["id"].(string)
			seen[id] = v["status"] == "completed" && v["video_url"] != nil
		}
		if token, _ = page["next_token"].(string); token == "" {
			break
		}
	}
	for id, completed := range seen {
		if !completed {
			t.Fatalf("%s is not completed", id)
		}
	}
	if c := b.Counts(); len(seen) != n || c.List != n/100 || c.API != n/100 || len(b.Requests()) != 0 {
		t.Errorf("%d videos in %+v; the journal holds %d", len(seen), c, len(b.Requests()))
	}
	b.Add(heygensim.Video{ID: "late", CreatedAt: b.clock.Now().Add(time.Second)})
	if _, page := b.api("/v3/videos?limit=1"); fmt.Sprint(page["data"].([]any)[0].(map[string]any)["id"]) != "late" {
		t.Errorf("the newest of the list is %v", page)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func TestAHeldRenderEndsWhenItIsReleased(t *testing.T) {
	t.Parallel()
	held := func(id string) heygensim.Video {
		v := simple(id, nil)
		v.Held, v.CreatedAt = true, time.Time{}
		return v
	}
	failing := held("c")
	failing.Fail = &heygensim.Failure{Code: "x"}
	b := setup(t, heygensim.Options{}, held("a"), held("b"), failing)
	status := func(id string) string { return fmt.Sprint(b.data("/v3/videos/" + id)["status"]) }
	b.clock.Add(1000 * time.Hour)
	if s := status("a") + status("b"); s != "processingprocessing" {
		t.Errorf("held, they are %s", s)
	}
	b.Release("a")
	b.Update("a", func(v *heygensim.Video) { v.Title = "new" })
	if s := status("a") + status("b"); s != "completedprocessing" {
		t.Errorf("after the release of a they are %s", s)
	}
	if at := b.data("/v3/videos/a")["completed_at"]; at != float64(b.clock.Now().Unix()) {
		t.Errorf("completed at %v, not when it was released", at)
	}
	b.Release()
	if s := status("b") + status("c"); s != "completedfailed" {
		t.Errorf("after the release of all they are %s", s)
	}
}

func TestAnOutageLastsUntilItIsLifted(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	paths := []string{"/v3/videos", "/v3/videos/v", "/v3/videos/statuses?video_ids=v", "/v1/video.list", "/v1/video_status.get?video_id=v"}
	lift := b.APIOutage(http.StatusTooManyRequests, `{"error":{"code":"rate_limit_exceeded"}}`, 1500*time.Millisecond)
	for range 20 {
		for _, path := range paths {
			if r := b.get(b.APIURL()+path, "x-api-key", b.Key()); r.StatusCode != 429 || r.Header.Get("Retry-After") != "2" {
				t.Fatalf("%s: %d, Retry-After %q", path, r.StatusCode, r.Header.Get("Retry-After"))
			}
		}
	}
	second := b.APIOutage(http.StatusOK, "<html>maintenance</html>", 0)
	lift() // the first is over already
	if r := b.get(b.APIURL()+paths[0], "x-api-key", b.Key()); !strings.Contains(string(r.body), "maintenance") || r.Header.Get("Retry-After") != "" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	second()
	for _, path := range paths {
		if r := b.get(b.APIURL()+path, "x-api-key", b.Key()); r.StatusCode != 200 {
			t.Errorf("lifted, %s answers %d", path, r.StatusCode)
		}
	}
	if c := b.Counts(); c.API != 20*5+1+5 || c.Statuses != 21 || c.List != 2*21+1 || c.Detail != 2*21 {
		t.Errorf("Counts = %+v", c)
	}
}
