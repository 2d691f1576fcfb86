package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/browsertest"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
)

// browser is a real one with the page open.
type browser struct {
	*browsertest.Tab

	t *testing.T
	r *rig
}

func open(t *testing.T, r *rig, path string) *browser {
	t.Helper()
	b := &browser{browsertest.Open(t), t, r}
	b.to(path)
	return b
}

func (b *browser) to(path string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(b.r.url + path))
}

// await waits until a piece of JavaScript is true.
func (b *browser) await(what, script string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !browsertest.Eval[bool](b.Tab, "Boolean("+script+")"); {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within 20 s\n%s\n%s", what, browsertest.Eval[string](b.Tab, "document.body.innerText"), strings.Join(b.Problems(), "\n"))
		}
		time.Sleep(30 * time.Millisecond)
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.await(selector, fmt.Sprintf("document.querySelector(%q)", selector))
	b.Do(chromedp.Click(chromedp.CSS(selector)))
}

// calm says that nothing went wrong in the page: no exception, no refusal by its own policy, no file missing.
func (b *browser) calm() {
	b.t.Helper()
	if p := b.Problems(); len(p) > 0 {
		b.t.Errorf("the browser complains: %s", strings.Join(p, "\n"))
	}
}

// fits says that nothing sticks out on a telephone.
func (b *browser) fits(path string) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(390, 844))
	b.to(path)
	if w := browsertest.Eval[float64](b.Tab, "document.documentElement.scrollWidth"); w > 390 {
		b.t.Errorf("%s is %g wide on a telephone of 390", path, w)
	}
	b.Shot("phone" + strings.NewReplacer("/", "-", "?", "-").Replace(path) + ".png")
	b.Do(chromedp.EmulateViewport(1280, 900))
}

const pictures = `(() => { const i = [...document.querySelectorAll('.card img')]; return i.length === %d && i.every((x) => x.complete && x.naturalWidth > 0); })()`

func TestTheGalleryInABrowser(t *testing.T) {
	for name, redirect := range map[string]bool{"through us": false, "from the store": true} {
		t.Run(name, func(t *testing.T) {
			r := setup(t, options{redirect: redirect})
			r.archive(storage.VideoKey{VideoID: "v1"}, "Launch video", time.Hour)
			r.archive(storage.VideoKey{VideoID: "v2"}, "Weekly update", 2*time.Hour)
			r.archive(storage.VideoKey{VideoID: "v3"}, `<script>document.title='taken'</script>`, 3*time.Hour)
			b := open(t, r, "/")
			b.await("the thumbnails", fmt.Sprintf(pictures, 3))
			b.await("a length", `document.querySelector('.length').textContent.includes('0:05')`)
			if title := browsertest.Run(b.Tab, chromedp.Title()); title != "reelkeep" {
				t.Errorf("the title has become %q", title)
			}
			b.Shot("gallery.png")
			b.Do(chromedp.SendKeys(chromedp.CSS("#q"), "weekly"))
			b.await("the search", `document.querySelectorAll('.card').length === 1 && document.querySelector('.card .name').textContent === 'Weekly update'`)
			if at := browsertest.Eval[string](b.Tab, "location.search"); at != "?q=weekly" {
				t.Errorf("the address does not keep the search: %q", at)
			}
			b.Do(chromedp.SendKeys(chromedp.CSS("#q"), "-nothing"))
			b.await("nothing", `document.querySelectorAll('.card').length === 0 && document.body.innerText.includes('Nothing found')`)
			b.fits("/")
			b.calm()
		})
	}
}

const plays = `Promise.race([new Promise((ok) => setTimeout(() => ok('nothing happened for 20 s'), 20000)), new Promise((ok) => {
	const v = document.querySelector('video');
	const done = () => ok(v.error ? v.error.message : v.readyState >= 3 && v.videoWidth > 0 ? 'plays' : '');
	if (v.readyState >= 3 || v.error) done();
	v.addEventListener('canplay', done); v.addEventListener('error', done); v.preload = 'auto';
})])`

// canCopy keeps what is put into the clipboard: a browser without a window has none to read from.
const canCopy = `(() => { window.copied = ''; Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (s) => { window.copied = s; }}, configurable: true}); })()`

func TestAVideosPagePlaysItAndCopiesItsPermalink(t *testing.T) {
	for name, redirect := range map[string]bool{"through us": false, "from the store": true} {
		t.Run(name, func(t *testing.T) {
			r := setup(t, options{redirect: redirect, prefix: "/media/reels"})
			r.archive(storage.VideoKey{Account: "west", VideoID: "v1"}, "Launch video", time.Hour)
			b := open(t, r, "/")
			b.await("the thumbnail, below the path", fmt.Sprintf(pictures, 1))
			b.click(".card a")
			b.await("its page", `location.pathname === '/media/reels/videos/v1' && document.querySelector('video')`)
			if got := browsertest.Eval[string](b.Tab, plays); got != "plays" {
				t.Errorf("the video: %s", got)
			}
			_ = browsertest.Eval[any](b.Tab, canCopy)
			b.click(".permalink .copy")
			b.await("the copy", `window.copied`)
			want := r.url + "/v/v1/video?account=west"
			if got := browsertest.Eval[string](b.Tab, "window.copied"); got != want {
				t.Errorf("copied %q, want %q", got, want)
			}
			b.click("#share")
			b.await("share links", `document.querySelectorAll('#shared a.link').length === 3`)
			link := browsertest.Eval[string](b.Tab, "document.querySelector('#shared a.link').href")
			if a := r.ask("GET", strings.TrimPrefix(link, r.url), nil, "X-Forwarded-For: 203.0.113.7"); a.status != 200 && a.status != http.StatusFound {
				t.Errorf("the share link %s: %d", link, a.status)
			}
			if text := browsertest.Eval[string](b.Tab, "document.querySelector('main').innerText"); !strings.Contains(text, "HeyGen offers none") || !strings.Contains(text, "captions.ass") {
				t.Errorf("the files: %s", text)
			}
			b.Shot("video.png")
			b.fits("/videos/v1?account=west")
			b.calm()
		})
	}
}

func TestABarMovesInABrowserAndItsVideoJoinsTheGallery(t *testing.T) {
	r := setup(t, options{})
	steps := make(chan int64)
	m := r.seal(storage.VideoKey{VideoID: "moves1"}, "Title of moves1", 0)
	r.work(func(_ context.Context, _ queue.Work, p queue.Progress) (queue.Outcome, error) {
		for n := range steps {
			p.Stored("video", n, 10<<20)
		}
		assets := []queue.AssetStatus{{Asset: "thumbnail", State: queue.AssetStored}}
		return queue.Outcome{State: queue.StateArchived, SealedAt: m.SealedAt, Title: "Title of moves1", Bytes: 10 << 20, Assets: assets}, nil
	})
	b := open(t, r, "/")
	b.await("a word for newcomers", `document.querySelector('.newcomer').checkVisibility()`)
	b.Shot("empty.png")
	second := open(t, r, "/videos/moves1") // not known yet
	r.enqueue(queue.Job{VideoID: "moves1"})
	steps <- 3 << 20
	b.await("the bar", `document.querySelector('#now progress')?.position > 0.29`)
	second.to("/videos/moves1")
	second.await("the bar of its page", `document.querySelector('.progress progress')?.position > 0.29`)
	steps <- 7 << 20
	b.await("the bar to move", `document.querySelector('#now progress')?.position > 0.69`)
	b.await("a speed", `document.querySelector('#now .rate').textContent.includes('/s')`)
	b.Shot("moving.png")
	second.await("the other bar to move", `document.querySelector('.progress progress')?.position > 0.69`)
	close(steps)
	b.await("its card", fmt.Sprintf(pictures, 1))
	b.await("the end of what runs", `document.querySelector('#now').hidden && document.querySelector('#n-archive').textContent === '1'`)
	second.await("the video in place of its bar", `document.querySelector('video')`)
	b.calm()
}

func TestAFailureIsToldAndRetriedInABrowser(t *testing.T) {
	r := setup(t, options{})
	var tried sync.Map
	r.work(func(ctx context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
		if _, again := tried.LoadOrStore(w.VideoID, true); !again {
			return queue.Outcome{}, &failure{"failed", "render_failed", "the audio is too long", "render it again"}
		}
		<-ctx.Done()
		return queue.Outcome{}, ctx.Err()
	})
	r.enqueue(queue.Job{VideoID: "broken"}, queue.Job{VideoID: "broken2"})
	b := open(t, r, "/?show=failed")
	b.await("both, and why", `document.querySelectorAll('#trouble .row').length === 2 && document.body.innerText.includes('he audio is too long')`)
	b.Shot("failed.png")
	b.fits("/?show=failed")
	b.to("/?show=failed")
	b.click("#retry-default\\.broken")
	b.await("the other one alone", `document.querySelectorAll('#trouble .row').length === 1 && document.querySelector('#n-failed').textContent === '1' && document.querySelector('#n-running').textContent === '1'`)
	if s, err := r.client.Status(t.Context(), "broken"); err != nil || s.State != queue.StateAccepted {
		t.Errorf("it is %v, %v", s.State, err)
	}
	b.to("/videos/broken2")
	b.click("#retry")
	b.await("its page, after a try", `document.querySelector('main .badge.accepted') && !document.querySelector('#retry')`)
	_ = browsertest.Eval[any](b.Tab, `void (window.confirm = () => true)`)
	b.click("#cancel")
	b.await("its page, cancelled", `document.querySelector('main .badge.cancelled')`)
	if s, err := r.client.Status(t.Context(), "broken2"); err != nil || s.State != queue.StateCancelled {
		t.Errorf("it is %v, %v", s.State, err)
	}
	b.calm()
}

func TestSigningInAndOutInABrowser(t *testing.T) {
	r := setup(t, options{tokens: true})
	r.archive(storage.VideoKey{VideoID: "v1"}, "Launch video", time.Hour)
	b := open(t, r, "/videos/v1")
	b.Do(chromedp.SendKeys(chromedp.CSS("#token"), "a guess"))
	b.Shot("signin.png")
	b.click(".gate button")
	b.await("a refusal", `document.querySelector('#failed')`)
	b.Do(chromedp.SendKeys(chromedp.CSS("#token"), everything))
	b.click(".gate button")
	b.await("the page that was asked for", `location.pathname === '/videos/v1' && document.querySelector('video')`)
	if got := browsertest.Eval[string](b.Tab, plays); got != "plays" {
		t.Errorf("the video: %s", got)
	}
	if c := browsertest.Eval[string](b.Tab, "document.cookie"); c != "" {
		t.Errorf("scripts can read the cookie: %s", c)
	}
	// A strict cookie is not sent where a link from elsewhere is followed: the page asks once more by itself.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><a id="go" href="%s/">go</a>`, r.url)
	}))
	defer elsewhere.Close()
	b.Do(chromedp.Navigate(strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)))
	b.click("#go")
	b.await("the gallery, from elsewhere", fmt.Sprintf(pictures, 1))
	b.fits("/")
	b.click(".out button")
	b.await("the form", `document.querySelector('#token')`)
	b.to("/")
	b.await("the form again", `document.querySelector('#token') && !document.querySelector('.card')`)
	for _, p := range b.Problems() {
		if !strings.Contains(p, "403") { // the guess
			t.Errorf("the browser complains: %s", p)
		}
	}
}

// Everything that is read works without JavaScript.
func TestThePageIsReadWithoutJavaScript(t *testing.T) {
	r := setup(t, options{tokens: true})
	r.archive(storage.VideoKey{VideoID: "v1"}, "Launch video", time.Hour)
	var tries atomic.Int64
	r.work(func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
		tries.Add(1)
		return queue.Outcome{}, &failure{"gone", "", "it is gone", ""}
	})
	r.enqueue(queue.Job{VideoID: "lost"})
	queuetest.Await(t, "the failure", func() bool {
		s, err := r.client.Status(t.Context(), "lost")
		return err == nil && s.State == queue.StateGone
	})
	b := open(t, r, "/")
	b.Do(chromedp.SendKeys(chromedp.CSS("#token"), everything))
	b.click(".gate button")
	b.await("the gallery", `document.querySelector('.card')`)
	b.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	b.to("/")
	b.await("no script", `typeof htmx === 'undefined'`)
	b.Do(chromedp.SendKeys(chromedp.CSS("#q"), "launch\r"))
	b.await("the search", `location.search === '?q=launch' && document.querySelectorAll('.card').length === 1`)
	b.click(".card a")
	b.await("its page", `location.pathname === '/videos/v1' && document.querySelector('video')`)
	b.to("/?show=failed")
	b.click("#trouble button")
	b.await("the list again", `location.search === '?show=failed' && document.querySelector('#trouble')`)
	queuetest.Await(t, "another try", func() bool {
		s, err := r.client.Status(t.Context(), "lost")
		return err == nil && tries.Load() == 2 && s.State == queue.StateGone
	})
}

// A page that could not be filled comes back by itself; one that shows a film lets it play on meanwhile.
func TestThePageComesBackWithRedisInABrowser(t *testing.T) {
	r := setup(t, options{})
	r.archive(storage.VideoKey{VideoID: "v1"}, "Launch video", time.Hour)
	b, film := open(t, r, "/"), open(t, r, "/videos/v1")
	r.redis.Stop()
	b.await("an alarm", `document.querySelector('#alarm').innerText.includes('Redis is out of reach') && document.querySelector('.card')`)
	b.Do(chromedp.SendKeys(chromedp.CSS("#q"), "launch"))
	b.await("the trouble of a search", `location.search === '?q=launch' && document.querySelector('#notice').innerText.includes('Redis is out of reach')`)
	second := open(t, r, "/")
	second.await("the trouble", `document.querySelector('#notice').innerText.includes('Redis is out of reach')`)
	film.to("/videos/v1")
	film.await("the film, and the trouble", `document.querySelector('video') && document.querySelector('#notice .bad')`)
	_ = browsertest.Eval[any](film.Tab, `void (window.film = document.querySelector('video'), film.muted = film.loop = true, film.play())`)
	film.await("the film to play", `!film.paused && film.currentTime > 0`)
	r.redis.Start()
	second.await("the gallery", `document.querySelector('#cards') && !document.querySelector('#notice .bad')`)
	b.await("the search", `document.querySelector('.found') && !document.querySelector('#notice .bad')`)
	film.await("the end of the trouble", `!document.querySelector('#notice .bad')`)
	if !browsertest.Eval[bool](film.Tab, `window.film === document.querySelector('video')`) {
		t.Error("the film was replaced")
	}
	film.await("the film to play on", `!film.paused`)
}
