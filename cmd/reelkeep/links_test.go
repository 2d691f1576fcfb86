package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/browsertest"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

const (
	oldLinkSecret = "REELKEEP_LINK_SECRETS=the-old-secret-of-our-links"
	newLinkSecret = "REELKEEP_LINK_SECRETS=the-new-secret-of-our-links"
	bothSecrets   = newLinkSecret + ",the-old-secret-of-our-links"
	apiTokens     = "REELKEEP_API_TOKENS=token-for-everything,default:token-of-default"
	asEverything  = "Authorization: Bearer token-for-everything"
)

// launch is a video of real media.
func launch(f *fleet) heygensim.Video {
	v := heygensim.Sample()[0]
	v.CreatedAt, v.RenderFor = longAgo(), 0
	f.sim.Add(v)
	return v
}

// open starts a process whose door is open and serves.
func (f *fleet) open(args ...string) *process {
	f.t.Helper()
	p := f.serve(args...)
	p.untilOpen()
	p.untilReady()
	p.await("the routes", func() bool { return p.call("GET", "/nothing-here", "").status == http.StatusNotFound })
	return p
}

// follow reads a link to its end, as somebody who was given it.
func follow(t *testing.T, link string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// cli runs a command of the fleet and returns what it printed.
func (f *fleet) cli(set []string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(f.env[:len(f.env):len(f.env)], set...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		f.t.Errorf("%v: %v\n%s", args, err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// An app that only had its base URL changed, after HeyGen's links have died and HeyGen itself is gone.
func TestLinksOutliveHeyGenRestartsAndRotation(t *testing.T) {
	f := newFleet(t, heygensim.Options{LinkLife: 30 * time.Second})
	v := launch(f)
	film := v.Assets["video"].Body
	f.env = append(f.env, oldLinkSecret, apiTokens, "REELKEEP_DROPIN=full")
	p := f.open()
	key := "X-Api-Key: " + f.sim.Key()

	// Not archived yet: HeyGen's own answer, and the video is on its way.
	if a := p.call("GET", "/v1/video_status.get?video_id="+v.ID, "", key); a.status != 200 || !strings.Contains(a.body, f.sim.AssetURL()) {
		t.Errorf("before: %d %s", a.status, a.body)
	}
	f.untilArchived(v.ID)
	if a := p.call("GET", "/v3/videos?limit=10", "", "X-Api-Key: token-for-everything"); a.status != 200 || strings.Count(a.body, "http://"+p.api+"/v/"+v.ID) != len(v.Assets) {
		t.Errorf("the list: %d %s", a.status, a.body)
	}
	_ = f.sim.Close()

	shared := f.dropIn(p, v, key)
	public := "REELKEEP_PUBLIC_URL=http://" + p.api
	if got := f.cli([]string{public}, "url", "--share", v.ID); got != shared {
		t.Errorf("url --share prints %s, the drop-in gave %s", got, shared)
	}
	if got := f.cli([]string{public}, "status", "--json", v.ID); !strings.Contains(got, `"permalink":"http://`+p.api+`/v/`+v.ID+`/video"`) {
		t.Errorf("status --json has no permalink: %s", got)
	}
	if a := follow(t, f.redirect(p, "/v/"+v.ID)); a.body != string(film) || a.header.Get("Server") != "MinIO" {
		t.Errorf("the permalink leads to %d bytes of %s, want %d of the store", len(a.body), a.header.Get("Server"), len(film))
	}
	if a := p.call("GET", "/v/"+v.ID, ""); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", a.status)
	}

	// A restart, another secret, another way to serve: the links given away before still open.
	if code, _ := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM: %d", code)
	}
	moved := func(p *process) string {
		return strings.Replace(shared, strings.TrimPrefix(public, "REELKEEP_PUBLIC_URL=http://"), p.api, 1)
	}
	f.env = append(f.env, bothSecrets, "REELKEEP_PERMALINK_MODE=proxy")
	p = f.open("--roles", "api")
	if a := follow(t, moved(p), "Range: bytes=1000-1999"); a.status != http.StatusPartialContent || a.body != string(film[1000:2000]) || a.header.Get("Server") != "" {
		t.Errorf("after a rotation: %d %v", a.status, a.header)
	}
	f.env = append(f.env, newLinkSecret)
	p = f.open("--roles", "api")
	if a := follow(t, moved(p)); a.status != http.StatusUnauthorized {
		t.Errorf("after its secret was taken away: %d", a.status)
	}
}

// redirect is where a permalink leads whoever has a token. It is followed by hand: a client that takes the token along to
// another port of the same host, as Go's does, is refused by the store, which won't have two kinds of credentials.
func (f *fleet) redirect(p *process, path string) string {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://"+p.api+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	name, value, _ := strings.Cut(asEverything, ": ")
	req.Header.Set(name, value)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusFound {
		f.t.Errorf("%s: %d", path, res.StatusCode)
	}
	return res.Header.Get("Location")
}

// dropIn asks HeyGen's own routes and returns the link to the video.
func (f *fleet) dropIn(p *process, v heygensim.Video, key string) string {
	f.t.Helper()
	var links []string
	for _, path := range []string{"/v1/video_status.get?video_id=" + v.ID, "/v3/videos/" + v.ID} {
		a := p.call("GET", path, "", key)
		var said struct {
			Data struct {
				ID, Status string
				VideoURL   string `json:"video_url"`
			}
		}
		if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.Data.ID != v.ID || said.Data.Status != "completed" {
			f.t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		if got := follow(f.t, said.Data.VideoURL); got.status != 200 || got.body != string(v.Assets["video"].Body) {
			f.t.Errorf("%s: its link gives %d and %d bytes", path, got.status, len(got.body))
		}
		links = append(links, said.Data.VideoURL)
	}
	if links[0] != links[1] {
		f.t.Errorf("two links to one file: %v", links)
	}
	for path, want := range map[string]int{"/v3/videos/unknown": http.StatusBadGateway, "/v2/avatars": http.StatusBadGateway} {
		if a := p.call("GET", path, "", key); a.status != want || strings.Contains(a.body, "title") {
			f.t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	return links[0]
}

// One machine, a folder, nothing set: curl and a browser.
func TestAFolderIsServedWithRanges(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	v := launch(f)
	film := v.Assets["video"].Body
	f.env = append(f.env, "REELKEEP_REDIS=", "REELKEEP_STORE="+filepath.Join(t.TempDir(), "archive"), "REELKEEP_PERMALINK_MODE=redirect", oldLinkSecret)
	p := f.open("--embedded")
	if a := p.call("POST", "/api/v1/videos", fmt.Sprintf(`{"video_ids":[%q]}`, v.ID)); a.status != http.StatusAccepted {
		t.Fatalf("hand it in: %d %s", a.status, a.body)
	}
	early := p.call("GET", "/v/"+v.ID, "")
	if early.status != http.StatusConflict && early.status != http.StatusOK || (early.status == http.StatusConflict && early.header.Get("Retry-After") == "") {
		t.Errorf("at once: %d %v", early.status, early.header)
	}
	p.await("the video", func() bool {
		return strings.Contains(p.call("GET", "/api/v1/videos/"+v.ID, "").body, `"state":"`+string(queue.StateArchived))
	})
	head := p.call("HEAD", "/v/"+v.ID, "")
	if head.status != 200 || head.header.Get("Content-Length") != fmt.Sprint(len(film)) || head.header.Get("Accept-Ranges") != "bytes" || head.header.Get("Content-Type") != "video/mp4" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	a := p.call("GET", "/v/"+v.ID+"/video?download=1", "", "Range: bytes=-100")
	if a.status != http.StatusPartialContent || a.body != string(film[len(film)-100:]) || a.header.Get("Content-Disposition") != `attachment; filename="Launch video.mp4"` {
		t.Errorf("the last bytes: %d %v", a.status, a.header)
	}
	link := shareLink(p, v.ID)
	if got := follow(t, link); got.status != 200 || got.body != string(film) {
		t.Errorf("the share link gives %d and %d bytes", got.status, len(got.body))
	}
	plays(t, p, link, v.ID)
}

func shareLink(p *process, id string) string {
	p.t.Helper()
	var said struct{ Links map[string]string }
	a := p.call("POST", "/api/v1/videos/"+id+"/share", `{}`)
	if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.Links["video"] == "" {
		p.t.Fatalf("share: %d %s", a.status, a.body)
	}
	return said.Links["video"]
}

// plays opens the film in a browser: in a page of another site by its share link, and by its bare permalink.
func plays(t *testing.T, p *process, link, id string) {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Elsewhere</title><video src="%s" preload="auto" muted crossorigin></video>`, strings.ReplaceAll(link, "&", "&amp;"))
	}))
	defer page.Close()
	tab := browsertest.Open(t)
	for _, address := range []string{page.URL, "http://" + p.api + "/v/" + id} {
		tab.Do(chromedp.Navigate(address))
		got := browsertest.Eval[map[string]float64](tab, playScript)
		if got["duration"] < 4 || got["duration"] > 6 || got["after"] < 3 || got["width"] < 100 || got["error"] != 0 {
			t.Errorf("%s: %v\n%s", address, got, strings.Join(tab.Problems(), "\n"))
		}
		tab.Shot("film.png")
	}
}

// playScript waits until the film can play, seeks, and plays on from there.
const playScript = `Promise.race([new Promise((_, no) => setTimeout(() => no(new Error("nothing happened for 30 s")), 30000)), (async () => {
	const v = document.querySelector('video');
	const once = (name, ready) => ready() || v.error ? Promise.resolve() : new Promise((ok) => { v.addEventListener(name, ok, {once: true}); v.addEventListener('error', ok, {once: true}); });
	v.muted = true;
	v.pause();
	await once('canplay', () => v.readyState >= 3);
	const seeked = new Promise((ok) => v.addEventListener('seeked', ok, {once: true}));
	v.currentTime = 3;
	await seeked;
	await v.play();
	await once('ended', () => v.ended);
	return {duration: v.duration, after: v.currentTime, width: v.videoWidth, error: v.error ? v.error.code : 0};
})()])`

// A redirect to a store of another origin plays as well.
func TestABucketsFilmPlaysInABrowser(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	v := launch(f)
	f.env = append(f.env, oldLinkSecret)
	p := f.open()
	f.enqueue(v.ID)
	f.untilArchived(v.ID)
	plays(t, p, shareLink(p, v.ID), v.ID)
}

func TestADropInThatCannotWorkIsToldAtOnce(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	for _, tc := range []struct {
		name string
		set  []string
		want string
	}{
		{"full without a secret", []string{"REELKEEP_DROPIN=full"}, "REELKEEP_LINK_SECRETS"},
		{"full without an address", []string{"REELKEEP_DROPIN=full", "REELKEEP_LISTEN=:0", apiTokens, oldLinkSecret}, "REELKEEP_PUBLIC_URL"},
		{"full without a key of HeyGen", []string{"REELKEEP_DROPIN=full", oldLinkSecret, "HEYGEN_API_KEY="}, "HEYGEN_API_KEY"},
		{"ourselves", []string{"REELKEEP_PUBLIC_URL=" + f.sim.APIURL() + "/keep", oldLinkSecret}, "HEYGEN_API_URL"},
	} {
		if code, said := f.serveToItsEnd(tc.set, "--roles", "api"); code != exitUsage || !strings.Contains(said, tc.want) {
			t.Errorf("%s: exit %d, %s", tc.name, code, said)
		}
	}
	p := f.open("--roles", "api")
	if !strings.Contains(p.said(), "HeyGen's own routes are not served") {
		t.Error("that the drop-in is left out is not told")
	}
	if a := p.call("GET", "/v3/videos/v1", "", "X-Api-Key: "+f.sim.Key()); a.status != http.StatusNotFound || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("without a secret: %d %s", a.status, a.body)
	}
}

// Some ingresses take the path of REELKEEP_PUBLIC_URL away, others don't.
func TestLinksWorkBelowAPath(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	v := launch(f)
	f.env = append(f.env, oldLinkSecret, apiTokens, "REELKEEP_PUBLIC_URL=https://videos.example.com/keep/films/", "REELKEEP_PERMALINK_MODE=proxy")
	p := f.open()
	f.enqueue(v.ID)
	f.untilArchived(v.ID)
	shared := f.cli(nil, "url", "--share", "--asset", "thumbnail", "--ttl", "1000h", "--json", v.ID)
	var said struct{ URL, Expires string }
	if err := json.Unmarshal([]byte(shared), &said); err != nil || !strings.HasPrefix(said.URL, "https://videos.example.com/keep/films/v/"+v.ID+"/thumbnail?e=") || said.Expires == "" {
		t.Fatalf("url --share: %s", shared)
	}
	path := strings.TrimPrefix(said.URL, "https://videos.example.com")
	for _, path := range []string{path, strings.TrimPrefix(path, "/keep/films")} {
		if a := p.call("GET", path, ""); a.status != 200 || a.body != string(v.Assets["thumbnail"].Body) {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/keep" + strings.TrimPrefix(path, "/keep/films"), "/keep/films/keep/films" + path} {
		if a := p.call("GET", path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
