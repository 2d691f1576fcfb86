package heygen_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// seed gives every example to a fuzz target.
func seed(f *testing.F, add func(status int, body string)) {
	f.Helper()
	for _, e := range examples(f) {
		a := e.reply()
		add(a.status, a.body)
	}
}

// FuzzVideo lets HeyGen answer anything: what comes out is a sound video or a typed error.
func FuzzVideo(f *testing.F) {
	seed(f, func(status int, body string) { f.Add(status, body, "7", true); f.Add(status, body, "", false) })
	f.Fuzz(func(t *testing.T, status int, body, retry string, v3 bool) {
		version := map[bool]string{true: "v3", false: "v1"}[v3]
		c := newClient(t, version, always(reply{status: status, body: body, header: map[string]string{"Retry-After": retry, "X-Request-Id": retry}}))
		v, err := c.Video(t.Context(), id)
		if err != nil {
			soundError(t, err)
			return
		}
		if status < 200 || status > 299 {
			t.Errorf("a video out of HTTP %d", status)
		}
		soundVideo(t, v)
		if v.ID != id {
			t.Errorf("id %q", v.ID)
		}
	})
}

func soundError(t *testing.T, err error) {
	t.Helper()
	e := asError(t, err)
	if e.Kind == "" || e.Hint() == "" || e.Wait < 0 || e.Wait > time.Hour || len(err.Error()) > 2000 {
		t.Errorf("unsound error %#v", e)
	}
	if strings.ContainsFunc(err.Error(), unicode.IsControl) {
		t.Errorf("control character in %q", err)
	}
}

func soundVideo(t *testing.T, v *heygen.Video) {
	t.Helper()
	switch v.Status {
	case heygen.StatusWaiting, heygen.StatusCompleted, heygen.StatusFailed, heygen.StatusDraft:
	default:
		t.Errorf("status %q", v.Status)
	}
	if (v.Failure != nil) != (v.Status == heygen.StatusFailed) || v.Duration < 0 {
		t.Errorf("unsound: %+v", v)
	}
	for _, l := range v.Links {
		u, err := url.Parse(l.URL.Reveal())
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			t.Errorf("link to %q", l.URL.Reveal())
		}
	}
	soundResponse(t, v.Response)
}

// soundResponse walks over what is kept: it is JSON, and no text in it has a query behind an address.
func soundResponse(t *testing.T, raw json.RawMessage) {
	t.Helper()
	if !json.Valid(raw) {
		t.Fatalf("not JSON: %q", raw)
	}
	if _, err := json.Marshal(map[string]json.RawMessage{"response": raw}); err != nil {
		t.Fatalf("does not fit into a manifest: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return
		}
		s, ok := token.(string)
		if !ok {
			continue
		}
		for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'<>`, r) }) {
			if _, behind, found := strings.Cut(word, "://"); found && strings.ContainsAny(behind, "?#") && startsAsAddress(word) {
				t.Errorf("a query is left in %q", word)
			}
		}
	}
}

func startsAsAddress(word string) bool {
	w := strings.ToLower(word)
	return strings.HasPrefix(w, "https://") || strings.HasPrefix(w, "http://")
}

// FuzzVideos lets a list be anything: the walk ends, and all it yields is sound.
func FuzzVideos(f *testing.F) {
	seed(f, func(_ int, body string) { f.Add(body, "{}", true); f.Add(body, body, false) })
	f.Add(`{"data":[{"id":"a"}],"next_token":1}`, `{"data":[],"next_token":1}`, true)
	f.Fuzz(func(t *testing.T, first, rest string, v3 bool) {
		version := map[bool]string{true: "v3", false: "v1"}[v3]
		c := newClient(t, version, func(r *http.Request) reply {
			if r.URL.Query().Get("token") == "" {
				return ok(first)
			}
			return ok(rest)
		})
		// The walk waits out throttles and outages: on a clock that jumps.
		synctest.Test(t, func(t *testing.T) { soundWalk(t, c) })
	})
}

func soundWalk(t *testing.T, c setup) {
	t.Helper()
	for v, err := range c.Videos(t.Context(), heygen.ListOptions{Since: time.Unix(1_700_000_000, 0)}) {
		if _, single := errors.AsType[*heygen.ItemError](err); single {
			continue
		}
		if err != nil {
			soundError(t, err)
			continue
		}
		if !heygen.ValidID(v.ID) {
			t.Errorf("id %q", v.ID)
		}
		soundVideo(t, v)
	}
	if got := len(c.vendor.take()); got > 10 {
		t.Errorf("asked %d times over two pages", got)
	}
}

func FuzzStatuses(f *testing.F) {
	seed(f, func(status int, body string) { f.Add(status, body) })
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := newClient(t, "v3", always(reply{status: status, body: body}))
		got, err := c.Statuses(t.Context(), []string{id, "v_example01"})
		if err == nil && len(got) > 2 {
			t.Errorf("more than was asked for: %v", got)
		}
	})
}

func FuzzExpiry(f *testing.F) {
	for _, s := range []string{signed, "https://h/?X-Amz-Date=20261120T100000Z&X-Amz-Expires=3600", "?Expires=%", "?;&=", "?Expires=1;X-Amz-Expires=-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		got, ok := heygen.Expiry(link)
		if ok == got.IsZero() || got.Year() > 9999 {
			t.Errorf("%q: %v, %t", link, got, ok)
		}
		if _, err := got.MarshalJSON(); err != nil {
			t.Errorf("%q: %v can't be kept: %v", link, got, err)
		}
	})
}

// FuzzRedaction puts a link into any text of any answer: neither what is kept nor what is shown has its query.
func FuzzRedaction(f *testing.F) {
	f.Add("", "")
	f.Add("a ", "&b")
	f.Add("https://x/?u=", "#")
	f.Add("\\", "\\\"")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "TOPSECRET") {
			return // the secret must be ours alone
		}
		words, err := json.Marshal(before + signed + after)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"data":{"status":"failed","error":` + string(words) + `,"more":[{` + string(words) + `:` + string(words) + `}]}}`
		v, err := newClient(t, "v3", always(ok(body))).Video(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(v.Response), "TOPSECRET") || strings.Contains(v.Failure.Message, "TOPSECRET") {
			t.Errorf("left in %s or %q", v.Response, v.Failure.Message)
		}
		_, err = newClient(t, "v3", always(reply{status: 403, body: `{"error":{"message":` + string(words) + `}}`})).Video(t.Context(), id)
		if strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("left in %q", err)
		}
	})
}
