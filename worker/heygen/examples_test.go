package heygen_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

type example struct {
	HTTPStatus *int              `json:"http_status"`
	Headers    map[string]string `json:"headers"`
	Body       json.RawMessage   `json:"body"`
}

func (e example) reply() reply {
	body := string(e.Body)
	if s := ""; json.Unmarshal(e.Body, &s) == nil {
		body = s
	}
	status := http.StatusOK
	if e.HTTPStatus != nil {
		status = *e.HTTPStatus
	}
	return reply{status: status, header: e.Headers, body: body}
}

func examples(t testing.TB) map[string]example {
	t.Helper()
	raw, err := os.ReadFile("testdata/heygen-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]example
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// describe puts what a caller sees of a video, or of an error, into one line.
func describe(v *heygen.Video, err error) string {
	if err != nil {
		return "error " + string(heygen.KindOf(err))
	}
	out := string(v.Status)
	if string(v.Status) != v.VendorStatus {
		out += "(" + v.VendorStatus + ")"
	}
	if v.Title != "" {
		out += fmt.Sprintf(" %q", v.Title)
	}
	if !v.CreatedAt.IsZero() {
		out += fmt.Sprintf(" created=%d", v.CreatedAt.Unix())
	}
	if !v.CompletedAt.IsZero() {
		out += fmt.Sprintf(" done=%d", v.CompletedAt.Unix())
	}
	if v.Duration != 0 {
		out += fmt.Sprintf(" %gs", v.Duration)
	}
	if v.CallbackID != "" {
		out += " callback=" + v.CallbackID
	}
	for _, l := range v.Links {
		path := l.URL.Path()
		out += fmt.Sprintf(" %s%s", l.Asset, path[strings.LastIndexByte(path, '.'):])
		if !l.Expires.IsZero() {
			out += fmt.Sprintf("@%d", l.Expires.Unix())
		}
	}
	if f := v.Failure; f != nil {
		out += fmt.Sprintf(" failure[%s|%s|%s]", f.Code, f.Message, f.Detail)
	}
	return out
}

func TestEveryExampleIsUnderstood(t *testing.T) {
	t.Parallel()
	want := wantedOfExamples()
	all := examples(t)
	for name := range want {
		if _, there := all[name]; !there {
			t.Errorf("%s: expected here, but not in the examples", name)
		}
	}
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version := heygen.VersionV3
			if strings.HasPrefix(name, "v1_") {
				version = heygen.VersionV1
			}
			c := newClient(t, version, always(e.reply()))
			v, err := c.Video(t.Context(), idOfExample(name, e))
			if got := describe(v, err); got != want[name] {
				t.Errorf("got  %s\nwant %s", got, want[name])
			}
			if err != nil {
				noSecret(t, "error", err.Error())
				return
			}
			noSecret(t, "response", string(v.Response))
			for _, l := range v.Links {
				if !strings.Contains(string(e.Body), l.URL.Reveal()) {
					t.Errorf("link of %s is not byte for byte what HeyGen wrote", l.Asset)
				}
			}
		})
	}
}

// idOfExample is the id that was asked for, as far as the body tells.
func idOfExample(name string, e example) string {
	var b struct{ Data struct{ ID string } }
	if json.Unmarshal(e.Body, &b) == nil && b.Data.ID != "" {
		return b.Data.ID
	}
	return id
}

func TestEveryExampleOfAListIsUnderstood(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"v1_list_page": {
			id + ` completed "Launch video / äöü" created=1759307076`,
			`1b2c3d4e5f604172839405b6c7d8e9fa failed created=1759300000 failure[||]`,
			`2c3d4e5f60714283a4b5c6d7e8f90a1b draft "Draft one" created=1759290000`,
			`3d4e5f60718243a4b5c6d7e8f90a1b2c waiting(processing) "Launch video (es)" created=1759280000`,
		},
		"v1_list_last_page": nil,
		"v3_list_page": {
			id + ` completed "Launch video" created=1789999000 done=1789999400 42.5s video.mp4@1790604800 thumbnail.jpeg@1790604800 gif.gif captions.srt@1790604800 captioned_video.mp4@1790604800`,
			`1b2c3d4e5f604172839405b6c7d8e9fa failed created=1788800000 failure[||]`,
			`2c3d4e5f60714283a4b5c6d7e8f90a1b waiting(processing) "Next one" created=1789990000`,
		},
		"v3_list_last_page": nil,
	}
	all := examples(t)
	for name, lines := range want {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version, last := name[:2], all[name[:2]+"_list_last_page"]
			c := newClient(t, version, func(r *http.Request) reply {
				if r.URL.Query().Get("limit") != "100" {
					t.Errorf("asked for %s, want pages of 100", r.URL)
				}
				if r.URL.Query().Get("token") != "" {
					return last.reply()
				}
				return all[name].reply()
			})
			var got []string
			for v, err := range c.Videos(t.Context(), heygen.ListOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				noSecret(t, "response", string(v.Response))
				got = append(got, v.ID+" "+describe(v, nil))
			}
			if fmt.Sprint(got) != fmt.Sprint(lines) {
				t.Errorf("got  %q\nwant %q", got, lines)
			}
		})
	}
}

func TestTheExampleOfBulkStatusesIsUnderstood(t *testing.T) {
	t.Parallel()
	c := newClient(t, heygen.VersionV3, always(examples(t)["v3_statuses"].reply()))
	ids := []string{id, "1b2c3d4e5f604172839405b6c7d8e9fa", "2c3d4e5f60714283a4b5c6d7e8f90a1b", "never_mentioned"}
	got, err := c.Statuses(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]heygen.Status{ids[0]: heygen.StatusCompleted, ids[1]: heygen.StatusFailed, ids[2]: heygen.StatusNotFound}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEveryErrorExampleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, e := range examples(t) {
		if !strings.Contains(name, "_error_") || strings.Contains(name, "_status_") {
			continue
		}
		version := heygen.VersionV3
		if strings.HasPrefix(name, "v1_") {
			version = heygen.VersionV1
		}
		c := newClient(t, version, always(e.reply()))
		_, err := c.Video(t.Context(), id)
		got := asError(t, err)
		if got.Hint() == "" || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), got.Hint()) {
			t.Errorf("%s: error %q lacks the id or the hint %q", name, err, got.Hint())
		}
		if rid := e.Headers["x-request-id"]; got.RequestID != rid || !strings.Contains(err.Error(), rid) {
			t.Errorf("%s: request id %q, want %q in %q", name, got.RequestID, rid, err)
		}
		if got.HTTPStatus != *e.HTTPStatus {
			t.Errorf("%s: status %d, want %d", name, got.HTTPStatus, *e.HTTPStatus)
		}
	}
}
