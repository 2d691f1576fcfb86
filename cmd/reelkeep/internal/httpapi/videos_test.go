package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

const videos = "/api/v1/videos"

type results struct{ Results []report.Receipt }

type page struct {
	Videos     []report.Video
	NextCursor *string `json:"next_cursor"`
}

func (d *door) enqueue(token, body string) []report.Receipt {
	d.t.Helper()
	var out results
	d.ask(token, "POST", videos, body).into(http.StatusAccepted, &out)
	return out.Results
}

func state(r report.Receipt) string {
	if r.State == nil {
		return ""
	}
	return *r.State
}

func TestEveryIDHasAResultOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	rs := d.enqueue(everything, `{"video_ids":["one","../etc/passwd","two","one"],"priority":"backfill","metadata":{"order":"17"}}`)
	if len(rs) != 4 {
		t.Fatalf("%d results for 4 ids", len(rs))
	}
	if state(rs[0]) != "accepted" || rs[0].Duplicate || rs[0].Error != nil || rs[0].VideoID != "one" {
		t.Errorf("one: %+v", rs[0])
	}
	if rs[1].State != nil || rs[1].Error == nil || rs[1].Error.Code != "invalid" || rs[1].Error.Hint == "" || rs[1].VideoID != "../etc/passwd" {
		t.Errorf("not an id: %+v", rs[1])
	}
	if state(rs[2]) != "accepted" || state(rs[3]) != "accepted" || !rs[3].Duplicate {
		t.Errorf("two, and one again: %+v %+v", rs[2], rs[3])
	}
	s, err := d.client.Status(t.Context(), "two")
	if err != nil || s.Priority != queue.PriorityBackfill || s.Metadata["order"] != "17" {
		t.Errorf("two is in the ledger as %+v, %v", s, err)
	}
}

func TestTenThousandIDsAreTakenAtOnceAndNotOneMore(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ids := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"%s%0100d"`, "video-with-a-long-name-", i)
		}
		return `{"video_ids":[` + strings.Join(list, ",") + `]}`
	}
	if rs := d.enqueue(everything, ids(10_000)); len(rs) != 10_000 || state(rs[9_999]) != "accepted" {
		t.Errorf("%d results", len(rs))
	}
	p := d.ask(everything, "POST", videos, ids(10_001)).refused(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Location != "body.video_ids" {
		t.Errorf("one too many: %+v", p)
	}
}

func TestABadRequestIsToldWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for name, c := range map[string]struct {
		body, code string
		status     int
		location   string
	}{
		"no body":            {"", "malformed", 400, ""},
		"no JSON":            {`{"video_ids":`, "malformed", 400, "body"},
		"not an object":      {`["one"]`, "invalid", 422, "body"},
		"no ids":             {`{"video_ids":[]}`, "invalid", 422, "body.video_ids"},
		"ids left out":       {`{}`, "invalid", 422, "body"},
		"a number for an id": {`{"video_ids":[17]}`, "invalid", 422, "body.video_ids[0]"},
		"a word for ids":     {`{"video_ids":"one"}`, "invalid", 422, "body.video_ids"},
		"a typing error":     {`{"video_ids":["one"],"prioritty":"backfill"}`, "invalid", 422, "body.prioritty"},
		"a bad priority":     {`{"video_ids":["one"],"priority":"high"}`, "invalid", 422, "body.priority"},
		"metadata of lists":  {`{"video_ids":["one"],"metadata":{"a":["b"]}}`, "invalid", 422, "body.metadata.a"},
		"much metadata":      {`{"video_ids":["one"],"metadata":{"a":"` + strings.Repeat("x", 8192) + `"}}`, "invalid", 422, "body.metadata"},
		"a huge body":        {`{"video_ids":["` + strings.Repeat("SECRET", 1<<19) + `"]}`, "too_large", 413, ""},
		"an unknown account": {`{"video_ids":["one"],"account":"north"}`, "no_such_account", 422, "body.account"},
		"all is wrong":       {`{"video_ids":[` + strings.Repeat("1,", 9_000) + `1]}`, "invalid", 422, "body.video_ids[0]"},
	} {
		a := d.ask(everything, "POST", videos, c.body)
		p := a.refused(c.status, c.code)
		if c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location || p.Errors[0].Message == "") {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Hint == "" || strings.Contains(a.body, "SECRET") || len(a.body) > 10_000 {
			t.Errorf("%s: %d bytes: %.300s", name, len(a.body), a.body)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.server.URL+videos, strings.NewReader("video_ids=one"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p := d.send(everything, req).refused(415, "unsupported_media_type"); !strings.Contains(p.Hint, "application/json") {
		t.Errorf("a form: %+v", p)
	}
	for _, path := range []string{"?state=sleeping", "?limit=0", "?limit=1001", "?limit=x", "?cursor=nonsense", "?stat=failed", "?limit=5&limit=1", "?state=failed&state=sleeping", "/..%2Fetc", "/one?acount=west"} {
		if p := d.ask(everything, "GET", videos+path, "").refused(422, "invalid"); len(p.Errors) == 0 {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestNothingIsAnsweredWithoutAToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enqueue(everything, `{"video_ids":["one"]}`)
	for _, token := range []string{"", "wrong", "token-for-wes", "token-for-west1"} {
		for _, path := range []string{videos, videos + "/one", videos + "/nobody", "/api/v1/nothing", "/api/"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				d.ask(token, method, path, "").refused(401, "unauthorized")
			}
		}
	}
	for _, path := range []string{"/openapi.json", "/docs"} {
		if a := d.ask("", "GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// A stranger who sends a body slowly, or never, holds nothing.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	conn, err := net.Dial("tcp", d.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "POST "+videos+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer while the body is not there: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != 401 || !res.Close {
		t.Errorf("%s, close %t", res.Status, res.Close)
	}
}

// An account's token finds its own videos, and hears of those of others exactly what it hears of none.
func TestAnAccountsTokenNeitherReachesNorRevealsAnother(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enqueue(ofWest, `{"video_ids":["shared","of-west"]}`)
	d.enqueue(everything, `{"video_ids":["shared","of-east"],"account":"east"}`)
	d.enqueue(everything, `{"video_ids":["shared","of-default"]}`)
	d.sealed[storage.VideoKey{Account: "east", VideoID: "sealed"}] = sealed("east", "sealed")

	var v report.Video
	d.ask(ofWest, "GET", videos+"/shared", "").into(200, &v)
	if v.Account != "west" {
		t.Errorf("without an account west's token reads %s's video", v.Account)
	}
	nobody := d.ask(ofWest, "GET", videos+"/nobody", "")
	for _, path := range []string{"/of-east", "/of-default", "/of-east?account=east", "/shared?account=east", "/shared?account=default", "/shared?account=none", "/sealed?account=east", "/nobody?account=east", "/of-west?account=West"} {
		for _, change := range []string{"", "/retry", "/cancel", "/share"} {
			id, query, _ := strings.Cut(path, "?")
			method := "POST"
			if change == "" {
				method = "GET"
			}
			a := d.ask(ofWest, method, videos+id+change+"?"+query, "")
			if a.refused(404, "unknown"); change != "/share" && a.body != nobody.body {
				t.Errorf("%s %s differs from an unknown one: %s", method, path+change, a.body)
			}
		}
	}
	for _, account := range []string{"east", "default", "none"} {
		d.ask(ofWest, "POST", videos, `{"video_ids":["x"],"account":"`+account+`"}`).refused(403, "forbidden")
		d.ask(ofWest, "GET", videos+"?account="+account, "").refused(403, "forbidden")
	}
	for token, want := range map[string][]string{
		ofWest: {"west/of-west", "west/shared"}, ofEast: {"east/of-east", "east/shared"},
		everything: {"default/of-default", "default/shared", "east/of-east", "east/shared", "west/of-west", "west/shared"},
	} {
		if diff := cmp.Diff(want, d.list(token, "")); diff != "" {
			t.Errorf("list of %s:\n%s", token, diff)
		}
	}
	if s, err := d.client.StatusIn(t.Context(), "east", "of-east"); err != nil || s.State != queue.StateAccepted {
		t.Errorf("of-east is %s, %v", s.State, err)
	}
}

func sealed(account, id string) *storage.Manifest {
	return &storage.Manifest{VideoID: id, Account: account, State: storage.StateArchived, SealedAt: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Assets: []storage.Asset{{Asset: "video", Key: "video.mp4", Bytes: 17}}, Absent: []storage.Absent{{Asset: "gif", Reason: storage.AbsentNotOffered}}}
}

// list reads all pages and returns account/id, in order.
func (d *door) list(token, query string) []string {
	d.t.Helper()
	var names []string
	for cursor := ""; ; {
		var p page
		d.ask(token, "GET", videos+"?limit=2&cursor="+cursor+query, "").into(200, &p)
		for _, v := range p.Videos {
			names = append(names, v.Account+"/"+v.VideoID)
		}
		if p.NextCursor == nil {
			return sorted(names)
		}
		cursor = *p.NextCursor
	}
}

func TestTheListIsFilteredAndPaged(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enqueue(everything, `{"video_ids":["launch-1","launch-2","other"]}`)
	var r report.Receipt
	d.ask(everything, "POST", videos+"/launch-2/cancel", "").into(200, &r)
	for query, want := range map[string][]string{
		"":                                       {"default/launch-1", "default/launch-2", "default/other"},
		"&q=LAUNCH":                              {"default/launch-1", "default/launch-2"},
		"&q=launch&state=accepted":               {"default/launch-1"},
		"&state=accepted,cancelled":              {"default/launch-1", "default/launch-2", "default/other"},
		"&state=&q=":                             {"default/launch-1", "default/launch-2", "default/other"},
		"&state=accepted&state=cancelled":        {"default/launch-1", "default/launch-2", "default/other"},
		"&state=cancelled&state=failed,accepted": {"default/launch-1", "default/launch-2", "default/other"},
		"&state=archived":                        nil,
		"&account=west":                          nil,
		"&account=default&q=o&state=accepted":    {"default/other"},
		"&state=cancelled&account=default&q=-2":  {"default/launch-2"},
		"&q=" + "%22%27%3Cscript%3E":             nil,
		"&state=failed,gone,cancelled&q=launch-": {"default/launch-2"},
	} {
		if diff := cmp.Diff(want, d.list(everything, query)); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
}

func TestAVideoIsReadTriedAgainAndCancelled(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enqueue(everything, `{"video_ids":["one"],"metadata":{"a":"b"}}`)
	var v report.Video
	a := d.ask(everything, "GET", videos+"/one", "")
	a.into(200, &v)
	if v.State != "accepted" || v.Metadata["a"] != "b" || v.AcceptedAt == nil || v.SealedAt != nil || !strings.Contains(a.body, `"assets":[]`) {
		t.Errorf("read: %s", a.body)
	}
	for _, c := range []struct {
		change, state string
		duplicate     bool
	}{{"retry", "accepted", true}, {"cancel", "cancelled", false}, {"cancel", "cancelled", false}, {"retry", "accepted", false}} {
		var r report.Receipt
		d.ask(everything, "POST", videos+"/one/"+c.change, "").into(200, &r)
		if state(r) != c.state || r.Duplicate != c.duplicate || r.VideoID != "one" || r.Error != nil {
			t.Errorf("%s: %+v", c.change, r)
		}
	}
	for _, change := range []string{"retry", "cancel"} {
		d.ask(everything, "POST", videos+"/nobody/"+change, "").refused(404, "unknown")
	}
}

// What `archive` stored, or a Redis that was emptied has forgotten, is known by its manifest.
func TestWhatOnlyTheArchiveKnowsIsFound(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.sealed[storage.VideoKey{Account: "west", VideoID: "old"}] = sealed("west", "old")
	if _, err := d.client.Restore(t.Context(), []queue.Status{report.StatusOf(sealed("west", "listed"))}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"old", "listed"} {
		var v report.Video
		d.ask(ofWest, "GET", videos+"/"+id, "").into(200, &v)
		if v.State != "archived" || v.Bytes != 17 || len(v.Assets) != 2 || v.Assets[1].Permalink != nil || v.Assets[0].Permalink == nil ||
			*v.Assets[0].Permalink != "https://videos.example.com/v/"+id+"/video?account=west" {
			t.Errorf("%s: %+v", id, v)
		}
	}
	d.ask(ofWest, "POST", videos+"/listed/cancel", "").refused(409, "archived")
	var r report.Receipt
	if d.ask(ofWest, "POST", videos+"/listed/retry", "").into(200, &r); state(r) != "archived" || !r.Duplicate {
		t.Errorf("retry of an archived one: %+v", r)
	}
}

func TestShareLinksLiveAsLongAsAsked(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for body, want := range map[string]time.Duration{
		"": 0, `{}`: 0, `{"ttl":null}`: 0, `{"ttl":0}`: 0, `{"ttl":"0"}`: 0, `{"ttl":"720h"}`: 720 * time.Hour, `{"ttl":"1h30m"}`: 90 * time.Minute,
		`{"ttl":3600}`: time.Hour, `{"ttl":1e300}`: 100 * 365 * 24 * time.Hour, `{"ttl":"99999999999999h"}`: 100 * 365 * 24 * time.Hour,
	} {
		var out struct {
			Links     map[string]string
			ExpiresAt *time.Time `json:"expires_at"`
		}
		a := d.ask(everything, "POST", videos+"/one/share", body)
		a.into(200, &out)
		if d.links.ttl != want || (out.ExpiresAt == nil) != (want == 0) || out.Links["video"] == "" {
			t.Errorf("%s: asked for %s: %s", body, d.links.ttl, a.body)
		}
		if want > 0 && !out.ExpiresAt.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(want)) {
			t.Errorf("%s: expires at %s", body, out.ExpiresAt)
		}
	}
	for _, body := range []string{`{"ttl":"soon"}`, `{"ttl":"900ms"}`, `{"ttl":"-1h"}`, `{"ttl":-1}`, `{"ttl":1.5}`, `{"ttl":true}`, `{"ttl":"7d"}`, `{"assets":["trailer"]}`, `{"asset":"video"}`} {
		a := d.ask(everything, "POST", videos+"/one/share", body)
		a.what += " " + body
		a.refused(422, "invalid")
	}
	d.ask(everything, "POST", videos+"/one/share", `{"assets":["video","gif"]}`)
	if diff := cmp.Diff([]string{"video", "gif"}, d.links.asked); diff != "" {
		t.Error(diff)
	}
	d.ask(everything, "POST", videos+"/two/share", "").refused(404, "unknown")
	d.enqueue(everything, `{"video_ids":["two"]}`)
	d.ask(everything, "POST", videos+"/two/share", "").refused(409, "not_yet")
	d.ask(everything, "POST", videos+"/two/cancel", "")
	d.ask(everything, "POST", videos+"/two/share", "").refused(404, "missing")
	d.links.err = errors.New("https://bucket.example/key?X-Amz-Signature=SECRET")
	if a := d.ask(everything, "POST", videos+"/one/share", ""); strings.Contains(a.body, "bucket") || a.status != 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWithoutRedisNothingIsPretended(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enqueue(everything, `{"video_ids":["one"]}`)
	d.redis.Stop()
	for _, c := range [][3]string{
		{"POST", "", `{"video_ids":["two"]}`}, {"GET", "", ""}, {"GET", "/one", ""}, {"POST", "/one/retry", ""}, {"POST", "/one/cancel", ""},
	} {
		a := d.ask(everything, c[0], videos+c[1], c[2])
		a.refused(503, "unavailable")
		if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "127.0.0.1") {
			t.Errorf("%s: %v %s", c, a.header, a.body)
		}
	}
}
