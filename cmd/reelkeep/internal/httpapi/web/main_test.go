package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/permalink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

var minio *storagetest.Server

func TestMain(m *testing.M) {
	queue.SilenceRedisLog()
	os.Exit(storagetest.RunWithMinIO(m, &minio))
}

const (
	everything = "token-for-everything"
	ofWest     = "token-for-west"
)

// rig is the page over a Redis and a store of the test's own.
type rig struct {
	t      *testing.T
	redis  *queuetest.Server
	client *queue.Client
	store  *storage.Store
	page   *Handler
	server *httptest.Server
	url    string
}

type options struct {
	tokens   bool
	redirect bool   // permalinks lead to the store
	hasty    bool   // the server's own limits are short: streams outlive them
	prefix   string // what an ingress has in front of our paths, and takes away
}

func setup(t *testing.T, o options) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{t: t, redis: queuetest.Redis(t)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	if r.client, err = queue.NewClient(r.redis.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.client.Close() })
	r.store, err = storage.Open(context.WithoutCancel(t.Context()), storage.Config{
		URL: "s3://" + minio.Bucket(t) + "/videos", Endpoint: minio.Endpoint, Log: log,
		Credentials: storage.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.store.Close)
	r.server = httptest.NewUnstartedServer(nil)
	r.url = "http://" + r.server.Listener.Addr().String() + o.prefix
	r.server.Config.Handler = r.handler(o, log)
	if o.hasty {
		r.server.Config.ReadTimeout, r.server.Config.WriteTimeout = time.Second, time.Second
	}
	r.server.Start()
	t.Cleanup(func() { r.page.Close(); r.server.Close() })
	return r
}

func (r *rig) handler(o options, log *slog.Logger) http.Handler {
	r.t.Helper()
	guard := &auth.Guard{Tokens: auth.NewTokens(nil)}
	if o.tokens {
		guard.Tokens = auth.NewTokens([]auth.Token{{Secret: secret.New(everything)}, {Account: "west", Secret: secret.New(ofWest)}})
	}
	signer := sharelink.NewSigner([]secret.String{secret.New("a-secret-of-sixteen-or-more")})
	known := manifests.New(r.store, nil)
	links := &permalink.Links{Base: r.url, Signer: signer, Manifests: known}
	deps := Deps{Guard: guard, Videos: r.client, Manifests: known, Links: links, Share: true, Version: "test", Log: log,
		Accounts: func(context.Context) ([]string, error) { return []string{"default", "west"}, nil }}
	if o.redirect {
		deps.Origin = func(context.Context) string { return minio.Endpoint }
	}
	var err error
	if r.page, err = New(deps); err != nil {
		r.t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range r.page.Mounts() {
		mux.Handle(pattern, h)
	}
	for pattern, h := range permalink.New(permalink.Config{Proxy: !o.redirect, Log: log}, permalink.Deps{Manifests: known, Files: r.store, Queue: r.client, Signer: signer}).Mounts() {
		mux.Handle(pattern, h)
	}
	return http.StripPrefix(o.prefix, guard.Identify(mux))
}

// archive seals a video of real media, and has the queue know it.
func (r *rig) archive(k storage.VideoKey, title string, age time.Duration) {
	r.t.Helper()
	r.index(r.seal(k, title, age))
}

func (r *rig) index(m *storage.Manifest) {
	r.t.Helper()
	if _, err := r.client.Restore(r.t.Context(), []queue.Status{report.StatusOf(m)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seal(k storage.VideoKey, title string, age time.Duration) *storage.Manifest {
	r.t.Helper()
	media := heygensim.Sample()[0].Assets
	m := &storage.Manifest{
		VideoID: k.VideoID, Account: k.Account, State: storage.StateArchived, SealedAt: time.Now().UTC().Add(-age).Truncate(time.Second),
		Video: storage.Video{Title: title, DurationSeconds: 5}, Absent: []storage.Absent{{Asset: "gif", Reason: storage.AbsentNotOffered}},
	}
	for _, f := range [][3]string{{"video", "video.mp4", "video/mp4"}, {"thumbnail", "thumbnail.jpeg", "image/jpeg"}, {"captions", "captions.ass", "text/x-ssa"}} {
		body := media[f[0]].Body
		u, err := r.store.Upload(r.t.Context(), k, storage.UploadSpec{Asset: f[0], Name: f[1], Size: int64(len(body)), ContentType: f[2]})
		if err != nil {
			r.t.Fatal(err)
		}
		if err := u.Put(r.t.Context(), 1, body); err != nil {
			r.t.Fatal(err)
		}
		o, err := u.Complete(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		m.Assets = append(m.Assets, storage.Asset{Asset: f[0], Key: f[1], Bytes: o.Size, SHA256: o.SHA256, ContentType: f[2], ETag: o.ETag, StoredAt: m.SealedAt})
	}
	if err := r.store.Seal(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// failure is how the pretended worker ends a video.
type failure struct{ state, reason, text, hint string }

func (f *failure) Error() string            { return f.text }
func (f *failure) Hint() string             { return f.hint }
func (f *failure) Settle() (string, string) { return f.state, f.reason }

// work runs a worker that does with a video what do says, once its status was asked for.
func (r *rig) work(do func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error)) {
	r.t.Helper()
	server, err := r.client.NewServer(queue.ServerConfig{Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}, queue.HandlerFunc(
		func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			if w.Step == queue.StepStatus && strings.HasPrefix(w.VideoID, "moves") {
				return queue.Outcome{State: queue.StateTransferring, Title: "Title of " + w.VideoID, Deadline: time.Now().Add(5 * 24 * time.Hour)}, nil
			}
			return do(ctx, w, p)
		}))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, queue.ErrNotStopped) && !queue.IsAway(err) {
			r.t.Error(err)
		}
	})
}

// fail hands videos in that fail at once.
func (r *rig) fail(f *failure, jobs ...queue.Job) {
	r.t.Helper()
	r.work(func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) { return queue.Outcome{}, f })
	r.enqueue(jobs...)
	for _, j := range jobs {
		queuetest.Await(r.t, "the failure", func() bool {
			s, err := r.client.StatusIn(r.t.Context(), j.Account, j.VideoID)
			return err == nil && string(s.State) == f.state
		})
	}
}

func (r *rig) enqueue(jobs ...queue.Job) {
	r.t.Helper()
	if _, err := r.client.EnqueueMany(r.t.Context(), jobs); err != nil {
		r.t.Fatal(err)
	}
}

// answer is what the page said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request. Headers are "Name: value"; form nil sends none. No redirect is followed.
func (r *rig) ask(method, path string, form url.Values, headers ...string) answer {
	r.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	if form != nil {
		headers = append(headers, "Content-Type: application/x-www-form-urlencoded")
	}
	res := r.send(method, path, body, headers)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (r *rig) send(method, path string, body io.Reader, headers []string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// signIn returns the cookie of somebody who has signed in.
func (r *rig) signIn(token string) string {
	r.t.Helper()
	a := r.ask("POST", "/signin", url.Values{"token": {token}}, "Sec-Fetch-Site: same-origin")
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.status != http.StatusSeeOther || cookie == "" {
		r.t.Fatalf("sign in: %d %v", a.status, a.header)
	}
	return "Cookie: " + cookie
}
