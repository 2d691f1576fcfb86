package dropin

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// vendor is a HeyGen that keeps every request and answers what it is told.
type vendor struct {
	mu       sync.Mutex
	requests []received
	answer   http.HandlerFunc
}

type received struct {
	method, uri, host string
	header            http.Header
	sum               [sha256.Size]byte // of the body
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	v.requests = append(v.requests, received{r.Method, r.RequestURI, r.Host, r.Header.Clone(), sha256.Sum256(body)})
	v.mu.Unlock()
	v.answer(w, r)
}

func (v *vendor) last(t *testing.T) received {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.requests) == 0 {
		t.Fatal("HeyGen was not asked")
	}
	return v.requests[len(v.requests)-1]
}

func (v *vendor) asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.requests)
}

// archive stands for the store, and ledger for the queue.
type archive struct {
	manifests map[string]*storage.Manifest
	err       error
	hangs     bool // until whoever asks gives up
	mu        sync.Mutex
	looked    []string
}

func (a *archive) Manifest(ctx context.Context, k storage.VideoKey) (*storage.Manifest, error) {
	a.mu.Lock()
	a.looked = append(a.looked, k.String())
	a.mu.Unlock()
	if a.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	if m := a.manifests[k.String()]; m != nil {
		return m, nil
	}
	return nil, storage.ErrNotFound
}

type ledger struct {
	mu   sync.Mutex
	jobs []string
	err  error
	came chan struct{} // holds a token when something was handed in
}

func (l *ledger) Offer(_ context.Context, jobs []queue.Job) ([]queue.Result, error) {
	defer func() {
		select {
		case l.came <- struct{}{}:
		default:
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		l.jobs = append(l.jobs, j.Account+"/"+j.VideoID)
	}
	return make([]queue.Result, len(jobs)), l.err
}

// take returns what was handed in, and forgets it.
func (l *ledger) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := strings.Join(l.jobs, " ")
	l.jobs = nil
	return out
}

type bundle struct {
	t       *testing.T
	url     string
	vendor  *vendor
	archive *archive
	ledger  *ledger
	dropin  *Handler
	handler http.Handler
}

const (
	keyOfDefault = "sk_V2_default_account"
	keyOfWest    = "sk_V2_west_account"
)

// setup serves the drop-in in front of a vendor, or of what is at the address.
func setup(t *testing.T, full bool, address string) *bundle {
	t.Helper()
	t.Parallel()
	b := &bundle{t: t, vendor: &vendor{}, archive: &archive{manifests: map[string]*storage.Manifest{}}, ledger: &ledger{came: make(chan struct{}, 1)}}
	b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, []byte(`{"data":null}`)) }
	if address == "" {
		server := httptest.NewServer(b.vendor)
		t.Cleanup(server.Close)
		address = server.URL
	}
	h, err := New(Config{HeyGenURL: address, BaseURL: publicURL, Full: full, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, Deps{
		Manifests: b.archive, Queue: b.ledger, Signer: testLinks().signer,
		Accounts: []Account{{"default", secret.New(keyOfDefault)}, {"west", secret.New(keyOfWest)}},
		Tokens: auth.NewTokens([]auth.Token{
			{Secret: secret.New("token-for-everything")}, {Account: "west", Secret: secret.New("token-for-west")}, {Account: "gone", Secret: secret.New("token-for-gone")},
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.url = b.serve(h)
	return b
}

// serve puts a handler behind what our own server says with every answer.
func (b *bundle) serve(h *Handler) string {
	mux := http.NewServeMux()
	for pattern, handler := range h.Mounts() {
		mux.Handle(pattern, handler)
	}
	b.dropin, b.handler = h, mux
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Of-Ours", "1")
		mux.ServeHTTP(w, r)
	}))
	b.t.Cleanup(server.Close)
	return server.URL
}

func (b *bundle) seal(account, id string) *storage.Manifest {
	m := &storage.Manifest{
		VideoID: id, Account: account, State: storage.StateArchived, Assets: []storage.Asset{{Asset: "video", Key: "video.mp4"}},
		Source: storage.Source{API: v1, Response: json.RawMessage(`{"code":100,"data":{"id":"` + id + `","status":"completed","video_url":"https://files2.heygen.ai/` + id + `.mp4"},"message":"Success"}`)},
	}
	b.archive.manifests[m.Key().String()] = m
	return m
}

type reply struct {
	status int
	header http.Header
	body   string
}

func send(t *testing.T, method, url string, body io.Reader, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, url, err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (b *bundle) ask(path string, headers ...string) reply {
	b.t.Helper()
	return send(b.t, http.MethodGet, b.url+path, nil, headers...)
}

func TestAnArchivedVideoIsAnsweredWithoutHeyGen(t *testing.T) {
	b := setup(t, false, "")
	b.seal("default", "v1")
	b.seal("west", "v2")
	for name, c := range map[string]struct{ path, header, want string }{
		"v1":                     {"/v1/video_status.get?video_id=v1", "x-api-key: " + keyOfDefault, "/v/v1/video?e=0&s="},
		"v3":                     {"/v3/videos/v1", "X-Api-Key: " + keyOfDefault, "/v/v1/video?e=0&s="},
		"a token for everything": {"/v3/videos/v1", "x-api-key: token-for-everything", "/v/v1/video?e=0&s="},
		"as a bearer":            {"/v3/videos/v1", "Authorization: Bearer token-for-everything", "/v/v1/video?e=0&s="},
		"another account":        {"/v1/video_status.get?video_id=v2", "x-api-key: " + keyOfWest, "/v/v2/video?account=west&e=0&s="},
		"its token":              {"/v1/video_status.get?video_id=v2", "x-api-key: token-for-west", "/v/v2/video?account=west&e=0&s="},
	} {
		a := b.ask(c.path, c.header)
		if a.status != http.StatusOK || !strings.Contains(a.body, publicURL+c.want) || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.body)
		}
	}
	if n := b.vendor.asked(); n != 0 || b.ledger.take() != "" {
		t.Errorf("HeyGen was asked %d times", n)
	}
}

func TestAnotherAccountsVideoIsNobodysHere(t *testing.T) {
	b := setup(t, false, "")
	b.seal("west", "v2")
	for _, header := range []string{"x-api-key: " + keyOfDefault, "x-api-key: token-for-everything"} {
		if a := b.ask("/v3/videos/v2", header); strings.Contains(a.body, "/v/") || b.vendor.last(t).header.Get("X-Api-Key") != keyOfDefault {
			t.Errorf("%s: %s", header, a.body)
		}
	}
}

func TestWhatIsNotArchivedIsPassedThroughAndEnqueued(t *testing.T) {
	b := setup(t, false, "")
	const notFound = `{"error":{"code":"video_not_found","message":"Video not found"}}`
	for name, c := range map[string]struct {
		status      int
		contentType string
		body        string
		want        string
	}{
		"processing":              {200, "application/json", `{"data":{"id":"v1","status":"processing"}}`, "default/v1"},
		"unknown to HeyGen":       {404, "application/json", notFound, ""},
		"a key without a right":   {403, "application/json; charset=utf-8", `{"error":{"code":"forbidden"}}`, ""},
		"throttled":               {429, "application/json", `{"error":{"code":"rate_limit_exceeded"}}`, "default/v1"},
		"HeyGen is ill":           {503, "text/html", "<html>", "default/v1"},
		"the route was shut down": {410, "text/html", "<html>", "default/v1"},
	} {
		b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.contentType)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}
		for _, path := range []string{"/v3/videos/v1", "/v1/video_status.get?video_id=v1"} {
			a := b.ask(path, "x-api-key: "+keyOfDefault)
			if a.status != c.status || a.body != c.body {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			b.settles(name, c.want)
		}
	}
	// What can't be a video, and what stands beside the videos.
	for _, path := range []string{"/v3/videos/statuses?video_ids=v1", "/v3/videos/batches", "/v1/video_status.get", "/v1/video_status.get?video_id=..%2fx"} {
		before := b.vendor.asked()
		b.ask(path, "x-api-key: "+keyOfDefault)
		b.settles(path, "")
		if b.vendor.asked() != before+1 {
			t.Errorf("%s was not passed through", path)
		}
	}
}

// settles waits until the queue holds what it should: it is told after the answer has gone out.
func (b *bundle) settles(name, want string) {
	b.t.Helper()
	got, deadline := b.ledger.take(), time.After(5*time.Second)
	for late := false; got == "" && want != "" && !late; {
		select {
		case <-b.ledger.came:
			got = b.ledger.take()
		case <-deadline:
			late = true
		}
	}
	if got != want {
		b.t.Errorf("%s: %q was enqueued, want %q", name, got, want)
	}
}

func TestAHeyGenThatIsAwayIsToldInItsOwnShapes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	_ = l.Close()
	b := setup(t, true, address)
	b.seal("default", "v1")
	if a := b.ask("/v1/video_status.get?video_id=v1", "x-api-key: "+keyOfDefault); a.status != http.StatusOK {
		t.Errorf("an archived video: %d %s", a.status, a.body)
	}
	for path, want := range map[string]string{
		"/v1/video_status.get?video_id=v2": `{"code":502000,"data":null,"message":"HeyGen is out of reach"}`,
		"/v3/videos/v2":                    `{"error":{"code":"bad_gateway","message":"HeyGen is out of reach"}}`,
		"/v2/avatars":                      `{"code":502000,"data":null,"message":"HeyGen is out of reach"}`,
	} {
		a := b.ask(path, "x-api-key: "+keyOfDefault)
		if a.status != http.StatusBadGateway || a.body != want || a.header.Get("X-Of-Ours") != "" {
			t.Errorf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
		if strings.Contains(path, "v2/") {
			continue
		}
		b.settles(path, "default/v2")
	}
}

// A stranger must not be able to tell that we are there.
func TestForAStrangerWeAreAPipe(t *testing.T) {
	b := setup(t, true, "")
	b.seal("default", "v1")
	b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["x-request-id"] = []string{"req_1"}
		h.Set("Deprecation", "true")
		h.Set("Content-Type", "application/json")
		h.Set("Content-Encoding", "gzip")
		h.Add("Set-Cookie", "a=1; Secure")
		h.Add("Set-Cookie", "b=2")
		h.Set("Location", "https://api.heygen.com/elsewhere")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "is for one hop")
		w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(w, `{"data":[{"id":"v1","status":"completed","video_url":"https://files2.heygen.ai/v1.mp4?Expires=1&Signature=x"}]}`)
	}
	direct := httptest.NewServer(b.vendor)
	defer direct.Close()
	big := bytes.Repeat([]byte("0123456789abcdef"), 512<<10)
	for name, c := range map[string]struct {
		method, path string
		body         []byte
		headers      []string
	}{
		"a status":           {"GET", "/v1/video_status.get?video_id=v1", nil, []string{"x-api-key: sk_V2_of_somebody"}},
		"a video":            {"GET", "/v3/videos/v1", nil, []string{"Authorization: Bearer oauth-token"}},
		"a list":             {"GET", "/v3/videos?limit=100&a;b=%zz", nil, []string{"X-API-KEY: sk_V2_of_somebody", "Accept-Encoding: gzip, br"}},
		"nobody at all":      {"GET", "/v2/avatars", nil, nil},
		"an upload":          {"POST", "/v1/asset", big, []string{"x-api-key: sk_V2_of_somebody", "Content-Type: video/mp4", "Idempotency-Key: k:1"}},
		"a deletion":         {"DELETE", "/v3/videos/v1", nil, []string{"x-api-key: sk_V2_of_somebody", "User-Agent: app/1", "Cookie: c=1"}},
		"an escaped path":    {"GET", "/v2/a%2Fb/c%20d", nil, []string{"x-api-key: sk_V2_of_somebody", "X-Forwarded-For: 10.0.0.1"}},
		"a head of a status": {"HEAD", "/v3/videos/v1", nil, []string{"x-api-key: sk_V2_of_somebody"}},
	} {
		var want, got reply
		want = send(t, c.method, direct.URL+c.path, bytes.NewReader(c.body), c.headers...)
		straight := b.vendor.last(t)
		got = send(t, c.method, b.url+c.path, bytes.NewReader(c.body), c.headers...)
		passed := b.vendor.last(t)
		for _, h := range []http.Header{want.header, got.header} {
			h.Del("Date")
		}
		want.header.Del("Set-Cookie") // HeyGen's cookies would be ours in the eyes of a browser, and the other way round
		want.header.Del("X-Hop")
		want.header.Del("Connection")
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(reply{})); diff != "" {
			t.Errorf("%s: the answer differs:\n%s", name, diff)
		}
		if passed.header.Get("Via") != "1.1 reelkeep" {
			t.Errorf("%s: a gateway says that it is one, to HeyGen alone: %v", name, passed.header)
		}
		passed.header.Del("Via")
		straight.header.Del("Cookie")
		straight.header.Del("X-Forwarded-For") // whoever stands in front of us is none of HeyGen's business
		passed.host = straight.host
		if diff := cmp.Diff(straight, passed, cmp.AllowUnexported(received{})); diff != "" {
			t.Errorf("%s: HeyGen was asked something else:\n%s", name, diff)
		}
	}
	if len(b.archive.looked) > 0 || b.ledger.take() != "" {
		t.Errorf("a stranger made us look for %v", b.archive.looked)
	}
}

func TestATokenNeverLeavesUs(t *testing.T) {
	b := setup(t, true, "")
	for name, c := range map[string]struct {
		headers []string
		key     string // what HeyGen must see
		bearer  string
	}{
		"in x-api-key":           {[]string{"x-api-key: token-for-everything"}, keyOfDefault, ""},
		"of an account":          {[]string{"x-api-key: token-for-west"}, keyOfWest, ""},
		"as a bearer":            {[]string{"Authorization: Bearer token-for-west"}, keyOfWest, ""},
		"beside a key of ours":   {[]string{"x-api-key: " + keyOfDefault, "Authorization: Bearer token-for-west"}, keyOfDefault, ""},
		"beside a stranger's":    {[]string{"x-api-key: sk_stranger", "Authorization: Bearer token-for-west"}, "sk_stranger", ""},
		"behind a stranger's":    {[]string{"x-api-key: sk_stranger", "x-api-key: token-for-west"}, "sk_stranger", ""},
		"beside another bearer":  {[]string{"x-api-key: token-for-west", "Authorization: Bearer oauth"}, keyOfWest, ""},
		"bare":                   {[]string{"Authorization: token-for-west"}, "", ""},
		"by another scheme":      {[]string{"Authorization: Token  token-for-west"}, "", ""},
		"by curl -u":             {[]string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("token-for-west:"))}, "", ""},
		"as a password":          {[]string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me:token-for-west"))}, "", ""},
		"with a scheme as a key": {[]string{"x-api-key: Bearer token-for-west"}, "", ""},
		"with spaces":            {[]string{"x-api-key: bearer   token-for-west"}, "", ""},
		"on a second line":       {[]string{"Authorization: Bearer oauth", "Authorization: Bearer token-for-west"}, "", "Bearer oauth"},
		"in a cookie":            {[]string{"x-api-key: sk_stranger", "Cookie: reelkeep_session=token-for-west; a=b"}, "sk_stranger", ""},
		"almost a token":         {[]string{"x-api-key: token-for-wes"}, "token-for-wes", ""},
		"the key of an account":  {[]string{"x-api-key: " + keyOfWest}, keyOfWest, ""},
		"a bearer of a stranger": {[]string{"Authorization: Bearer oauth"}, "", "Bearer oauth"},
	} {
		for _, path := range []string{"/v2/avatars", "/v1/video_status.get?video_id=v9", "/v3/videos"} {
			b.ask(path, c.headers...)
			got := b.vendor.last(t)
			if keys := got.header.Values("X-Api-Key"); strings.Join(keys, "|") != c.key || got.header.Get("Authorization") != c.bearer {
				t.Errorf("%s: HeyGen saw %q and %q, want %q and %q", name, keys, got.header.Get("Authorization"), c.key, c.bearer)
			}
			if _, sent := got.header["Cookie"]; sent || len(got.header["Authorization"]) > 1 {
				t.Errorf("%s: HeyGen saw %v", name, got.header)
			}
			if strings.Contains(fmt.Sprint(got.header), "token-for-") && c.key != "token-for-wes" {
				t.Errorf("%s: a token has left us: %v", name, got.header)
			}
		}
	}
	before := b.vendor.asked()
	if a := b.ask("/v3/videos/v1", "x-api-key: token-for-gone"); a.status != http.StatusUnauthorized || b.vendor.asked() != before {
		t.Errorf("a token for no account here: %d %s", a.status, a.body)
	}
}

func TestArchivedItemsOfAListGetOurLinks(t *testing.T) {
	b := setup(t, true, "")
	b.seal("default", "v1")
	b.seal("default", "again")
	lists := map[string]string{
		"/v3/videos?limit=10": `{"data":[{"id":"v1","status":"completed","video_url":"https://files2.heygen.ai/v1.mp4?Expires=1","gif_url":null,"n":1.0},` +
			`{"id":"v2","status":"completed","video_url":"https://files2.heygen.ai/v2.mp4?Expires=1"},{"id":"again","status":"processing","video_url":null},7],"has_more":false,"next_token":null}`,
		"/v1/video.list": `{"code":100,"data":{"token":null,"videos":[{"video_id":"v1","status":"completed","video_title":"<T>"},{"video_id":"v1","status":"completed","video_url":"x"}]},"message":null}`,
	}
	link, err := testLinks().of(b.archive.manifests["v1"])
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range lists {
		b.vendor.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s: asked for %q", path, r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("ETag", `"of-the-old-body"`)
			writeJSON(w, http.StatusOK, []byte(body))
		}
		want := strings.NewReplacer(`"https://files2.heygen.ai/v1.mp4?Expires=1"`, string(link["video"]), `"x"`, string(link["video"])).Replace(body)
		a := b.ask(path, "x-api-key: token-for-everything", "Accept-Encoding: gzip")
		if a.status != http.StatusOK || a.body != want || a.header.Get("ETag") != "" {
			t.Errorf("%s: %d %v\ngot  %s\nwant %s", path, a.status, a.header, a.body, want)
		}
	}
	b.settles("a list", "")
	sort.Strings(b.archive.looked)
	if got := strings.Join(b.archive.looked, " "); got != "v1 v1 v1 v2" {
		t.Errorf("looked for %s", got)
	}
	// What can't be read stays as it is.
	for _, odd := range []string{`{"data":{}}`, `[]`, `{"data":[`, `{"error":"x"}`, ``, strings.Repeat(" ", longestList) + `{"data":[]}`} {
		b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, []byte(odd)) }
		if a := b.ask("/v3/videos", "x-api-key: "+keyOfDefault); a.body != odd {
			t.Errorf("%.40q became %.40q", odd, a.body)
		}
	}
}

func TestOnlyTheTwoStatusRoutesAreThereUnlessAllAreAskedFor(t *testing.T) {
	b := setup(t, false, "")
	for path, want := range map[string]int{"/v2/avatars": 404, "/v1/video.list": 404, "/v3/videos": 404, "/v3/videos/v1": 200, "/v1/video_status.get": 200} {
		if a := b.ask(path, "x-api-key: "+keyOfDefault); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	if a := send(t, "DELETE", b.url+"/v3/videos/v1", nil, "x-api-key: "+keyOfDefault); a.status != http.StatusMethodNotAllowed {
		t.Errorf("a deletion: %d", a.status)
	}
}

func TestNoPathLeadsPastTheRoutesThatAreServed(t *testing.T) {
	for full, paths := range map[bool]map[string]int{
		false: {"/v3/videos/..%2f..%2fv2%2favatars": 404, "/v3/videos/v1%2fdelete": 404, "/v3/videos/%2e%2e": 404, "/v3/videos/statuses?video_ids=v1": 200, "/v3/videos/batches": 200},
		true:  {"/v3/videos/..%2f..%2f..%2fadmin": 404, "/v2/x%2f..%2f..%2fadmin": 404, "/v2/a%2Fb/c": 200, "/v2/a..b/%2e%2ec": 200},
	} {
		t.Run(fmt.Sprint("full ", full), func(t *testing.T) {
			b := setup(t, full, "")
			for path, want := range paths {
				for _, key := range []string{keyOfDefault, "token-for-everything", "sk_stranger"} {
					before := b.vendor.asked()
					if a := b.ask(path, "x-api-key: "+key); a.status != want || (b.vendor.asked() > before) != (want == 200) {
						t.Errorf("%s with %s: %d, want %d; HeyGen was asked: %v", path, key, a.status, want, b.vendor.asked() > before)
					}
				}
			}
		})
	}
}

// HeyGen's answer to TRACE would be the request as it reached it.
func TestNothingIsEchoed(t *testing.T) {
	b := setup(t, true, "")
	for _, method := range []string{"TRACE", "CONNECT"} {
		r := httptest.NewRequest(method, "/v2/avatars", nil)
		r.Header.Set("X-Api-Key", "token-for-everything")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed || b.vendor.asked() > 0 {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

func TestAStoreOrAQueueThatIsAwayMakesUsAPipe(t *testing.T) {
	b := setup(t, false, "")
	b.seal("default", "v1")
	b.archive.err, b.ledger.err = errors.New("no route to the store"), errors.New("no route to Redis")
	if a := b.ask("/v3/videos/v1", "x-api-key: "+keyOfDefault); a.status != http.StatusOK || b.vendor.asked() != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A list of a hundred would otherwise take seven times as long as one video.
func TestAStoreThatHangsMakesUsAPipeInTime(t *testing.T) {
	b := setup(t, true, "")
	b.archive.hangs = true
	b.dropin.lookTimeout = 100 * time.Millisecond
	items := make([]string, 100)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":"v%d","status":"completed"}`, i)
	}
	list := `{"data":[` + strings.Join(items, ",") + `]}`
	b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, []byte(list)) }
	for _, path := range []string{"/v3/videos", "/v3/videos/v1"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", b.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", keyOfDefault)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(body) != list {
			t.Errorf("%s: %v %.100s", path, err, body)
		}
	}
	b.archive.mu.Lock()
	defer b.archive.mu.Unlock()
	if n := len(b.archive.looked); n > 2*lookAhead {
		t.Errorf("looked for %d manifests, though the time was up after %d", n, lookAhead)
	}
}

func TestWhoeverLeavesInTheMiddleHasNamedTheVideoAllTheSame(t *testing.T) {
	b := setup(t, false, "")
	b.vendor.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/v3/videos/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", keyOfDefault)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	b.settles("left", "default/v1")
}

// unmeasured answers without a length: the answer ends only when the handler does.
func unmeasured(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, body)
	}
}

func TestAQueueThatHangsDelaysNoAnswer(t *testing.T) {
	b := setup(t, false, "")
	b.vendor.answer = unmeasured(`{"data":{"id":"v1"}}`)
	b.ledger.mu.Lock()
	for range mostEnqueues + 2 { // more than are waited for
		if a := b.ask("/v3/videos/v1", "x-api-key: "+keyOfDefault); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	b.ledger.mu.Unlock()
	b.dropin.Settle()
	if got := strings.Fields(b.ledger.take()); len(got) != mostEnqueues {
		t.Errorf("%d videos were enqueued, want %d", len(got), mostEnqueues)
	}
}

func TestStrangersLeaveRoomForThoseWeKnow(t *testing.T) {
	b := setup(t, true, "")
	for range cap(b.dropin.strange) {
		b.dropin.strange <- struct{}{}
	}
	if a := b.ask("/v2/avatars", "x-api-key: sk_stranger"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || b.vendor.asked() > 0 {
		t.Errorf("one stranger too many: %d %v %s", a.status, a.header, a.body)
	}
	if a := b.ask("/v2/avatars", "x-api-key: "+keyOfDefault); a.status != http.StatusOK {
		t.Errorf("an account's key meanwhile: %d", a.status)
	}
	<-b.dropin.strange
	for range 3 {
		if a := b.ask("/v2/avatars", "x-api-key: sk_stranger"); a.status != http.StatusOK {
			t.Errorf("with room for one: %d", a.status)
		}
	}
}

func TestALoopIsNoticed(t *testing.T) {
	b := setup(t, true, "")
	var url string
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An ingress that leads back to us, under another name.
		req := r.Clone(r.Context())
		req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", strings.TrimPrefix(url, "http://")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	defer inner.Close()
	h, err := New(Config{HeyGenURL: inner.URL, BaseURL: publicURL, Full: true}, Deps{
		Manifests: b.archive, Queue: b.ledger, Signer: testLinks().signer, Tokens: auth.NewTokens(nil), Accounts: []Account{{"default", secret.New(keyOfDefault)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	url = b.serve(h)
	for _, key := range []string{keyOfDefault, "sk_stranger"} {
		a := send(t, "GET", url+"/v3/videos/v1", nil, "x-api-key: "+key)
		if a.status != http.StatusLoopDetected || !strings.Contains(a.body, "HEYGEN_API_URL") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	// Others may have proxies too.
	if a := b.ask("/v2/avatars", "Via: 1.1 varnish, 2 reelkeeper (x)", "x-api-key: sk"); a.status != http.StatusOK {
		t.Errorf("behind another proxy: %d", a.status)
	}
}

func TestADropInNeedsSomethingToSignWith(t *testing.T) {
	t.Parallel()
	good := Config{HeyGenURL: "https://api.heygen.com", BaseURL: publicURL}
	for name, c := range map[string]struct {
		cfg    Config
		signer *sharelink.Signer
		want   string
	}{
		"no secret":  {good, sharelink.NewSigner(nil), "REELKEEP_LINK_SECRETS"},
		"no address": {Config{HeyGenURL: good.HeyGenURL}, testLinks().signer, "REELKEEP_PUBLIC_URL"},
		"ourselves":  {Config{HeyGenURL: publicURL + "/heygen", BaseURL: publicURL}, testLinks().signer, "HEYGEN_API_URL"},
	} {
		if _, err := New(c.cfg, Deps{Signer: c.signer, Tokens: auth.NewTokens(nil)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Against HeyGen as it is: pages, tokens of lists, both generations.
func TestTheSimulatedHeyGenIsPassedThrough(t *testing.T) {
	sim, err := heygensim.New(heygensim.Options{Key: keyOfDefault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	b := setup(t, true, sim.APIURL())
	sim.Add(heygensim.Video{ID: "sealed", Title: "T", Assets: map[string]heygensim.Asset{"video": {}, "thumbnail": {}}})
	sim.Add(heygensim.Video{ID: "fresh", Assets: map[string]heygensim.Asset{"video": {}}})
	b.seal("default", "sealed")
	a := b.ask("/v3/videos?limit=100", "x-api-key: token-for-everything")
	if a.status != http.StatusOK || strings.Count(a.body, publicURL) != 1 || !strings.Contains(a.body, "/fresh") || strings.Count(a.body, sim.AssetURL()) != 2 {
		t.Errorf("the list: %d %s", a.status, a.body)
	}
	if a := b.ask("/v1/video_status.get?video_id=fresh", "x-api-key: token-for-everything"); a.status != http.StatusOK || !strings.Contains(a.body, sim.AssetURL()) {
		t.Errorf("a fresh video: %d %s", a.status, a.body)
	}
	b.settles("a fresh video", "default/fresh")
	sim.Remove("sealed")
	if a := b.ask("/v3/videos/sealed", "x-api-key: token-for-everything"); a.status != http.StatusOK || !strings.Contains(a.body, publicURL) {
		t.Errorf("deleted at HeyGen: %d %s", a.status, a.body)
	}
}

// Whoever creates a video need not ask for it: it is archived all the same.
func TestACreatedVideoIsEnqueuedAtOnce(t *testing.T) {
	sim, err := heygensim.New(heygensim.Options{Key: keyOfDefault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	b := setup(t, true, sim.APIURL())
	for _, path := range []string{"/v2/video/generate", "/v3/videos"} {
		a := send(t, "POST", b.url+path, strings.NewReader(`{"title":"T"}`), "x-api-key: token-for-everything", "Content-Type: application/json")
		id := created([]byte(a.body), "")
		if a.status != http.StatusOK || id == "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		b.settles(path, "default/"+id)
	}
	if a := send(t, "POST", b.url+"/v3/videos", strings.NewReader(`{`), "x-api-key: "+keyOfDefault); a.status != http.StatusBadRequest {
		t.Errorf("a bad order: %d %s", a.status, a.body)
	}
	b.settles("a bad order", "")
}

func TestTheAnswerToACreationGoesItsWayUnchanged(t *testing.T) {
	b := setup(t, true, "")
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(`{"error":null,"data":{"video_id":"v4"}}`))
	_ = zip.Close()
	for name, c := range map[string]struct {
		status            int
		kind, coded, body string
		key, want         string
	}{
		"v2":                    {200, "application/json", "", ` {"error":null, "data":{"video_id":"v1"}}` + "\n", keyOfWest, "west/v1"},
		"v3":                    {201, "application/json; charset=utf-8", "", `{"data":{"video_id":"v2","status":"waiting"}}`, keyOfDefault, "default/v2"},
		"Avatar IV":             {200, "application/json", "", `{"code":100,"data":{"video_id":"v3"},"message":"Success"}`, keyOfDefault, "default/v3"},
		"packed":                {200, "application/json", "gzip", packed.String(), keyOfDefault, "default/v4"},
		"packed, and not":       {200, "application/json", "gzip", "{}", keyOfDefault, ""},
		"another packing":       {200, "application/json", "br", `{"data":{"video_id":"v1"}}`, keyOfDefault, ""},
		"an agent":              {200, "application/json", "", `{"data":{"session_id":"s","video_id":null}}`, keyOfDefault, ""},
		"a share page":          {200, "application/json", "", `{"data":"https://app.heygen.com/share/v1"}`, keyOfDefault, ""},
		"no id":                 {200, "application/json", "", `{"data":{"video_id":"../x"}}`, keyOfDefault, ""},
		"half an answer":        {200, "application/json", "", `{"data":{"video_id":"v1"`, keyOfDefault, ""},
		"refused":               {402, "application/json", "", `{"data":{"video_id":"v1"}}`, keyOfDefault, ""},
		"a page":                {200, "text/html", "", `{"data":{"video_id":"v1"}}`, keyOfDefault, ""},
		"longer than it can be": {200, "application/json", "", `{"data":{"video_id":"v1"},"x":"` + strings.Repeat("x", longestReceipt) + `"}`, keyOfDefault, ""},
		"a stranger":            {200, "application/json", "", `{"data":{"video_id":"v1"}}`, "sk_stranger", ""},
	} {
		b.vendor.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			if c.coded != "" {
				w.Header().Set("Content-Encoding", c.coded)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}
		a := send(t, "POST", b.url+"/v2/video/generate", strings.NewReader("{}"), "x-api-key: "+c.key)
		if a.status != c.status || a.body != c.body || a.header.Get("Content-Encoding") != c.coded {
			t.Errorf("%s: %d %v %.100s", name, a.status, a.header, a.body)
		}
		b.settles(name, c.want)
	}
}

// A queue that hangs is nothing that whoever creates a video should notice.
func TestTheAnswerToACreationWaitsForNoQueue(t *testing.T) {
	b := setup(t, true, "")
	b.vendor.answer = unmeasured(`{"data":{"video_id":"v1"}}`)
	b.ledger.mu.Lock()
	a := send(t, "POST", b.url+"/v3/videos", strings.NewReader("{}"), "x-api-key: "+keyOfDefault)
	b.ledger.mu.Unlock()
	if a.status != http.StatusOK || a.body != `{"data":{"video_id":"v1"}}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	b.settles("when the queue is back", "default/v1")
}
