package heygensim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a simulator and a client for it.
type bench struct {
	*heygensim.Sim
	t      *testing.T
	clock  *clock
	client *http.Client
}

func setup(t *testing.T, opt heygensim.Options, videos ...heygensim.Video) *bench {
	t.Helper()
	b := &bench{t: t, clock: newClock()}
	opt.Now = b.clock.Now
	var err error
	if b.Sim, err = heygensim.New(opt); err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	b.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, v := range videos {
		b.Add(v)
	}
	return b
}

// reply is an answer, read as far as it came.
type reply struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

// do sends a request; header is pairs of name and value.
func (b *bench) do(method, url string, header ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, body, err}
}

func (b *bench) get(url string, header ...string) reply {
	b.t.Helper()
	return b.do(http.MethodGet, url, header...)
}

// api asks the API with the right key and returns status and answer.
func (b *bench) api(path string) (int, map[string]any) {
	b.t.Helper()
	r := b.get(b.APIURL()+path, "x-api-key", b.Key())
	if r.err != nil {
		b.t.Fatal(r.err)
	}
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		b.t.Fatalf("GET %s: %v in %q", path, err, r.body)
	}
	return r.StatusCode, v
}

// data is the inner object of an answer.
func (b *bench) data(path string) map[string]any {
	b.t.Helper()
	status, v := b.api(path)
	d, ok := v["data"].(map[string]any)
	if status != http.StatusOK || !ok {
		b.t.Fatalf("GET %s: %d %v", path, status, v)
	}
	return d
}

// link is a fresh v3 link to an asset, by its name in the API.
func (b *bench) link(id, name string) string {
	b.t.Helper()
	l, _ := b.data("/v3/videos/" + id)[name].(string)
	if l == "" {
		b.t.Fatalf("video %s offers no %s", id, name)
	}
	return l
}

// bytesOf is all of an asset.
func (b *bench) bytesOf(id, asset string) []byte {
	b.t.Helper()
	r, size := b.Open(id, asset)
	if r == nil {
		b.t.Fatalf("video %s has no %s", id, asset)
	}
	all, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// simple is a video of some bytes.
func simple(id string, fault *heygensim.Fault) heygensim.Video {
	return heygensim.Video{ID: id, Title: "A title", Assets: map[string]heygensim.Asset{
		"video": {Body: body(10_000), Fault: fault},
	}}
}

// body is bytes of which no two neighbours are alike.
func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestEveryAssetOfTheSamplesArrivesAsItIs(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, heygensim.Sample()...)
	b.clock.Add(time.Hour)
	names := map[string][2]string{
		"video": {"video_url", "video_url"}, "thumbnail": {"thumbnail_url", "thumbnail_url"}, "gif": {"gif_url", "gif_url"},
		"captions": {"caption_url", "subtitle_url"}, "captioned_video": {"video_url_caption", "captioned_video_url"},
	}
	for _, v := range heygensim.Sample() {
		v1, v3 := b.data("/v1/video_status.get?video_id="+v.ID), b.data("/v3/videos/"+v.ID)
		for asset, name := range names {
			_, has := v.Assets[asset]
			for i, answer := range []map[string]any{v1, v3} {
				link, offered := answer[name[i]].(string)
				if offered != has {
					t.Errorf("%s: %s offered: %v, want %v", v.Title, name[i], offered, has)
				}
				if !has {
					continue
				}
				got := b.get(link)
				for got.err != nil && v.Assets[asset].Fault != nil { // the one that is dropped once
					got = b.get(link)
				}
				if want := b.bytesOf(v.ID, asset); got.err != nil || !bytes.Equal(got.body, want) || len(want) == 0 {
					t.Errorf("%s: %s: %v, %d bytes, want %d", v.Title, asset, got.err, len(got.body), len(want))
				}
			}
		}
	}
	if leaks := b.Leaks(); leaks != nil {
		t.Errorf("Leaks = %v", leaks)
	}
}

func TestAnEmptyAssetIsARealFileOfItsKind(t *testing.T) {
	t.Parallel()
	v := heygensim.Video{ID: "v", Assets: map[string]heygensim.Asset{}}
	magic := map[string]string{"video": "ftyp", "captioned_video": "ftyp", "thumbnail": "\xff\xd8\xff", "gif": "GIF89a", "captions": "[Script Info]"}
	for asset := range magic {
		v.Assets[asset] = heygensim.Asset{}
	}
	b := setup(t, heygensim.Options{}, v)
	for asset, want := range magic {
		if got := b.bytesOf("v", asset); !strings.Contains(string(got[:20]), want) {
			t.Errorf("%s begins with %q", asset, got[:20])
		}
	}
}

func TestAVideoOfManyGigabytesCostsNoMemory(t *testing.T) {
	t.Parallel()
	const size = 7<<30 + 5
	b := setup(t, heygensim.Options{}, heygensim.Video{ID: "v", Assets: map[string]heygensim.Asset{"video": {Size: size}}})
	r, got := b.Open("v", "video")
	if got != size {
		t.Fatalf("size %d", got)
	}
	// Any range, at any alignment, is the same bytes whichever way they are asked for.
	whole := make([]byte, 4096)
	for _, off := range []int64{0, 1, 600, 700, 5 << 30, size - 4096} {
		if n, err := r.ReadAt(whole, off); n != len(whole) || (err != nil && err != io.EOF) {
			t.Fatalf("read at %d: %d, %v", off, n, err)
		}
		for _, cut := range []int{1, 7, 8, 9, 63, 1000, 4095} {
			part := make([]byte, len(whole)-cut)
			if _, err := r.ReadAt(part, off+int64(cut)); (err != nil && err != io.EOF) || !bytes.Equal(part, whole[cut:]) {
				t.Fatalf("read at %d+%d differs: %v", off, cut, err)
			}
		}
		answer := b.get(b.link("v", "video_url"), "Range", fmt.Sprintf("bytes=%d-%d", off, off+4095))
		if answer.StatusCode != http.StatusPartialContent || !bytes.Equal(answer.body, whole) {
			t.Fatalf("range at %d: %v", off, answer.Status)
		}
	}
	if n, err := r.ReadAt(whole, size-10); n != 10 || err != io.EOF {
		t.Errorf("read over the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(whole, size); n != 0 || err != io.EOF {
		t.Errorf("read behind the end: %d, %v", n, err)
	}
	if _, err := r.ReadAt(whole, -1); err == nil {
		t.Error("read before the beginning passed")
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultStall, At: 100}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.link("v", "video_url"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice does no harm
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the stalled answer ended well")
	}
}

func TestTheLogHasEveryRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	link := b.link("v", "video_url")
	b.get(link, "Range", "bytes=10-19")
	b.get(link)
	all := b.Requests()
	if len(all) != 3 || all[0].Host != "api" || all[0].Path != "/v3/videos/v" || all[0].Status != http.StatusOK {
		t.Fatalf("Requests = %+v", all)
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(link, b.AssetURL()), "?")
	part := all[1]
	if part.Host != "asset" || part.Path != path || part.RawQuery != query || part.Header.Get("Range") != "bytes=10-19" ||
		part.Status != http.StatusPartialContent || part.Bytes != 10 || part.VideoID != "v" || part.Asset != "video" {
		t.Errorf("Requests[1] = %+v", part)
	}
	if c := b.Counts(); c != (heygensim.Counts{API: 1, Asset: 2, AtOnce: 1, Bytes: 10_010, Detail: 1}) {
		t.Errorf("Counts = %+v", c)
	}
	if n := b.Sent("v", "video"); n != 10_010 {
		t.Errorf("Sent = %d", n)
	}
	b.Forget()
	if c := b.Counts(); c != (heygensim.Counts{}) {
		t.Errorf("Counts after Forget = %+v", c)
	}
}

func TestWhatMustNotReachTheAssetHostIsRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{Key: "sk_V2_secret"}, simple("v", nil))
	link := b.link("v", "video_url")
	for header, value := range map[string]string{
		"x-api-key": "other", "Authorization": "Bearer x", "Cookie": "a=b", "Referer": "http://x/", "X-Note": "see sk_V2_secret",
	} {
		before := len(b.Leaks())
		b.get(link, header, value)
		if got := b.Leaks()[before:]; len(got) != 1 || !strings.Contains(strings.ToLower(got[0]), strings.ToLower(header)) {
			t.Errorf("%s: Leaks = %v", header, got)
		}
	}
	before := len(b.Leaks())
	b.get(link + "&key=sk_V2_secret")
	if got := b.Leaks()[before:]; len(got) != 1 || strings.Contains(got[0], "sk_V2_secret") {
		t.Errorf("the key in a query: Leaks = %v", got)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultDrop, At: 5000, Times: 8}))
	link := b.link("v", "video_url")
	var wg sync.WaitGroup
	var mu sync.Mutex
	dropped := 0
	for i := range 16 {
		wg.Go(func() {
			if r := b.get(link); r.err != nil {
				mu.Lock()
				defer mu.Unlock()
				dropped++
			}
			b.Add(simple(fmt.Sprint("w", i), nil))
			b.Update("v", func(v *heygensim.Video) { v.Title = fmt.Sprint(i) })
			b.Requests()
			b.Remove(fmt.Sprint("w", i))
		})
	}
	wg.Wait()
	if dropped != 8 {
		t.Errorf("%d of 16 answers were dropped, want 8", dropped)
	}
}
