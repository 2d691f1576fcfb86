package web

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/live"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
)

const sameOrigin = "Sec-Fetch-Site: same-origin"

func TestHtmxIsWhatItsNoteSays(t *testing.T) {
	t.Parallel()
	body, err := fs.ReadFile(files, "assets/htmx.min.js")
	if err != nil {
		t.Fatal(err)
	}
	note, err := fs.ReadFile(files, "assets/htmx.txt")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	version := regexp.MustCompile(`htmx (\d+\.\d+\.\d+),`).FindSubmatch(note)
	if !strings.Contains(string(note), hex.EncodeToString(sum[:])) || version == nil || !strings.Contains(string(body), `version:"`+string(version[1])+`"`) {
		t.Errorf("htmx.min.js (sha256 %x) is not what htmx.txt says:\n%s", sum, note)
	}
}

func TestAssetsMayBeKeptForEver(t *testing.T) {
	r := setup(t, options{tokens: true})
	for _, name := range []string{"app.css", "app.js", "htmx.min.js", "icon.svg"} {
		address := r.page.assets.address(name)
		a := r.ask("GET", "/"+address, nil)
		if a.status != 200 || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", address, a.status, a.header)
		}
	}
	if a := r.ask("GET", "/assets/000000000000/app.css", nil); a.status != http.StatusNotFound {
		t.Errorf("a file of another version: %d", a.status)
	}
}

// Whoever has not signed in learns nothing: the answers are the same whether or not there is anything.
func TestNothingIsToldToWhoHasNotSignedIn(t *testing.T) {
	r := setup(t, options{tokens: true})
	paths := []string{"/", "/?show=running", "/?q=sealed", "/videos/sealed", "/videos/unknown", "/events"}
	before := map[string]string{}
	for _, path := range paths {
		before[path] = r.ask("GET", path, nil).body
	}
	r.archive(storage.VideoKey{VideoID: "sealed"}, "A secret title", time.Hour)
	r.enqueue(queue.Job{VideoID: "waiting"})
	for _, path := range paths {
		a := r.ask("GET", path, nil)
		if a.body != before[path] || strings.Contains(a.body, "secret title") || strings.Contains(a.body, `class="n`) {
			t.Errorf("%s tells something: %s", path, a.body)
		}
		if want := map[bool]int{true: 401, false: 200}[path == "/events"]; a.status != want {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/videos/waiting/cancel", "/videos/waiting/retry", "/videos/sealed/share"} {
		r.ask("POST", path, url.Values{}, sameOrigin)
	}
	if s, err := r.client.Status(t.Context(), "waiting"); err != nil || s.State != queue.StateAccepted {
		t.Errorf("a stranger has cancelled it: %v %v", s.State, err)
	}
	a := r.ask("POST", "/signin", url.Values{"token": {"a-guess"}}, sameOrigin)
	if a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.body, "not one of the tokens") {
		t.Errorf("a guess: %d %v", a.status, a.header)
	}
}

func TestWithoutTokensOnlyThisMachineSeesThePage(t *testing.T) {
	r := setup(t, options{})
	r.archive(storage.VideoKey{VideoID: "sealed"}, "Launch", time.Hour)
	if a := r.ask("GET", "/", nil); a.status != 200 || !strings.Contains(a.body, "Launch") || strings.Contains(a.body, "Sign out") {
		t.Errorf("at the machine: %d %s", a.status, a.body)
	}
	for _, header := range []string{"X-Forwarded-For: 203.0.113.7", "Sec-Fetch-Site: cross-site"} {
		a := r.ask("GET", "/", nil, header)
		if a.status != http.StatusForbidden || strings.Contains(a.body, "Launch") || !strings.Contains(a.body, "Only from this machine") {
			t.Errorf("%s: %d %s", header, a.status, a.body)
		}
	}
}

func TestASessionIsNoTokenAndEndsWithIt(t *testing.T) {
	r := setup(t, options{tokens: true})
	r.archive(storage.VideoKey{VideoID: "sealed"}, "Launch", time.Hour)
	a := r.ask("POST", "/signin", url.Values{"token": {everything}, "next": {"videos/sealed?account=default"}}, sameOrigin, "Origin: https://videos.example.com")
	set := a.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Secure", "Max-Age=604800"} {
		if !strings.Contains(set, want) {
			t.Errorf("the cookie is not %s: %s", want, set)
		}
	}
	if strings.Contains(set, everything) || strings.Contains(set, "Path=") || a.header.Get("Location") != "./videos/sealed?account=default" {
		t.Errorf("%v", a.header)
	}
	if a := r.ask("POST", "/signin", url.Values{"token": {everything}, "next": {"//evil.example"}}, sameOrigin); a.header.Get("Location") != "./" {
		t.Errorf("it leads elsewhere: %v", a.header)
	}
	cookie := r.signIn(everything)
	for _, path := range []string{"/", "/videos/sealed", "/v/sealed/thumbnail"} {
		if a := r.ask("GET", path, nil, cookie, sameOrigin); a.status != 200 || strings.Contains(a.body, "Sign in") {
			t.Errorf("%s with a session: %d", path, a.status)
		}
		if a := r.ask("GET", path, nil, cookie, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"); a.status == 200 && !strings.Contains(a.body, "Sign in") {
			t.Errorf("%s for a page of another site: %d", path, a.status)
		}
	}
	value := strings.TrimPrefix(cookie, "Cookie: reelkeep_session=")
	end, mac, _ := strings.Cut(value, ".")
	for _, forged := range []string{"9999999999." + mac, end + ".", "." + mac, end + "." + strings.Repeat("0", len(mac)), ""} {
		if a := r.ask("GET", "/", nil, "Cookie: reelkeep_session="+forged); !strings.Contains(a.body, "Sign in") {
			t.Errorf("%q opens the page", forged)
		}
	}
	out := r.ask("POST", "/signout", url.Values{}, cookie, sameOrigin)
	if !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") || out.status != http.StatusSeeOther {
		t.Errorf("sign out: %d %v", out.status, out.header)
	}
}

// A form of another page changes nothing, whatever the browser sends along.
func TestOtherPagesChangeNothing(t *testing.T) {
	r := setup(t, options{tokens: true})
	cookie := r.signIn(everything)
	r.archive(storage.VideoKey{VideoID: "sealed"}, "Launch", time.Hour)
	r.work(func(ctx context.Context, w queue.Work, _ queue.Progress) (queue.Outcome, error) {
		if w.VideoID == "waiting" {
			<-ctx.Done()
			return queue.Outcome{}, ctx.Err()
		}
		return queue.Outcome{}, &failure{"failed", "render_failed", "no", ""}
	})
	r.enqueue(queue.Job{VideoID: "waiting"}, queue.Job{VideoID: "broken"})
	r.settled("broken", queue.StateFailed)
	for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example"} {
		r.ask("POST", "/videos/waiting/cancel", url.Values{}, cookie, from)
		r.ask("POST", "/videos/broken/retry", url.Values{}, cookie, from)
		if a := r.ask("POST", "/videos/sealed/share", url.Values{"days": {"1"}}, cookie, from); strings.Contains(a.body, "Share links") {
			t.Errorf("%s has made share links", from)
		}
		if a := r.ask("POST", "/signout", url.Values{}, cookie, from); a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s has signed somebody out", from)
		}
		if a := r.ask("POST", "/signin", url.Values{"token": {ofWest}}, from); a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s has signed somebody in", from)
		}
	}
	for _, path := range []string{"/videos/waiting/cancel", "/videos/waiting/retry", "/signout"} {
		if a := r.ask("GET", path, nil, cookie); a.status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	for id, want := range map[string]queue.State{"waiting": queue.StateAccepted, "broken": queue.StateFailed} {
		if s, err := r.client.Status(t.Context(), id); err != nil || s.State != want {
			t.Fatalf("%s is %v, %v", id, s.State, err)
		}
	}
	a := r.ask("POST", "/videos/waiting/cancel", url.Values{}, cookie, sameOrigin)
	if s, err := r.client.Status(t.Context(), "waiting"); err != nil || s.State != queue.StateCancelled || a.status != 303 || a.header.Get("Location") != "../waiting" {
		t.Errorf("our own page: %d %v, %v %v", a.status, a.header, s.State, err)
	}
}

func TestATokenOfOneAccountSeesOnlyThat(t *testing.T) {
	r := setup(t, options{tokens: true})
	r.archive(storage.VideoKey{Account: "west", VideoID: "mine"}, "Mine", time.Hour)
	r.archive(storage.VideoKey{VideoID: "theirs"}, "Theirs", time.Hour)
	r.enqueue(queue.Job{VideoID: "theirs-too"}, queue.Job{Account: "west", VideoID: "mine-too"})
	cookie := r.signIn(ofWest)
	for _, path := range []string{"/", "/?show=running", "/?show=failed", "/?q=theirs", "/?q=theirs&show=running", "/videos/theirs", "/videos/theirs?account=default", "/videos/theirs-too?account=default"} {
		a := r.ask("GET", path, nil, cookie)
		if strings.Contains(a.body, "Theirs") || strings.Contains(a.body, "videos/theirs") {
			t.Errorf("%s: %s", path, a.body)
		}
		if strings.HasPrefix(path, "/videos") && a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	a := r.ask("GET", "/", nil, cookie)
	for _, want := range []string{"Mine", "mine-too", "/videos/mine?account=west", "v/mine/thumbnail?account=west", `id="n-archive" class="n">1<`, `id="n-running" class="n busy">1<`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%q is missing in %s", want, a.body)
		}
	}
	r.ask("POST", "/videos/theirs-too/cancel?account=default", url.Values{}, cookie, sameOrigin)
	if s, err := r.client.Status(t.Context(), "theirs-too"); err != nil || s.State != queue.StateAccepted {
		t.Errorf("it is %v, %v", s.State, err)
	}
	frames := r.listen("/events", cookie)
	told := until(t, frames, "card-west.mine", "mine-too")
	r.archive(storage.VideoKey{VideoID: "theirs-later"}, "Theirs", 0)
	r.enqueue(queue.Job{VideoID: "theirs-last"})
	r.enqueue(queue.Job{Account: "west", VideoID: "mine-last"})
	if told += until(t, frames, "mine-last"); strings.Contains(told, "heirs") {
		t.Errorf("the stream: %s", told)
	}
}

// listen opens the stream of events and returns what comes, event by event, without retry and comments.
func (r *rig) listen(path string, headers ...string) <-chan string {
	r.t.Helper()
	res := r.send(http.MethodGet, path, nil, headers)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("%s: %d %v", path, res.StatusCode, res.Header)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		event := ""
		for lines.Scan() {
			switch line := lines.Text(); {
			case line == "" && strings.HasPrefix(event, "event:"):
				out <- event
				event = ""
			case line == "" || strings.HasPrefix(line, ":"):
				event = ""
			default:
				event += line + "\n"
			}
		}
	}()
	return out
}

func TestOneWatcherLooksForAllOfThem(t *testing.T) {
	r := setup(t, options{hasty: true})
	counting := &countingVideos{Videos: r.client}
	r.page.Videos = counting
	for range live.MostListeners - 1 {
		r.listen("/events")
	}
	last := r.listen("/events")
	if a := r.ask("GET", "/events", nil); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %v", a.status, a.header)
	}
	<-last
	began, before := time.Now(), counting.counts()
	for i := range 4 { // one event a look, at the most
		r.enqueue(queue.Job{VideoID: fmt.Sprintf("v%d", i)})
		if _, open := <-last; !open {
			t.Fatal("the server has cut the stream")
		}
	}
	if looks, most := counting.counts()-before, int(time.Since(began)/live.LookEvery)+2; looks > most {
		t.Errorf("%d looks in %s", looks, time.Since(began))
	}
	// A service that stops ends them all, and takes no new ones.
	r.page.Close()
	queuetest.Await(t, "the end of the stream", func() bool {
		for {
			select {
			case _, open := <-last:
				if !open {
					return true
				}
			default:
				return false
			}
		}
	})
	if a := r.ask("GET", "/events", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", a.status)
	}
	quiet := counting.counts() // the watcher has ended when Close returns
	r.page.Close()
	if n := counting.counts(); n != quiet {
		t.Errorf("nobody listens, and it has looked %d times", n-quiet)
	}
}

func TestOneAccountCantTakeAllStreams(t *testing.T) {
	r := setup(t, options{tokens: true})
	west := r.signIn(ofWest)
	for range 3 * live.MostOfAccount {
		if a := r.ask("HEAD", "/events", nil, west); a.status != 200 {
			t.Fatalf("HEAD: %d", a.status)
		}
	}
	for range live.MostOfAccount {
		r.listen("/events", west)
	}
	if a := r.ask("GET", "/events", nil, west); a.status != http.StatusServiceUnavailable {
		t.Errorf("one too many of the account: %d", a.status)
	}
	r.listen("/events", r.signIn(everything))
}

// What can't be told to some is told to the others, and to them later.
func TestTroubleOfOneAccountIsItsOwn(t *testing.T) {
	r := setup(t, options{tokens: true})
	half := &halfAway{Videos: r.client, account: "west"}
	half.away.Store(true)
	r.page.Videos = half
	west, all := r.listen("/events", r.signIn(ofWest)), r.listen("/events", r.signIn(everything))
	until(t, west, "Redis is out of reach")
	r.archive(storage.VideoKey{Account: "west", VideoID: "v1"}, "Launch", 0)
	if told := until(t, all, "card-west.v1"); strings.Contains(told, "Redis is out of reach") {
		t.Errorf("it is told to others: %s", told)
	}
	half.away.Store(false)
	until(t, west, `<div id="alarm" aria-live="polite"></div>`, "card-west.v1")
}

func TestABarMovesAndACardAppears(t *testing.T) {
	r := setup(t, options{})
	steps, sealed := make(chan int64), make(chan struct{})
	m := r.seal(storage.VideoKey{VideoID: "moves1"}, "Title of moves1", 0)
	r.work(func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		for n := range steps {
			p.Stored("video", n, 1000)
		}
		close(sealed)
		return queue.Outcome{State: queue.StateArchived, SealedAt: m.SealedAt, Title: "Title of moves1", Bytes: 1000,
			Assets: []queue.AssetStatus{{Asset: "thumbnail", State: queue.AssetStored}}}, nil
	})
	frames := r.listen("/events")
	r.enqueue(queue.Job{VideoID: "moves1"})
	steps <- 300
	until(t, frames, `id="progress-default.moves1"><progress max="1000" value="300"`)
	steps <- 700
	until(t, frames, `value="700"`)
	close(steps)
	<-sealed
	got := until(t, frames, `id="card-default.moves1" data-into="cards"`)
	if !strings.Contains(got, "v/moves1/thumbnail") || !strings.Contains(got, "0:05</span>") {
		t.Errorf("the card has no picture or no length: %s", got)
	}
}

// until reads events until all of wanted were seen.
func until(t *testing.T, frames <-chan string, wanted ...string) string {
	t.Helper()
	var all strings.Builder
	deadline := time.After(20 * time.Second)
	for {
		select {
		case frame, open := <-frames:
			if !open {
				t.Fatalf("the stream has ended before %q: %s", wanted, all.String())
			}
			all.WriteString(frame)
		case <-deadline:
			t.Fatalf("no %q within 20 s: %s", wanted, all.String())
		}
		seen := 0
		for _, w := range wanted {
			if strings.Contains(all.String(), w) {
				seen++
			}
		}
		if seen == len(wanted) {
			return all.String()
		}
	}
}

// What HeyGen says is text, wherever it stands.
func TestHostileTitlesAreOnlyText(t *testing.T) {
	r := setup(t, options{})
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	r.archive(storage.VideoKey{VideoID: "v1"}, evil, time.Hour)
	r.fail(&failure{"failed", "render_failed", evil, evil}, queue.Job{VideoID: "broken", Metadata: map[string]string{evil: evil}})
	for _, path := range []string{"/", "/videos/v1", "/?show=failed", "/videos/broken", "/?q=" + url.QueryEscape(evil), "/videos/" + url.PathEscape(evil)} {
		a := r.ask("GET", path, nil)
		if strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "<img src=x") || !strings.Contains(a.body, "&lt;script&gt;alert(1)") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestTheGalleryShowsTheNewestFirstPageByPage(t *testing.T) {
	r := setup(t, options{})
	for i := range pageSize + 3 {
		m := &storage.Manifest{VideoID: fmt.Sprintf("v%02d", i), State: storage.StateArchived, SealedAt: time.Now().Add(-time.Duration(i+1) * time.Hour), Video: storage.Video{Title: "t"}}
		r.index(m)
	}
	card := regexp.MustCompile(`id="card-default\.v(\d+)"`)
	first := r.ask("GET", "/", nil).body
	more := regexp.MustCompile(`href="\./(\?cursor=[^"]+)"`).FindStringSubmatch(first)
	if more == nil {
		t.Fatalf("there is no next page: %s", first)
	}
	second := r.ask("GET", "/"+strings.ReplaceAll(more[1], "&amp;", "&"), nil).body
	var order []string
	for _, c := range card.FindAllStringSubmatch(first+second, -1) {
		order = append(order, c[1])
	}
	if len(order) != pageSize+3 {
		t.Fatalf("%d cards: %v", len(order), order)
	}
	for i, n := range order {
		if n != fmt.Sprintf("%02d", i) {
			t.Errorf("place %d: v%s", i, n)
		}
	}
	if strings.Contains(second, "data-events") || a404(r, "/?cursor=nonsense") {
		t.Error("a later page listens, or a broken cursor is no way back")
	}
}

// Others have sealed so much since that none of an account's videos is among the last 10,000.
func TestTheGalleryGoesBackBehindWhatIsRecent(t *testing.T) {
	r := setup(t, options{})
	for _, id := range []string{"old1", "old2"} {
		r.index(&storage.Manifest{VideoID: id, State: storage.StateArchived, SealedAt: time.Now().Add(-time.Hour), Video: storage.Video{Title: "t"}})
	}
	rdb, err := queue.Connect(r.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	if n, err := rdb.Del(t.Context(), "{reelkeep}:recent").Result(); n != 1 || err != nil {
		t.Fatalf("%d, %v; the test needs marks to remove", n, err)
	}
	if a := r.ask("GET", "/", nil); !strings.Contains(a.body, "card-default.old1") || !strings.Contains(a.body, "card-default.old2") {
		t.Errorf("the gallery: %s", a.body)
	}
}

func a404(r *rig, path string) bool { return r.ask("GET", path, nil).status != http.StatusSeeOther }

// Redis away: the page says so, and what is archived still has its page.
func TestWithoutRedisWhatIsArchivedIsShown(t *testing.T) {
	r := setup(t, options{})
	r.archive(storage.VideoKey{VideoID: "sealed"}, "Launch", time.Hour)
	frames := r.listen("/events")
	<-frames
	r.redis.Stop()
	a := r.ask("GET", "/", nil)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Redis is out of reach") || strings.Contains(a.body, r.redis.Addr()) {
		t.Errorf("/: %d %s", a.status, a.body)
	}
	a = r.ask("GET", "/videos/sealed", nil)
	if a.status != 200 || !strings.Contains(a.body, "<video ") || !strings.Contains(a.body, "Redis is out of reach") {
		t.Errorf("its own page: %d %s", a.status, a.body)
	}
	if a = r.ask("GET", "/?q=sealed", nil); !strings.Contains(a.body, "card-default.sealed") {
		t.Errorf("found by its id: %d %s", a.status, a.body)
	}
	if a = r.ask("GET", "/videos/unknown", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("one that nobody can tell of: %d", a.status)
	}
	until(t, frames, "Redis is out of reach")
}

// settled waits until a video is in a state.
func (r *rig) settled(id string, want queue.State) {
	r.t.Helper()
	queuetest.Await(r.t, id+" to be "+string(want), func() bool {
		s, err := r.client.Status(r.t.Context(), id)
		return err == nil && s.State == want
	})
}

// A page asks whether it is still right. As long as it is, nothing of it is replaced but its bar: a film plays on.
func TestAVideosPageIsReplacedOnlyIfItChanges(t *testing.T) {
	r := setup(t, options{})
	steps := make(chan int64)
	r.work(func(_ context.Context, _ queue.Work, p queue.Progress) (queue.Outcome, error) {
		for n := range steps {
			p.Stored("video", n, 1000)
		}
		return queue.Outcome{}, &failure{"failed", "render_failed", "no", ""}
	})
	r.enqueue(queue.Job{VideoID: "moves1"})
	steps <- 300
	poll := regexp.MustCompile(`<main id="main" hx-get="\.\./([^"]+)"`)
	var path string
	queuetest.Await(t, "the bar", func() bool {
		a := r.ask("GET", "/videos/moves1", nil)
		if at := poll.FindStringSubmatch(a.body); at != nil {
			path = "/" + strings.ReplaceAll(at[1], "&amp;", "&")
		}
		return strings.Contains(a.body, `value="300"`)
	})
	if a := r.ask("GET", path, nil); a.header.Get("HX-Retarget") != "[id='progress-default.moves1']" {
		t.Errorf("nothing but the bar moves: %s: %d %v", path, a.status, a.header)
	}
	steps <- 700
	queuetest.Await(t, "the bar to move", func() bool { return strings.Contains(r.ask("GET", path, nil).body, `value="700"`) })
	close(steps)
	r.settled("moves1", queue.StateFailed)
	if a := r.ask("GET", path, nil); a.header.Get("HX-Retarget") != "" || poll.MatchString(a.body) {
		t.Errorf("it has failed: %d %v %s", a.status, a.header, a.body)
	}
}

func TestAWholeIdIsFoundInEveryAccount(t *testing.T) {
	r := setup(t, options{tokens: true})
	r.archive(storage.VideoKey{Account: "west", VideoID: "v1"}, "Launch", time.Hour)
	cookie := r.signIn(everything)
	if a := r.ask("GET", "/?q=v1", nil, cookie); strings.Count(a.body, `id="card-west.v1"`) != 1 {
		t.Errorf("it is not there once: %s", a.body)
	}
	r.page.Videos = blackHole{r.client, t}
	if a := r.ask("GET", "/?q=v1", nil, cookie); !strings.Contains(a.body, `id="card-west.v1"`) || a.status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d %s", a.status, a.body)
	}
	a := r.ask("GET", "/videos/v1?account=west", nil, cookie)
	if a.status != 200 || !strings.Contains(a.body, "<video") || !strings.Contains(a.body, "Redis is out of reach") {
		t.Errorf("its page without Redis: %d %s", a.status, a.body)
	}
	r.page.Videos, r.page.Manifests = r.client, manifests.New(slowStore{}, nil)
	if a := r.ask("GET", "/videos/unknown", nil, cookie); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "The store is out of reach") || strings.Contains(a.body, "Redis is out") {
		t.Errorf("a store that hangs: %d %s", a.status, a.body)
	}
}
