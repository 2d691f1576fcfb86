package heygensim_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func TestALinkEndsAtItsSecond(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{LinkLife: 1500 * time.Millisecond}, simple("v", nil))
	link := b.link("v", "video_url")
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint(b.clock.Now().Add(2 * time.Second).Unix()); u.Query().Get("Expires") != want {
		t.Errorf("Expires=%s, want %s: never early, and on a whole second", u.Query().Get("Expires"), want)
	}
	b.clock.Add(1999 * time.Millisecond)
	if r := b.get(link); r.StatusCode != http.StatusOK {
		t.Errorf("just before its end: %d", r.StatusCode)
	}
	b.clock.Add(time.Millisecond)
	r := b.get(link)
	if r.StatusCode != http.StatusForbidden || r.Header.Get("X-Cache") != "Error from cloudfront" || r.Header.Get("Server") != "CloudFront" ||
		string(r.body) != `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>` {
		t.Errorf("at its end: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	if r := b.get(b.link("v", "video_url")); r.StatusCode != http.StatusOK {
		t.Errorf("a fresh link: %d", r.StatusCode)
	}
}

func TestAQueryThatWasTouchedIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil), simple("w", nil))
	for _, link := range []string{b.link("v", "video_url"), b.data("/v1/video_status.get?video_id=v")["video_url"].(string)} {
		if r := b.get(link); r.StatusCode != http.StatusOK {
			t.Fatalf("the link as it is: %d", r.StatusCode)
		}
		base, query, _ := strings.Cut(link, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		other, _, _ := strings.Cut(b.link("w", "video_url"), "?")
		sorted := values.Encode()
		if sorted == query {
			t.Fatal("the order of a link must not be the alphabet's, or sorting would go unnoticed")
		}
		for name, touched := range map[string]string{
			"sorted":               base + "?" + sorted,
			"escaped":              base + "?" + strings.ReplaceAll(query, "__", "%5F%5F"),
			"something behind":     base + "?" + query + "&x=1",
			"something in front":   base + "?x=1&" + query,
			"another path":         other + "?" + query,
			"a longer life":        base + "?" + strings.Replace(query, "Expires=1", "Expires=2", 1),
			"no query":             base,
			"an empty query":       base + "?",
			"without the key pair": base + "?" + strings.Split(query, "&Key-Pair-Id")[0],
			"another key pair":     base + "?" + strings.Replace(query, "K2", "K3", 1),
			"a shorter signature":  base + "?" + strings.Replace(query, "__&", "_&", 1),
			"an encoded path":      strings.Replace(base, "v.mp4", "%76.mp4", 1) + "?" + query,
		} {
			if r := b.get(touched); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", name, r.StatusCode)
			}
		}
	}
	if r := b.get(b.AssetURL() + "/nothing"); !strings.Contains(string(r.body), "MissingKey") {
		t.Errorf("a path without a query: %s", r.body)
	}
}

func TestEveryAnswerHasAnotherLink(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	first, second := b.link("v", "video_url"), b.link("v", "video_url")
	if first == second {
		t.Error("two answers, one link: a link would do for an identity")
	}
	a, c := b.get(first), b.get(second)
	if a.Header.Get("ETag") == "" || a.Header.Get("ETag") != c.Header.Get("ETag") || a.Header.Get("Last-Modified") != c.Header.Get("Last-Modified") {
		t.Errorf("the validator depends on the link: %v and %v", a.Header, c.Header)
	}
}

func TestGIFAndV1CaptionsNeedNoSignature(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, heygensim.Sample()[0])
	id := heygensim.Sample()[0].ID
	v1, v3 := b.data("/v1/video_status.get?video_id="+id), b.data("/v3/videos/"+id)
	for _, link := range []any{v1["gif_url"], v1["caption_url"], v3["gif_url"]} {
		if r := b.get(link.(string)); r.StatusCode != http.StatusOK || strings.Contains(link.(string), "?") {
			t.Errorf("%v: %d", link, r.StatusCode)
		}
	}
	signed := v3["subtitle_url"].(string)
	if base, _, cut := strings.Cut(signed, "?"); !cut || b.get(base).StatusCode != http.StatusForbidden || b.get(signed).StatusCode != http.StatusOK {
		t.Errorf("v3's captions are signed: %s", signed)
	}
}

func TestRangesAreAnsweredAsS3Does(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	all := body(10_000)
	for header, want := range map[string]struct {
		status    int
		off, end  int
		contained string
	}{
		"bytes=0-0":          {206, 0, 1, "bytes 0-0/10000"},
		"bytes=100-199":      {206, 100, 200, "bytes 100-199/10000"},
		"bytes=9990-":        {206, 9990, 10_000, "bytes 9990-9999/10000"},
		"bytes=9990-99999":   {206, 9990, 10_000, "bytes 9990-9999/10000"},
		"bytes=-10":          {206, 9990, 10_000, "bytes 9990-9999/10000"},
		"bytes=-99999":       {206, 0, 10_000, "bytes 0-9999/10000"},
		"bytes=10000-":       {416, 0, 0, "bytes */10000"},
		"bytes=-0":           {416, 0, 0, "bytes */10000"},
		"bytes=5-4":          {200, 0, 10_000, ""},
		"bytes=0-1,5-6":      {200, 0, 10_000, ""},
		"bytes=a-b":          {200, 0, 10_000, ""},
		"bytes=1-b":          {200, 0, 10_000, ""},
		"bytes=-b":           {200, 0, 10_000, ""},
		"bytes=5":            {200, 0, 10_000, ""},
		"lines=0-1":          {200, 0, 10_000, ""},
		"bytes=0-" + big:     {206, 0, 10_000, "bytes 0-9999/10000"},
		"bytes=" + big + "-": {416, 0, 0, "bytes */10000"},
	} {
		r := b.get(b.link("v", "video_url"), "Range", header)
		if r.StatusCode != want.status || r.Header.Get("Content-Range") != want.contained {
			t.Errorf("%s: %d %q", header, r.StatusCode, r.Header.Get("Content-Range"))
		}
		if want.status != 416 && !bytes.Equal(r.body, all[want.off:want.end]) {
			t.Errorf("%s: wrong bytes", header)
		}
		if want.status != 416 && (r.ContentLength != int64(len(r.body)) || r.Header.Get("Accept-Ranges") != "bytes") {
			t.Errorf("%s: %v", header, r.Header)
		}
	}
}

const big = "9223372036854775806"

func TestIfRangeKeepsTwoFilesApart(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	link := b.link("v", "video_url")
	first := b.get(link)
	for condition, want := range map[string]int{
		first.Header.Get("ETag"):                             206,
		first.Header.Get("Last-Modified"):                    206,
		`"other"`:                                            200,
		"W/" + first.Header.Get("ETag"):                      200,
		b.clock.Now().Add(time.Hour).Format(http.TimeFormat): 200,
	} {
		if r := b.get(link, "Range", "bytes=1-2", "If-Range", condition); r.StatusCode != want {
			t.Errorf("If-Range %s: %d, want %d", condition, r.StatusCode, want)
		}
	}
}

func TestANewRenderHasAnotherETag(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	link := b.link("v", "video_url")
	first := b.get(link)
	b.Update("v", func(v *heygensim.Video) {
		v.Title = "renamed"
		v.ID = "an id never changes"
	})
	if r := b.get(link); r.Header.Get("ETag") != first.Header.Get("ETag") || b.data("/v3/videos/v")["title"] != "renamed" {
		t.Errorf("a new title made another file of it: %v", r.Header)
	}
	b.Update("v", func(v *heygensim.Video) { v.Assets["video"] = heygensim.Asset{Body: body(10)} })
	if r := b.get(link); r.Header.Get("ETag") == first.Header.Get("ETag") || len(r.body) != 10 {
		t.Errorf("a new render: %v, %d bytes", r.Header, len(r.body))
	}
	b.Update("v", func(v *heygensim.Video) {
		v.Assets["video"] = heygensim.Asset{Body: body(10), ETag: `W/"weak"`, ContentType: "x/y", Path: "a/b%20c.mp4"}
	})
	link = b.link("v", "video_url")
	r := b.get(link)
	if r.Header.Get("ETag") != `W/"weak"` || r.Header.Get("Content-Type") != "x/y" || !strings.Contains(link, "/a/b%20c.mp4?") {
		t.Errorf("%s: %v", link, r.Header)
	}
	b.Update("v", func(v *heygensim.Video) { v.Assets["video"] = heygensim.Asset{Body: body(10), ETag: "-"} })
	if r := b.get(b.link("v", "video_url")); r.Header.Get("ETag") != "" || r.StatusCode != http.StatusOK {
		t.Errorf("without an ETag: %d %v", r.StatusCode, r.Header)
	}
}

func TestADeletedVideoTakesItsFilesAlong(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	link := b.link("v", "video_url")
	b.Remove("v")
	if r := b.get(link); r.StatusCode != http.StatusNotFound || !strings.Contains(string(r.body), "NoSuchKey") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestTheAssetHostCanSpeakTLS(t *testing.T) {
	t.Parallel()
	fault := &heygensim.Fault{Kind: heygensim.FaultDrop, At: 10, Times: 1}
	b := setup(t, heygensim.Options{AssetTLS: true}, simple("v", fault))
	link := b.link("v", "video_url")
	if !strings.HasPrefix(link, "https://127.0.0.1:") {
		t.Fatal(link)
	}
	if r := b.get(link); r.err == nil {
		t.Error("a certificate of nobody was accepted")
	}
	b.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = b.RootCAs()
	if r := b.get(link); r.err == nil {
		t.Error("the connection was not dropped")
	}
	if r := b.get(link); r.err != nil || !bytes.Equal(r.body, body(10_000)) {
		t.Errorf("%v", r.err)
	}
}

func TestHEADAndOtherMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	link := b.link("v", "video_url")
	if r := b.do(http.MethodHead, link); r.StatusCode != http.StatusOK || r.ContentLength != 10_000 {
		t.Errorf("HEAD: %d, %d bytes", r.StatusCode, r.ContentLength)
	}
	if r := b.do(http.MethodPut, link); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", r.StatusCode)
	}
	if n := b.Sent("v", "video"); n != 0 {
		t.Errorf("Sent = %d", n)
	}
}

func TestBandwidthIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{Bandwidth: 100_000}, simple("v", nil))
	started := time.Now()
	r := b.get(b.link("v", "video_url"))
	if d := time.Since(started); r.err != nil || len(r.body) != 10_000 || d < 45*time.Millisecond {
		t.Errorf("%v, %d bytes in %v", r.err, len(r.body), d)
	}
}
