package dropin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	exampleID = "0a1b2c3d4e5f40718293a4b5c6d7e8f9"
	publicURL = "https://videos.example.com"
)

func testLinks() links {
	return links{publicURL, sharelink.NewSigner([]secret.String{secret.New("a-secret-of-sixteen-or-more")})}
}

// bodies are HeyGen's answers about completed videos, by name, as they were documented or seen.
func bodies(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("../../../../../worker/heygen/testdata/heygen-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]json.RawMessage{}
	for name, e := range all {
		if (strings.HasPrefix(name, "v1_status_completed") || strings.HasPrefix(name, "v3_video_completed") || name == "v3_video_translated") && !strings.Contains(name, "url_null") {
			out[name] = e.Body
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d examples are left: this tests too little", len(out))
	}
	return out
}

// understand reads an answer as the worker does.
func understand(t testing.TB, api, id string, body []byte) *heygen.Video {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	client, err := heygen.New(heygen.Config{BaseURL: server.URL, Key: secret.New("k"), Version: api})
	if err != nil {
		t.Fatal(err)
	}
	v, err := client.Video(t.Context(), id)
	if err != nil {
		t.Fatalf("HeyGen's client can't read %s: %v", body, err)
	}
	return v
}

// sealedAs is the manifest that an answer of HeyGen leads to, without the assets named.
func sealedAs(v *heygen.Video, id string, without ...heygen.Asset) *storage.Manifest {
	m := &storage.Manifest{
		VideoID: id, Account: "default", State: storage.StateArchived, Source: storage.Source{API: v.API, Response: v.Response},
		Video: storage.Video{Title: v.Title, Status: "completed", DurationSeconds: v.Duration, CreatedAt: v.CreatedAt, CompletedAt: v.CompletedAt, CallbackID: v.CallbackID},
	}
	for _, l := range v.Links {
		if !slices.Contains(without, l.Asset) {
			m.Assets = append(m.Assets, storage.Asset{
				Asset: string(l.Asset), Key: string(l.Asset) + ".bin", Source: storage.AssetSource{Host: l.URL.Host(), Path: l.URL.Path()},
			})
		}
	}
	return m
}

// idOf is the id of the video that a body describes.
func idOf(body json.RawMessage) string {
	if _, data := takeApart(body); data.text("id") != "" {
		return data.text("id")
	}
	return exampleID
}

// Whatever generation a video was archived from: in its own shape the answer is HeyGen's with our links, and in the other
// shape it says the same.
func TestAnArchivedVideoIsAnsweredInBothShapes(t *testing.T) {
	t.Parallel()
	for name, body := range bodies(t) {
		id := idOf(body)
		api := name[:2]
		original := understand(t, api, id, body)
		m := sealedAs(original, id)
		for _, shape := range []string{v1, v3} {
			answer, err := testLinks().answer(m, shape)
			if err != nil {
				t.Fatal(err)
			}
			got := understand(t, shape, id, answer)
			if got.Status != heygen.StatusCompleted || got.Duration != original.Duration || !got.CreatedAt.Equal(original.CreatedAt.Truncate(1e9)) || len(got.Links) != len(original.Links) {
				t.Errorf("%s as %s: %s", name, shape, answer)
			}
			for _, l := range got.Links {
				want := publicURL + "/v/" + id + "/" + string(l.Asset) + "?e=0&s="
				if !strings.HasPrefix(l.URL.Reveal(), want) || !l.Expires.IsZero() {
					t.Errorf("%s as %s: %s leads to %s", name, shape, l.Asset, l.URL.Reveal())
				}
			}
			if strings.Contains(string(answer), "files2.heygen") || strings.Contains(string(answer), "resource2.heygen") {
				t.Errorf("%s as %s: a link of HeyGen's is left: %s", name, shape, answer)
			}
			if shape == api {
				sameButLinks(t, name, body, answer)
			}
		}
	}
}

// sameButLinks compares every member of the answer with what HeyGen said.
func sameButLinks(t *testing.T, name string, body, answer []byte) {
	t.Helper()
	var want, got map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	for _, side := range []map[string]any{want, got} {
		data, _ := side["data"].(map[string]any)
		for _, asset := range heygen.Assets() {
			for _, api := range []string{v1, v3} {
				if key := heygen.LinkName(api, asset); data[key] != nil {
					data[key] = "a link"
				}
			}
		}
		if data["id"] == nil {
			data["id"] = exampleID // a body without one gets one
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: not what HeyGen said:\n%s", name, diff)
	}
}

func TestWhatIsNotUnderstoodStaysAsItWasWritten(t *testing.T) {
	t.Parallel()
	response := `{"code":"100","data":{"id":"v1","status":"completed","created_at":1777017422.0,"new":{"deep":["https://files.example/a.mp4?x","https:\/\/files.example\/a.mp4","no link https://files.example/a.mp4"]},
		"video_url":"https://files.example/a.mp4","gif_url":"https://files.example/g.gif","video_page_url":"https://app.example/v1","title":"<&> \u00fc"},"warning":{"message":"going"}}`
	m := &storage.Manifest{
		VideoID: "v1", Account: "west", Source: storage.Source{API: v1, Response: json.RawMessage(response)},
		Assets: []storage.Asset{{Asset: "video", Source: storage.AssetSource{Host: "files.example", Path: "/a.mp4"}}},
	}
	answer, err := testLinks().answer(m, v1)
	if err != nil {
		t.Fatal(err)
	}
	link, err := testLinks().of(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"100","data":{"id":"v1","status":"completed","created_at":1777017422.0,"new":{"deep":[LINK,LINK,"no link https://files.example/a.mp4"]},` +
		`"video_url":LINK,"gif_url":null,"video_page_url":"https://app.example/v1","title":"<&> \u00fc"},"warning":{"message":"going"}}`
	if want = strings.ReplaceAll(want, "LINK", string(link["video"])); string(answer) != want {
		t.Errorf("got  %s\nwant %s", answer, want)
	}
	if !strings.Contains(want, "/v/v1/video?account=west&e=0&s=") {
		t.Errorf("the link does not say whose video it names: %s", link["video"])
	}
}

// A video of an old archive, or of a foreign tool, whose manifest kept no answer.
func TestAManifestWithoutAnAnswerIsEnough(t *testing.T) {
	t.Parallel()
	m := &storage.Manifest{VideoID: "v1", Assets: []storage.Asset{{Asset: "video"}}, Video: storage.Video{Title: "T"}}
	for _, response := range []string{"", "null", `"text"`, "[]", "{}"} {
		m.Source = storage.Source{API: v1, Response: json.RawMessage(response)}
		for _, shape := range []string{v1, v3} {
			answer, err := testLinks().answer(m, shape)
			if err != nil {
				t.Fatal(err)
			}
			if v := understand(t, shape, "v1", answer); v.Status != heygen.StatusCompleted || len(v.Links) != 1 {
				t.Errorf("%q as %s: %s", response, shape, answer)
			}
		}
	}
}

func TestALinkToWhatWeHaveNotIsNull(t *testing.T) {
	t.Parallel()
	for name, body := range bodies(t) {
		v := understand(t, name[:2], idOf(body), body)
		if len(v.Links) < 2 {
			continue
		}
		lost := v.Links[len(v.Links)-1].Asset
		for _, shape := range []string{v1, v3} {
			answer, err := testLinks().answer(sealedAs(v, idOf(body), lost), shape)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := understand(t, shape, idOf(body), answer).Link(lost); ok {
				t.Errorf("%s as %s: a link to %s, which is not stored: %s", name, shape, lost, answer)
			}
		}
	}
}

func FuzzAnyAnswerThatWasKeptGivesJSON(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(string(body))
	}
	f.Add(`{"data":{"a":"\"https://x//\\"},"data":1}`)
	f.Fuzz(func(t *testing.T, response string) {
		if !json.Valid([]byte(response)) {
			return
		}
		m := &storage.Manifest{
			VideoID: "v1", Source: storage.Source{API: v1, Response: json.RawMessage(response)},
			Assets: []storage.Asset{{Asset: "video", Source: storage.AssetSource{Host: "files2.heygen.ai", Path: "/x.mp4"}}},
		}
		for _, shape := range []string{v1, v3} {
			answer, err := testLinks().answer(m, shape)
			if err != nil || !json.Valid(answer) || !strings.Contains(string(answer), "/v/v1/video?e=0") {
				t.Errorf("%s as %s: %s, %v", response, shape, answer, err)
			}
		}
	})
}
