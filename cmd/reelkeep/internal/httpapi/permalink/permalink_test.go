package permalink

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

func TestAPermalinkLeadsToAFreshLinkOfTheStore(t *testing.T) {
	b := setup(t, Config{})
	f := film()
	b.archive(storage.VideoKey{VideoID: "v1"}, "Größe & Ruhm", map[string]file{"video": f})
	for path, kind := range map[string]string{"/v/v1": "inline", "/v/v1/video?download=1": "attachment"} {
		a := b.ask("GET", path, everything)
		if a.status != http.StatusFound || a.body != "" || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Fatalf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
		got := b.ask("GET", a.header.Get("Location"), "Range: bytes=100-199")
		if got.status != http.StatusPartialContent || got.body != string(f.body[100:200]) || got.header.Get("Content-Type") != "video/mp4" {
			t.Errorf("%s: the store says %d %v", path, got.status, got.header)
		}
		want := kind + `; filename="Gr__e & Ruhm.mp4"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20&%20Ruhm.mp4`
		if d := got.header.Get("Content-Disposition"); d != want {
			t.Errorf("%s: the store says %s, want %s", path, d, want)
		}
	}
	// A signature holds for one method: curl -IL must not end in a 403.
	a := b.ask("HEAD", "/v/v1", everything)
	head := b.ask("HEAD", a.header.Get("Location"))
	if a.status != http.StatusFound || head.status != http.StatusOK || head.header.Get("Content-Length") != strconv.Itoa(len(f.body)) {
		t.Errorf("HEAD: %d, then %d %v", a.status, head.status, head.header)
	}
}

// No cache may hand out a link that is dead, and no redirect may outlive the share link it came from.
func TestARedirectLivesNoLongerThanWhatItCameFrom(t *testing.T) {
	b := setup(t, Config{})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": film()})
	for left, want := range map[time.Duration]string{0: "private, max-age=300", 90 * time.Second: "private, max-age=45", time.Second: "private, max-age=0"} {
		until := time.Time{}
		if left > 0 {
			until = b.clock().Add(left)
		}
		a := b.ask("GET", b.share(sharelink.File{VideoID: "v1", Asset: "video"}, until))
		if a.status != http.StatusFound || a.header.Get("Cache-Control") != want || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s left: %d, Cache-Control %q, want %q", left, a.status, a.header.Get("Cache-Control"), want)
		}
		ttl := int(left / time.Second)
		if left == 0 {
			ttl = int(redirectTTL / time.Second)
		}
		if !strings.Contains(a.header.Get("Location"), "X-Amz-Expires="+strconv.Itoa(ttl)+"&") {
			t.Errorf("%s left: the link does not live %d s", left, ttl)
		}
	}
}

func TestAFileIsServedWithEverythingAPlayerWants(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	f := film()
	m := b.archive(storage.VideoKey{VideoID: "v1"}, "Launch", map[string]file{"video": f})
	etag, size := `"`+m.Assets[0].SHA256+`"`, strconv.Itoa(len(f.body))
	for name, c := range map[string]struct {
		method  string
		headers []string
		status  int
		body    []byte
		want    map[string]string
	}{
		"all":               {"GET", nil, 200, f.body, map[string]string{"Content-Length": size, "Accept-Ranges": "bytes", "ETag": etag, "Content-Type": "video/mp4", "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT", "X-Content-Type-Options": "nosniff", "Content-Disposition": `inline; filename="Launch.mp4"`, "Cache-Control": "private, max-age=300", "Access-Control-Allow-Origin": ""}},
		"only the head":     {"HEAD", nil, 200, nil, map[string]string{"Content-Length": size, "ETag": etag, "Content-Type": "video/mp4", "Accept-Ranges": "bytes"}},
		"a range":           {"GET", []string{"Range: bytes=1000-1999"}, 206, f.body[1000:2000], map[string]string{"Content-Range": "bytes 1000-1999/" + size, "Content-Length": "1000", "ETag": etag}},
		"from somewhere":    {"GET", []string{"Range: bytes=199990-"}, 206, f.body[199990:], map[string]string{"Content-Range": "bytes 199990-199999/" + size}},
		"the end":           {"GET", []string{"Range: bytes=-10"}, 206, f.body[199990:], map[string]string{"Content-Range": "bytes 199990-199999/" + size}},
		"beyond the end":    {"GET", []string{"Range: bytes=199990-999999"}, 206, f.body[199990:], nil},
		"the first byte":    {"GET", []string{"Range: bytes=0-0"}, 206, f.body[:1], map[string]string{"Content-Range": "bytes 0-0/" + size, "Content-Length": "1"}},
		"a head of a range": {"HEAD", []string{"Range: bytes=0-9"}, 200, nil, map[string]string{"Content-Length": size, "Content-Range": ""}},
		"nowhere":           {"GET", []string{"Range: bytes=200000-"}, 416, nil, map[string]string{"Content-Range": "bytes */" + size}},
		"nonsense":          {"GET", []string{"Range: bytes=x-y"}, 416, nil, nil},
		"several":           {"GET", []string{"Range: bytes=0-9,20-29"}, 200, f.body, nil},
		"another unit":      {"GET", []string{"Range: frames=0-9"}, 200, f.body, map[string]string{"Content-Range": ""}},
		"no unit":           {"GET", []string{"Range: 0-9"}, 200, f.body, nil},
		"known already":     {"GET", []string{"If-None-Match: " + etag}, 304, nil, map[string]string{"ETag": etag}},
		"not changed":       {"GET", []string{"If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"}, 304, nil, nil},
		"another one":       {"GET", []string{`If-Match: "other"`}, 412, nil, nil},
		"still the same":    {"GET", []string{"Range: bytes=5-9", "If-Range: " + etag}, 206, f.body[5:10], nil},
		"not the same":      {"GET", []string{"Range: bytes=5-9", `If-Range: "other"`}, 200, f.body, nil},
		"of the same date":  {"GET", []string{"Range: bytes=5-9", "If-Range: Mon, 23 Nov 2026 10:00:00 GMT"}, 206, f.body[5:10], nil},
		"an older one":      {"GET", []string{"Range: bytes=5-9", "If-Range: Sun, 22 Nov 2026 10:00:00 GMT"}, 200, f.body, nil},
	} {
		a := b.ask(c.method, "/v/v1", append(c.headers, everything)...)
		if a.status != c.status || (c.body != nil && a.body != string(c.body)) {
			t.Errorf("%s: %d with %d bytes, want %d with %d", name, a.status, len(a.body), c.status, len(c.body))
		}
		for header, want := range c.want {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	if n := b.files.open.Load(); n != 0 {
		t.Errorf("%d reads of the store are still open", n)
	}
}

func TestWhatIsNoFilmCanDoNothingInABrowser(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{
		"video": film(), "captions": {"captions.ass", "text/x-ssa", []byte("[Script Info]\n")}, "gif": {"preview.gif", "text/html", []byte("<script>alert(1)</script>")},
		"thumbnail": {"thumbnail.jpeg", "image/jpeg", []byte("\xff\xd8\xff")},
	})
	for asset, want := range map[string][3]string{
		"captions":  {"text/x-ssa; charset=utf-8", "default-src 'none'; sandbox", `inline; filename="v1-captions.ass"`},
		"gif":       {"application/octet-stream", "default-src 'none'; sandbox", `inline; filename="v1-gif.gif"`},
		"thumbnail": {"image/jpeg", "", `inline; filename="v1-thumbnail.jpeg"`},
	} {
		a := b.ask("GET", "/v/v1/"+asset, everything)
		got := [3]string{a.header.Get("Content-Type"), a.header.Get("Content-Security-Policy"), a.header.Get("Content-Disposition")}
		if got != want || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", asset, cmp.Diff(want, got))
		}
	}
}

// Whoever may not see a video gets the same answer whether or not there is one.
func TestNothingIsToldToWhoMayNotKnow(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	b.archive(storage.VideoKey{Account: "west", VideoID: "sealed"}, "", map[string]file{"video": film()})
	b.queue["west/waiting"] = queue.StateRendering
	paths := []string{
		"/v/sealed?account=west", "/v/waiting?account=west", "/v/unknown?account=west", "/v/sealed/gif?account=west", "/v/sealed/nonsense?account=west",
		"/v/%2e%2e?account=west", "/v/sealed?account=nobody",
	}
	for who, headers := range map[string][]string{
		"nobody": nil, "a wrong token": {"Authorization: Bearer token-for-wes"}, "a token of another account": {east},
		"a forged link": {"forged"}, "an expired one": {"expired"},
	} {
		var first *answer
		for _, path := range paths {
			var a answer
			switch who {
			case "a forged link":
				a = b.ask("GET", path+"&e=0&s=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
			case "an expired one":
				if strings.Contains(path, "%2e") || strings.Contains(path, "nobody") {
					continue
				}
				_, id, _ := strings.Cut(strings.TrimSuffix(path, "?account=west"), "/v/")
				id, asset, _ := strings.Cut(id, "/")
				if asset == "" {
					asset = "video"
				}
				a = b.ask("GET", b.share(sharelink.File{Account: "west", VideoID: id, Asset: asset}, b.clock().Add(-time.Second)))
			default:
				a = b.ask("GET", path, headers...)
			}
			a.header.Del("Date")
			if first == nil {
				first = &a
			}
			if diff := cmp.Diff(*first, a, cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("%s: %s is answered otherwise:\n%s", who, path, diff)
			}
		}
		want := http.StatusUnauthorized
		if who == "a token of another account" {
			want = http.StatusNotFound
		}
		if first.status != want || strings.Contains(first.body, "sealed") {
			t.Errorf("%s: %d %s, want %d", who, first.status, first.body, want)
		}
	}
	// The same answer as for a video that nobody knows, to the letter.
	foreign, unknown := b.ask("GET", "/v/sealed?account=west", east), b.ask("GET", "/v/unknown", east)
	if foreign.body != unknown.body || foreign.status != unknown.status {
		t.Errorf("another account's: %s\nnobody's: %s", foreign.body, unknown.body)
	}
	for _, who := range []string{west, everything} {
		if a := b.ask("GET", "/v/sealed?account=west", who); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
	if a := b.ask("GET", "/v/sealed", west); a.status != http.StatusOK {
		t.Errorf("an account's token stands for its account: got %d", a.status)
	}
	if a := b.ask("GET", "/v/sealed", everything); a.status != http.StatusNotFound {
		t.Errorf("a token for everything stands for default: got %d", a.status)
	}
}

func TestAShareLinkOpensOneFileWithoutAToken(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	f := film()
	b.archive(storage.VideoKey{Account: "west", VideoID: "v1"}, "", map[string]file{"video": f, "gif": {"preview.gif", "image/gif", []byte("GIF89a")}})
	link := b.share(sharelink.File{Account: "west", VideoID: "v1", Asset: "video"}, b.clock().Add(time.Hour))
	for _, path := range []string{link, strings.Replace(link, "/video?", "?", 1), link + "&download=1"} {
		a := b.ask("GET", path, "Range: bytes=0-99")
		if a.status != http.StatusPartialContent || a.body != string(f.body[:100]) || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	for name, path := range map[string]string{
		"another asset":   strings.Replace(link, "/video?", "/gif?", 1),
		"another video":   strings.Replace(link, "/v/v1/", "/v/v2/", 1),
		"another account": strings.Replace(link, "account=west", "account=east", 1),
		"no account":      strings.Replace(link, "account=west&", "", 1),
		"for ever":        link[:strings.Index(link, "e=")] + "e=0" + link[strings.Index(link, "&s="):],
	} {
		if a := b.ask("GET", path); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	b.now.Add(3600)
	if a := b.ask("GET", link); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "expired") {
		t.Errorf("after its time: %d %s", a.status, a.body)
	}
	if a := b.ask("GET", link, west); a.status != http.StatusOK {
		t.Errorf("after its time, with a token: %d", a.status)
	}
}

func TestPublicPermalinksOpenForAll(t *testing.T) {
	b := setup(t, Config{Proxy: true, Public: true})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": film()})
	a := b.ask("GET", "/v/v1")
	if a.status != http.StatusOK || a.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := b.ask("GET", "/v/v2"); a.status != http.StatusNotFound {
		t.Errorf("unknown: %d", a.status)
	}
}

func TestWhatIsNotThereYetIsToldApart(t *testing.T) {
	b := setup(t, Config{})
	m := b.archive(storage.VideoKey{VideoID: "other"}, "", map[string]file{"video": film()})
	partial := *m
	partial.VideoID, partial.State = "partial", storage.StatePartial
	partial.Assets = nil
	u, err := b.store.Upload(t.Context(), storage.VideoKey{VideoID: "partial"}, storage.UploadSpec{Asset: "video", Name: "video.mp4", Size: 5, ContentType: "video/mp4"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.Put(t.Context(), 1, []byte("hello"))); err != nil {
		t.Fatal(err)
	}
	obj, err := u.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	partial.Assets = []storage.Asset{{Asset: "video", Key: "video.mp4", Bytes: 5, SHA256: m.Assets[0].SHA256, ETag: obj.ETag}}
	partial.Absent = []storage.Absent{{Asset: "gif", Reason: storage.AbsentLate}, {Asset: "captions", Reason: storage.AbsentNotOffered}}
	b.seal(&partial)
	for state, want := range map[queue.State]int{
		queue.StateAccepted: 409, queue.StateRendering: 409, queue.StateTransferring: 409, queue.StatePartial: 409,
		queue.StateFailed: 404, queue.StateGone: 404, queue.StateCancelled: 404, queue.StateArchived: 404, "away": 503,
	} {
		b.queue["default/v-"+string(state)] = state
		a := b.ask("GET", "/v/v-"+string(state), everything)
		if a.status != want || (want != 404) != (a.header.Get("Retry-After") != "") || a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v, want %d", state, a.status, a.header, want)
		}
	}
	for asset, want := range map[string]int{"video": 302, "gif": 409, "captions": 404, "thumbnail": 404, "manifest.json": 404, "..": 404} {
		if a := b.ask("GET", "/v/partial/"+strings.Replace(asset, "..", "%2e%2e", 1), everything); a.status != want {
			t.Errorf("%s of a partial video: %d, want %d", asset, a.status, want)
		}
	}
}

func TestAStoreOutOfReachIsNoHalfAnswer(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": film(), "captions": {"captions.srt", "application/x-subrip", []byte("1\n")}})
	for err, want := range map[error]int{errors.New("no route to the store"): 503, storage.ErrNotFound: 500} {
		b.files.fail.Store(&err)
		a := b.ask("GET", "/v/v1/captions", everything)
		if a.status != want || a.header.Get("ETag") != "" || a.header.Get("Content-Disposition") != "" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %d %v", err, a.status, a.header)
		}
	}
}

// A player that is closed in the middle of a film must not leave a read of the store behind.
func TestAVisitorWhoLeavesLeavesNothingOpen(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	big := file{"video.mp4", "video/mp4", bytesOf(8 << 20)}
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": big})
	const visitors = 20
	b.files.closed = make(chan struct{}, visitors)
	for range visitors {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "GET /v/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token-for-everything\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	deadline := time.After(20 * time.Second)
	for noticed := 0; noticed < visitors; noticed++ {
		select {
		case <-b.files.closed:
		case <-deadline:
			noticed = visitors
		}
	}
	if open, opened := b.files.open.Load(), b.files.opened.Load(); open != 0 || opened != visitors {
		t.Errorf("%d of %d reads are still open", open, opened)
	}
}

func TestARangeReadsNothingElse(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	f := film()
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": f})
	var got bytes.Buffer
	for off := 0; off < len(f.body); off += 50_000 {
		a := b.ask("GET", "/v/v1", everything, "Range: bytes="+strconv.Itoa(off)+"-"+strconv.Itoa(off+49_999))
		got.WriteString(a.body)
	}
	if !bytes.Equal(got.Bytes(), f.body) {
		t.Error("four ranges do not make the file")
	}
	for _, quiet := range []string{"If-None-Match: *", "Range: bytes=900000-"} {
		before := b.files.opened.Load()
		if b.ask("GET", "/v/v1", everything, quiet); b.files.opened.Load() != before {
			t.Errorf("%s: the store was asked for nothing", quiet)
		}
	}
}

// A player on a page of another origin reads the size from Content-Range and asks first whether it may send Range.
func TestAPlayerOnAnotherPageMayUseAShareLink(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": film()})
	link := b.share(sharelink.File{VideoID: "v1", Asset: "video"}, time.Time{})
	a := b.ask("GET", link, "Origin: https://app.example.com", "Range: bytes=0-9")
	for _, name := range []string{"Content-Range", "Accept-Ranges", "ETag", "Content-Length"} {
		if a.status != http.StatusPartialContent || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("%d: %s is not shown: %v", a.status, name, a.header)
		}
	}
	for path, want := range map[string]string{link: "*", "/v/v1": "", "/v/v1/video": ""} {
		p := b.ask("OPTIONS", path, "Origin: https://app.example.com", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range")
		if h := p.header; p.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != want || strings.Contains(h.Get("Access-Control-Allow-Headers"), "Range") != (want != "") {
			t.Errorf("%s: %d %v", path, p.status, p.header)
		}
	}
	if own := b.ask("GET", "/v/v1", everything); own.header.Get("Access-Control-Expose-Headers") != "" {
		t.Errorf("what a token opens is shown to other pages: %v", own.header)
	}
}

func TestMoreBodiesThanAreServedAtOnceAreToldToWait(t *testing.T) {
	b := setup(t, Config{Proxy: true})
	b.archive(storage.VideoKey{VideoID: "v1"}, "", map[string]file{"video": film()})
	for range cap(b.permalinks.bodies) {
		b.permalinks.bodies <- struct{}{}
	}
	if a := b.ask("GET", "/v/v1", everything); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || b.files.opened.Load() != 0 {
		t.Errorf("one too many: %d %v", a.status, a.header)
	}
	if a := b.ask("HEAD", "/v/v1", everything); a.status != http.StatusOK {
		t.Errorf("a head has no body: %d", a.status)
	}
	<-b.permalinks.bodies
	for range 3 {
		if a := b.ask("GET", "/v/v1", everything); a.status != http.StatusOK {
			t.Errorf("with room for one: %d", a.status)
		}
	}
}
