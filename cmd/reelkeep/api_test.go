package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// open waits until the process answers the API.
func (p *process) open() {
	p.t.Helper()
	p.untilOpen()
	p.await("the API", func() bool { return p.call("GET", "/openapi.json", "").status == http.StatusOK })
}

func into[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != status {
		t.Fatalf("%d, want %d: %s (%v)", a.status, status, a.body, err)
	}
	return v
}

type enqueued struct{ Results []report.Receipt }

// One machine, everything in one process: hand in over HTTP, wait, read.
func TestAVideoIsArchivedOverHTTP(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_PUBLIC_URL=http://localhost:1") // both tell permalinks then
	ids := f.videos("h", 3, 1*mib)
	p := f.serve()
	p.open()
	out := into[enqueued](t, p.call("POST", "/api/v1/videos", `{"video_ids":["h000","h001","h002","no/id"],"metadata":{"order":"17"}}`), http.StatusAccepted)
	if len(out.Results) != 4 || out.Results[3].Error == nil || out.Results[0].Error != nil {
		t.Errorf("results: %+v", out.Results)
	}
	for _, id := range ids {
		var v report.Video
		p.await(id, func() bool {
			v = into[report.Video](t, p.call("GET", "/api/v1/videos/"+id, ""), http.StatusOK)
			return v.State == "archived"
		})
		if v.Bytes == 0 || v.SealedAt == nil || v.Metadata["order"] != "17" || len(v.Assets) == 0 || v.Assets[0].State != "stored" ||
			v.Assets[0].Permalink == nil || *v.Assets[0].Permalink != "http://localhost:1/v/"+id+"/video" {
			t.Errorf("%+v", v)
		}
		f.proveStored(id)
	}
	// The API and the command tell the same.
	cli, err := f.command("status", "--json", ids[0]).Output()
	if api := p.call("GET", "/api/v1/videos/"+ids[0], "").body; err != nil || strings.TrimSpace(string(cli)) != strings.TrimSpace(api) {
		t.Errorf("the command says %s (%v), the API %s", cli, err, api)
	}
	if got := p.call("POST", "/api/v1/videos", `{"video_ids":["x"]}`, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site").problem(t); got.Status != http.StatusUnauthorized {
		t.Errorf("a page of another origin: %+v", got)
	}
	if got := p.call("GET", "/api/v1/videos", "", "Host: rebound.example"); got.status != http.StatusUnauthorized || strings.Contains(got.body, ids[0]) {
		t.Errorf("by a name that was rebound: %d %s", got.status, got.body)
	}
	if code, took := p.end(syscall.SIGTERM); code != exitOK || took > 10*time.Second {
		t.Errorf("SIGTERM: exit %d after %s", code, took)
	}
}

// Every id that got a 202 is archived, though the API was killed while it answered.
func TestAnAPIKilledWhileItAnswersLosesNothing(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_API_TOKENS=token-of-the-app")
	const askers, each = 8, 5
	p := f.serve("--roles", "api")
	p.open()
	var mu sync.Mutex
	var accepted []string
	var asking sync.WaitGroup
	for a := range askers {
		asking.Go(func() {
			for n := 0; ; n++ {
				ids := f.videos(fmt.Sprintf("k%d-%d-", a, n), each, 64<<10)
				got := p.call("POST", "/api/v1/videos", `{"video_ids":["`+strings.Join(ids, `","`)+`"]}`, "Authorization: Bearer token-of-the-app")
				if got.status != http.StatusAccepted {
					return
				}
				mu.Lock()
				accepted = append(accepted, ids...)
				mu.Unlock()
			}
		})
	}
	p.await("some to be accepted", func() bool { mu.Lock(); defer mu.Unlock(); return len(accepted) >= 60 })
	if code, _ := p.end(syscall.SIGKILL); code != -1 {
		t.Fatalf("the killed process exited with %d", code)
	}
	asking.Wait()
	w := f.serve("--roles", "worker")
	w.untilReady()
	f.until("all that was accepted", func() bool {
		all, err := f.client.StatusMany(t.Context(), "", accepted)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Err != nil {
				t.Fatalf("%s had its 202 and is not known: %v", s.VideoID, s.Err)
			}
			if s.State != queue.StateArchived {
				return false
			}
		}
		return true
	})
	t.Logf("%d accepted", len(accepted))
}

// Tokens and accounts with the real program; and an account for which the fleet has no key.
func TestTokensOfAccountsInAFleet(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	file := t.TempDir() + "/accounts.json"
	accounts := fmt.Sprintf(`[{"name":"east","api_key":%q},{"name":"west","api_key":%q}]`, f.sim.Key(), f.sim.Key())
	if err := os.WriteFile(file, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "HEYGEN_API_KEY=", "REELKEEP_ACCOUNTS_FILE="+file, "REELKEEP_API_TOKENS=token-for-all,west:token-for-west")
	p := f.serve("--roles", "api")
	p.open()
	const all, west = "Authorization: Bearer token-for-all", "Authorization: Bearer token-for-west"
	into[enqueued](t, p.call("POST", "/api/v1/videos", `{"video_ids":["a1"],"account":"east"}`, all), http.StatusAccepted)
	into[enqueued](t, p.call("POST", "/api/v1/videos", `{"video_ids":["a2"]}`, west), http.StatusAccepted)
	for _, c := range []struct {
		method, path, body, token string
		status                    int
		code                      string
	}{
		{"POST", "", `{"video_ids":["x"]}`, all, 422, "no_such_account"}, // there is no account "default"
		{"POST", "", `{"video_ids":["x"],"account":"north"}`, all, 422, "no_such_account"},
		{"POST", "", `{"video_ids":["x"],"account":"east"}`, west, 403, "forbidden"},
		{"GET", "/a1", "", west, 404, "unknown"},
		{"GET", "/a1?account=east", "", west, 404, "unknown"},
		{"GET", "/a1?account=east", "", "X: y", 401, "unauthorized"},
		{"DELETE", "/a1", "", all, 405, "method_not_allowed"},
	} {
		if got := p.call(c.method, "/api/v1/videos"+c.path, c.body, c.token).problem(t); got.Status != c.status || got.Code != c.code {
			t.Errorf("%s %s %s with %s: %+v", c.method, c.path, c.body, c.token, got)
		}
	}
	cmd := f.command("enqueue", "x", "--account", "north")
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != exitNotDone || !strings.Contains(string(out), `no key for the account "north"; it has: east, west`) {
		t.Errorf("enqueue --account north: %v %s", err, out)
	}
	if strings.Contains(p.said(), "token-for") {
		t.Error("the log shows a token")
	}
}
