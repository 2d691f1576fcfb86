package httpapi_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/secret"
)

var update = flag.Bool("update", false, "rewrite the golden files of the contract")

const (
	everything = "token-for-everything"
	ofWest     = "token-for-west"
	ofEast     = "token-for-east"
)

// door is the API over a Redis of its own.
type door struct {
	t      testing.TB
	redis  *queuetest.Server
	client *queue.Client
	server *httptest.Server
	sealed archive
	links  *links
}

// archive is the manifests of a pretended store, by account and id.
type archive map[storage.VideoKey]*storage.Manifest

func (a archive) Manifest(_ context.Context, k storage.VideoKey) (*storage.Manifest, error) {
	if m := a[k]; m != nil {
		return m, nil
	}
	return nil, storage.ErrNotFound
}

// links pretends to sign.
type links struct {
	asked []string
	ttl   time.Duration
	err   error
}

func (l *links) Permalink(account, id, asset string) string {
	return "https://videos.example.com/v/" + id + "/" + asset + "?account=" + account
}

func (l *links) Share(_ context.Context, _, id string, assets []string, ttl time.Duration) (map[string]string, error) {
	if id != "one" {
		return nil, problem.New(http.StatusConflict, "not_yet", "it is not archived yet", "wait")
	}
	l.asked, l.ttl = assets, ttl
	return map[string]string{"video": "https://videos.example.com/v/" + id + "/video?s=signed"}, l.err
}

func newDoor(t testing.TB) *door {
	t.Helper()
	d := &door{t: t, redis: queuetest.Redis(t), sealed: archive{}, links: &links{}}
	var err error
	if d.client, err = queue.NewClient(d.redis.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.client.Close() })
	handler, err := httpapi.New(d.deps())
	if err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(handler)
	t.Cleanup(d.server.Close)
	return d
}

func (d *door) deps() httpapi.Deps {
	return httpapi.Deps{
		Guard: &auth.Guard{Tokens: auth.NewTokens([]auth.Token{
			{Secret: secret.New(everything)}, {Account: "west", Secret: secret.New(ofWest)}, {Account: "east", Secret: secret.New(ofEast)},
		})},
		Videos: d.client, Archive: d.sealed, Links: d.links,
		Accounts: func(context.Context) ([]string, error) { return []string{"default", "east", "west"}, nil },
		Now:      func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) },
		Log:      slog.New(slog.DiscardHandler),
	}
}

type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   string
}

// ask sends a request with a token; body "" sends none.
func (d *door) ask(token, method, path, body string) answer {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, d.server.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return d.send(token, req)
}

func (d *door) send(token string, req *http.Request) answer {
	d.t.Helper()
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{d.t, req.Method + " " + req.URL.RequestURI(), res.StatusCode, res.Header, string(text)}
}

// into decodes an answer that has to have this status.
func (a answer) into(status int, v any) {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d: %s", a.what, a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.body)
	}
}

// refused says whether the answer is a whole problem document with this status and code.
func (a answer) refused(status int, code string) problem.Problem {
	a.t.Helper()
	var p problem.Problem
	err := json.Unmarshal([]byte(a.body), &p)
	if err != nil || a.status != status || p.Status != status || p.Code != code || p.Title == "" || p.Detail == "" || p.Type == "" ||
		a.header.Get("Content-Type") != problem.ContentType {
		a.t.Errorf("%s: %d %s %s; want %d %s (%v)", a.what, a.status, a.header.Get("Content-Type"), a.body, status, code, err)
	}
	return p
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
