package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// running is a server with a handler, until stop.
type running struct {
	t     *testing.T
	addr  string
	stop  func()
	ended chan error
}

func run(t *testing.T, h http.Handler, log *slog.Logger) *running {
	t.Helper()
	s, err := httpapi.Listen(t.Context(), "127.0.0.1:0", func() []string { return []string{"redis: away"} }, log)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, addr: s.Addr(), ended: make(chan error, 1)}
	if a := r.get("/"); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "starting") {
		t.Errorf("before it has a handler: %d %s", a.status, a.body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.ended <- s.Serve(ctx, h, func() {}) }()
	t.Cleanup(func() {
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	queuetest.Await(t, "the handler", func() bool { return r.get("/up").status != http.StatusServiceUnavailable })
	return r
}

func (r *running) get(path string) answer {
	res, err := http.Get("http://" + r.addr + path)
	if err != nil {
		return answer{t: r.t, body: err.Error()}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{t: r.t, body: err.Error()}
	}
	return answer{r.t, path, res.StatusCode, res.Header, string(text)}
}

func TestARequestUnderWayIsFinishedWhenTheServiceStops(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	r := run(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-release
			if r.Context().Err() != nil {
				t.Error("the request was cancelled though it had time")
			}
		}
		_, _ = io.WriteString(w, "done")
	}), slog.New(slog.DiscardHandler))
	got := make(chan answer, 1)
	go func() { got <- r.get("/slow") }()
	<-begun
	r.stop()
	queuetest.Await(t, "the listener to close", func() bool { return r.get("/up").status == 0 })
	close(release)
	if a := <-got; a.status != 200 || a.body != "done" {
		t.Errorf("the request under way got %d %q", a.status, a.body)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// noise is a log that is read while it is written.
type noise struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *noise) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func TestAPanicIsAnAnswerAndALineInTheLog(t *testing.T) {
	t.Parallel()
	log := &noise{}
	r := run(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			panic("out of tape")
		}
	}), slog.New(slog.NewTextHandler(log, nil)))
	r.get("/bad?token=SECRET").refused(500, "internal")
	log.mu.Lock()
	defer log.mu.Unlock()
	if said := log.text.String(); !strings.Contains(said, "out of tape") || !strings.Contains(said, "server_test.go") || strings.Contains(said, "SECRET") {
		t.Errorf("the log: %s", said)
	}
}

// What other rooms mount finds the caller's access, and is found beside the API.
func TestWhatIsMountedKnowsWhoCalls(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	deps := d.deps()
	deps.Mounts = map[string]http.Handler{
		"/v/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "account="+auth.Of(r.Context()).Account)
		}),
		"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") }),
	}
	handler, err := httpapi.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	d.server.Config.Handler = handler
	for _, c := range [][3]string{{ofWest, "/v/one", "account=west"}, {"", "/v/one", "account="}, {"", "/", "the page"}, {"", "/anything", "the page"}} {
		a := d.ask(c[0], "GET", c[1], "")
		if a.status != 200 || a.body != c[2] || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%v: %d %v %q", c, a.status, a.header, a.body)
		}
	}
	d.ask(everything, "GET", "/api/v1/nothing", "").refused(404, "no_such_route")
}

func TestARouteThatIsNoneSaysWhatIs(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	a := d.ask(everything, "DELETE", videos+"/one", "")
	if p := a.refused(405, "method_not_allowed"); !strings.Contains(a.header.Get("Allow"), "GET") || !strings.Contains(p.Hint, "GET") {
		t.Errorf("%v %+v", a.header, p)
	}
	d.ask("", "POST", "/docs", "{}").refused(405, "method_not_allowed")
	for _, path := range []string{"/", "/favicon.ico", "/api", "/openapi.yaml"} {
		if p := d.ask(everything, "GET", path, "").refused(404, "no_such_route"); !strings.Contains(p.Hint, "/docs") {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

// The page is for people in a closed network: nothing comes from anywhere else.
func TestTheDocsNeedNoInternet(t *testing.T) {
	t.Parallel()
	a := newDoor(t).ask("", "GET", "/docs", "")
	if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", a.status, a.header)
	}
	for _, want := range []string{"/api/v1/videos/{id}/share", `id="enqueueVideos"`, `id="Video"`, "video_ids", "list of string, 1 to 10000", `href="#Problem"`, "sealed_at"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, bad := range []string{"<script", "src=", "<link", "@import", "url(", "ZgotmplZ", "<no value>"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
}
