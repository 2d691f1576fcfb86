package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// The whole service, as it stands behind an ingress that leaves a path in front.
func TestThePageOfAServiceAndItsStreamsEndWithIt(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	v := launch(f)
	f.env = append(f.env, "REELKEEP_PUBLIC_URL=http://127.0.0.1/reels", oldLinkSecret)
	p := f.open()
	f.enqueue(v.ID)
	p.await("its card", func() bool {
		return strings.Contains(p.call("GET", "/reels/", "").body, `id="card-default.`+v.ID)
	})
	a := p.call("GET", "/reels/videos/"+v.ID, "")
	policy := a.header.Get("Content-Security-Policy")
	if a.status != http.StatusOK || !strings.Contains(a.body, "<video id=") || !strings.Contains(policy, "media-src 'self' "+minio.Endpoint+";") || !strings.Contains(policy, "script-src 'self';") {
		t.Errorf("its page: %d %s %s", a.status, policy, a.body)
	}
	res, err := http.Get("http://" + p.api + "/reels/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAtLeast(res.Body, make([]byte, 100), 100); err != nil {
		t.Fatalf("the stream: %v", err)
	}
	if code, took := p.end(syscall.SIGTERM); code != exitOK || took > 4*time.Second {
		t.Errorf("with a page open, SIGTERM: exit %d after %s", code, took)
	}
}

func TestTheDemoKeepsItsPageUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, "demo", "--keep")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "GORACE=atexit_sleep_ms=0")
	p := &process{t: t, cmd: cmd, gone: make(chan struct{})}
	cmd.Stderr = p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(p.gone) }()
	address := regexp.MustCompile(`Their page:  http://(\S+)/`)
	for deadline := time.Now().Add(time.Minute); p.api == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if m := address.FindStringSubmatch(p.said()); m != nil {
			p.api = m[1]
		}
	}
	if p.api == "" {
		t.Fatalf("no page: %s", p.said())
	}
	queuetest.Await(t, "the archive, and what fails", func() bool {
		body := p.call("GET", "/", "").body
		return strings.Contains(body, "Launch video") && strings.Contains(body, `id="n-failed" class="n bad">1<`)
	})
	if a := p.call("GET", "/?show=running", ""); !strings.Contains(a.body, string(queue.StateRendering)) {
		t.Errorf("nothing renders: %s", a.body)
	}
	if code, took := p.end(os.Interrupt); code != exitOK || took > 10*time.Second || !strings.Contains(p.said(), "Now with your own account") {
		t.Errorf("Ctrl-C: exit %d after %s: %s", code, took, p.said())
	}
	kept, err := os.ReadDir(dir)
	if err != nil || len(kept) == 0 {
		t.Errorf("the folder is not kept: %v %v", kept, err)
	}
}
