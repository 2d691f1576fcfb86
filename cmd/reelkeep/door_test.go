package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// answer is what a door said.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem reads the answer as a problem document.
func (a answer) problem(t *testing.T) problem.Problem {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != problem.ContentType || p.Status != a.status || p.Title == "" || p.Detail == "" {
		t.Errorf("not a problem document: %d %v %s", a.status, a.header, a.body)
	}
	return p
}

// call sends a request to the API. Headers are "Name: value"; body "" sends none.
func (p *process) call(method, path, body string, headers ...string) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.api+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Errorf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// The door is open before Redis is in reach, and says that it is too early.
func TestTheAPISaysThatItIsStarting(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.redis.Stop()
	p := f.serve("--roles", "api")
	p.untilOpen()
	a := p.call("GET", "/v/some-video", "")
	if got := a.problem(t); got.Status != http.StatusServiceUnavailable || got.Code != "starting" || a.header.Get("Retry-After") == "" {
		t.Errorf("too early: %d %v %s", a.status, a.header, a.body)
	}
	f.redis.Start()
	p.untilReady()
	if a := p.call("GET", "/nothing-here", ""); a.status != http.StatusNotFound {
		t.Errorf("ready, and yet: %d %s", a.status, a.body)
	}
	// Redis away does not make a door useless: what is archived can be served.
	f.redis.Stop()
	p.await("a word about Redis", func() bool { status, body := p.readyz(); return status == 200 && strings.Contains(body, "redis: ") })
}

// A door needs no key of HeyGen.
func TestAnAPIWithoutAKeyJoinsTheFleet(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	w := f.serve("--roles", "worker")
	w.untilReady()
	f.env = append(f.env, "HEYGEN_API_KEY=")
	p := f.serve("--roles", "api")
	p.untilReady()
	f.env = append(f.env, "REELKEEP_STORE=s3://"+f.bucket+"/elsewhere")
	if code, said := f.serveToItsEnd(nil, "--roles", "api"); code != exitUsage || !strings.Contains(said, "another store") {
		t.Errorf("with another store it ends with %d and says %s", code, said)
	}
	if code, took := p.end(syscall.SIGTERM); code != exitOK || took > 5*time.Second {
		t.Errorf("SIGTERM: exit %d after %s", code, took)
	}
}

func TestWhatIsNotThereIsToldByAProblemDocument(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	p := f.serve("--roles", "api")
	p.untilOpen()
	p.untilReady()
	for _, path := range []string{"/nothing-here", "/api/", "/api/v2/videos"} {
		if got := p.call("GET", path, "").problem(t); got.Code != "no_such_route" || got.Hint == "" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
