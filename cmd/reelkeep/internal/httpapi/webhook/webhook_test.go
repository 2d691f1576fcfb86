package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/webhook"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	vectorSecret = "whsec_vectors_only"
	westSecret   = "whsec_west_account"
	pathToken    = "path-token-of-the-test"
)

// desk takes what is handed in.
type desk struct {
	mu   sync.Mutex
	jobs []string // account/id
	err  error
}

func (d *desk) Signal(_ context.Context, jobs []queue.Job) ([]queue.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	results := make([]queue.Result, len(jobs))
	if d.err != nil {
		return results, d.err
	}
	for i, j := range jobs {
		d.jobs = append(d.jobs, j.Account+"/"+j.VideoID)
		results[i].Receipt = queue.Receipt{VideoID: j.VideoID, State: queue.StateAccepted}
	}
	return results, nil
}

func (d *desk) took() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := strings.Join(d.jobs, " ")
	d.jobs = nil
	return out
}

type door struct {
	*desk
	http.Handler
	log *bytes.Buffer
}

func newDoor(change func(*webhook.Config)) *door {
	d := &door{desk: &desk{}, log: &bytes.Buffer{}}
	cfg := webhook.Config{
		Secrets: []webhook.Secret{{"default", secret.New("whsec_older")}, {"default", secret.New(vectorSecret)}, {"west", secret.New(westSecret)}},
		Token:   secret.New(pathToken), Accounts: func(context.Context) ([]string, error) { return []string{"default", "west"}, nil },
		Queue: d.desk, Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return time.Unix(1790000000, 0) },
	}
	if change != nil {
		change(&cfg)
	}
	mux := http.NewServeMux()
	for pattern, h := range webhook.Mounts(cfg) {
		mux.Handle(pattern, h)
	}
	d.Handler = mux
	return d
}

// send delivers a body; headers come in pairs.
func (d *door) send(method, path, body string, headers ...string) int {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code
}

func sign(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

type vector struct{ dialect, mac, body string }

func vectors(t testing.TB) []vector {
	raw, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	var out []vector
	for i := 0; i+2 < len(lines); i += 3 {
		out = append(out, vector{lines[i], lines[i+1], lines[i+2]})
	}
	return out
}

func TestDeliveriesOfBothDialectsAreTaken(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	var want []string
	for _, v := range vectors(t) {
		headers := []string{"Signature", v.mac}
		if v.dialect == "v3" {
			headers = []string{"Heygen-Signature", "sha256=" + strings.ToUpper(v.mac), "Heygen-Timestamp", "1790000100", "Heygen-Event-Id", "evt"}
		}
		for range 2 { // deliveries are repeated
			if code := d.send("POST", "/webhooks/heygen", v.body, headers...); code != http.StatusOK {
				t.Errorf("%s: %d for %s", v.dialect, code, v.body)
			}
		}
		for _, id := range []string{"v1success", "v1fail", "v1gif", "v3success", "v3agent", "v3translate", "v3caption"} {
			if strings.Contains(v.body, `"`+id+`"`) {
				want = append(want, "default/"+id, "default/"+id)
			}
		}
	}
	if got := d.took(); len(want) != 14 || got != strings.Join(want, " ") {
		t.Errorf("handed in: %s\nwant %s", got, strings.Join(want, " "))
	}
	if said := d.log.String(); strings.Contains(said, "https://") || strings.Contains(said, "whsec_") {
		t.Errorf("the log holds a link or a secret:\n%s", said)
	}
}

func TestTheSecretThatVerifiesTellsTheAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	body := vectors(t)[0].body
	if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign(westSecret, body)); code != 200 || d.took() != "west/v1success" {
		t.Errorf("west's delivery: %d", code)
	}
	if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign("whsec_older", body)); code != 200 || d.took() != "default/v1success" {
		t.Errorf("a delivery with the older of two secrets: %d", code)
	}
}

// A door without keys learns from Redis which accounts there are.
func TestADeliveryIsForAnAccountOfTheFleet(t *testing.T) {
	t.Parallel()
	body := vectors(t)[0].body
	for name, c := range map[string]struct {
		fleet []string
		err   error
		whose string // ?account=
		code  int
		want  string
	}{
		"one of another name":  {[]string{"west"}, nil, "", 200, "west/v1success"},
		"one, by its name":     {[]string{"west"}, nil, "west", 200, "west/v1success"},
		"the default one":      {[]string{"default", "west"}, nil, "", 200, "default/v1success"},
		"the other one":        {[]string{"default", "west"}, nil, "west", 200, "west/v1success"},
		"whose of two":         {[]string{"east", "west"}, nil, "", 401, ""},
		"nobody's":             {[]string{"east", "west"}, nil, "default", 401, ""},
		"not known yet":        {nil, nil, "", 503, ""},
		"not known yet, named": {nil, nil, "west", 503, ""},
		"Redis is away":        {nil, errors.New("connection refused"), "west", 503, ""},
	} {
		asked := 0
		d := newDoor(func(cfg *webhook.Config) {
			cfg.Secrets = []webhook.Secret{{Secret: secret.New(vectorSecret)}}
			cfg.Accounts = func(context.Context) ([]string, error) { asked++; return c.fleet, c.err }
		})
		for range 2 {
			path := "/webhooks/heygen/" + pathToken
			if c.whose != "" {
				path += "?account=" + c.whose
			}
			if code := d.send("POST", path, body); code != c.code {
				t.Errorf("%s: %d, want %d", name, code, c.code)
			}
			if got := d.took(); got != c.want {
				t.Errorf("%s: handed in %q, want %q", name, got, c.want)
			}
			if c.whose != "" {
				continue
			}
			if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign(vectorSecret, body)); code != c.code || d.took() != c.want {
				t.Errorf("%s, signed: %d, want %d", name, code, c.code)
			}
		}
		if c.code == 200 && asked != 1 {
			t.Errorf("%s: Redis was asked %d times", name, asked)
		}
	}
}

func TestWhatIsNotProvenIsRefusedAndNothingHandedIn(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	v := vectors(t)[3]
	now, late, early := "1790000000", "1789999699", "1790000301"
	long := strings.Repeat(" ", 1<<20) + v.body
	reordered := strings.Replace(v.body, `"event_id":"evt_1","event_type":"avatar_video.success"`, `"event_type":"avatar_video.success","event_id":"evt_1"`, 1)
	if reordered == v.body {
		t.Fatal("nothing was reordered")
	}
	for name, tc := range map[string]struct {
		path, body string
		headers    []string
	}{
		"no signature":               {"", v.body, nil},
		"an empty one":               {"", v.body, []string{"Signature", ""}},
		"not hex":                    {"", v.body, []string{"Signature", strings.Repeat("x", 64)}},
		"cut":                        {"", v.body, []string{"Signature", v.mac[:32]}},
		"forged":                     {"", v.body, []string{"Signature", strings.Repeat("0", 64)}},
		"wrong secret":               {"", v.body, []string{"Signature", sign("another", v.body)}},
		"an empty secret":            {"", v.body, []string{"Signature", sign("", v.body)}},
		"truncated body":             {"", v.body[:len(v.body)-1], []string{"Signature", v.mac}},
		"another video":              {"", strings.Replace(v.body, "v3success", "v3succesS", 1), []string{"Signature", v.mac}},
		"reordered":                  {"", reordered, []string{"Signature", v.mac}},
		"a header of nobody's":       {"", v.body, []string{"X-Heygen-Signature", v.mac}},
		"replayed":                   {"", v.body, []string{"Heygen-Signature", v.mac, "Heygen-Timestamp", late}},
		"of the future":              {"", v.body, []string{"Heygen-Signature", v.mac, "Heygen-Timestamp", early}},
		"no time at all":             {"", v.body, []string{"Heygen-Signature", v.mac, "Heygen-Timestamp", "yesterday"}},
		"two times, one of them old": {"", v.body, []string{"Signature", v.mac, "Heygen-Timestamp", now, "Heygen-Timestamp", late}},
		"oversized":                  {"", long, []string{"Signature", sign(vectorSecret, long)}},
		"a wrong token":              {"/path-token-of-the-tesT", v.body, nil},
		"a longer token":             {"/" + pathToken + "x", v.body, nil},
		"an account of nobody's":     {"/" + pathToken + "?account=east", v.body, nil},
		"oversized by token":         {"/" + pathToken, long, nil},
	} {
		if code := d.send("POST", "/webhooks/heygen"+tc.path, tc.body, tc.headers...); code != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, code)
		}
	}
	if got := d.took(); got != "" {
		t.Errorf("handed in: %s", got)
	}
	if said := d.log.String(); strings.Contains(said, pathToken[:8]) || strings.Contains(said, "whsec_") {
		t.Errorf("the log holds a token or a secret:\n%s", said)
	}
}

func TestUnsignedDeliveriesNeedTheToken(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	for path, want := range map[string]string{pathToken: "default/a1", pathToken + "?account=west": "west/a1"} {
		for _, body := range []string{
			`{"event_type":"avatar_video.success","event_data":{"video_id":"a1","url":"http://169.254.169.254/latest"}}`,
			`{"data":{"video_id":"a1","status":"completed","video_url":"http://127.0.0.1:1/","callback_id":"c"}}`,
		} {
			if code := d.send("POST", "/webhooks/heygen/"+path, body); code != 200 || d.took() != want {
				t.Errorf("%s: %d, %s", path, code, body)
			}
		}
	}
}

func TestWhatIsNotForUsIsAnsweredQuietly(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"event_type":7}`, `not json`,
		`{"event_type":"instant_avatar.success","event_data":{"video_id":"a1"}}`,
		`{"event_type":"avatar_video.invented","event_data":{"video_id":"a1"}}`,
		`{"event_type":"video_translate.preflight.download_failed","event_data":{"video_translate_id":"a1"}}`,
		`{"event_type":"avatar_video.success","event_data":{"video_id":"../../etc/passwd"}}`,
		`{"event_type":"avatar_video.success","event_data":{"video_id":null}}`,
		`{"event_type":"avatar_video.success","event_data":{"video_id":["a1"]}}`,
	} {
		if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign(vectorSecret, body)); code != http.StatusOK {
			t.Errorf("%d for %s", code, body)
		}
	}
	if got := d.took(); got != "" {
		t.Errorf("handed in: %s", got)
	}
}

func TestTheAddressAnswersBeforeThereIsASecret(t *testing.T) {
	t.Parallel()
	onlyToken := newDoor(func(c *webhook.Config) { c.Secrets = nil })
	for _, path := range []string{"", "/" + pathToken, "/any"} {
		for _, method := range []string{"OPTIONS", "GET", "HEAD"} {
			if code := onlyToken.send(method, "/webhooks/heygen"+path, ""); code != http.StatusOK {
				t.Errorf("%s %s: %d", method, path, code)
			}
		}
	}
	body := vectors(t)[0].body
	if code := onlyToken.send("POST", "/webhooks/heygen", body, "Signature", sign("", body)); code != http.StatusUnauthorized {
		t.Errorf("a delivery that nothing can verify: %d, want 401, so that HeyGen repeats it", code)
	}
	if code := onlyToken.send("PUT", "/webhooks/heygen", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", code)
	}
	neither := newDoor(func(c *webhook.Config) { c.Secrets, c.Token = nil, secret.String{} })
	for _, path := range []string{"", "/any"} {
		if code := neither.send("OPTIONS", "/webhooks/heygen"+path, ""); code != http.StatusNotFound {
			t.Errorf("nothing set, OPTIONS %s: %d, want 404", path, code)
		}
	}
	onlySecret := newDoor(func(c *webhook.Config) { c.Token = secret.String{} })
	if code := onlySecret.send("POST", "/webhooks/heygen/", body); code != http.StatusNotFound {
		t.Errorf("no token set, POST with an empty one: %d, want 404", code)
	}
}

func TestAnEventThatRedisDoesNotHoldIsNotTaken(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	d.err = errors.New("dial tcp: connection refused")
	v := vectors(t)[0]
	if code := d.send("POST", "/webhooks/heygen", v.body, "Signature", v.mac); code != http.StatusServiceUnavailable {
		t.Errorf("%d, want 503, so that HeyGen repeats it", code)
	}
}

// A burst must not cost Redis two round trips for each event, and nobody's answer may get lost on the way.
func TestEventsThatComeTogetherGoTogether(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	const n = 600
	var waiting sync.WaitGroup
	for i := range n {
		waiting.Go(func() {
			body := fmt.Sprintf(`{"event_type":"avatar_video.success","event_data":{"video_id":"b%d"}}`, i)
			if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign(vectorSecret, body), "Heygen-Timestamp", strconv.Itoa(1790000000)); code != http.StatusOK {
				t.Errorf("b%d: %d", i, code)
			}
		})
	}
	waiting.Wait()
	seen := map[string]bool{}
	for _, id := range strings.Fields(d.took()) {
		seen[id] = true
	}
	if len(seen) != n {
		t.Errorf("%d of %d events arrived", len(seen), n)
	}
}

// half sends the head of a delivery and so much of its body, and returns the connection.
func half(t *testing.T, addr, signature string, length, sent int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	head := fmt.Sprintf("POST /webhooks/heygen HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", signature, length)
	if _, err := io.WriteString(conn, head+strings.Repeat(" ", sent)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Memory is a setting: strangers can't make us hold any number of bodies, and HeyGen is taken in meanwhile.
func TestStrangersWithLongBodiesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	server := httptest.NewServer(d.Handler)
	t.Cleanup(server.Close) // once the connections below are closed
	addr := server.Listener.Addr().String()
	answer := func(conn net.Conn) *http.Response {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		defer res.Body.Close()
		return res
	}
	if res := answer(half(t, addr, "", 200<<10, 0)); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a signature, before its body came: %d", res.StatusCode)
	}
	forged := "Signature: " + strings.Repeat("0", 64) + "\r\n"
	const most = 64
	refused := make(chan *http.Response, most+3)
	for range most + 3 {
		conn := half(t, addr, forged, 200<<10, 100<<10)
		go func() {
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				refused <- res
			}
		}()
	}
	for range 3 {
		var res *http.Response
		select {
		case res = <-refused:
		case <-time.After(8 * time.Second):
			t.Fatal("nobody was refused")
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d %v", res.StatusCode, res.Header)
		}
	}
	v := vectors(t)[0]
	req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/webhooks/heygen", strings.NewReader(v.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Signature", v.mac)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || len(refused) > 0 {
		t.Errorf("HeyGen meanwhile: %d; %d more were refused", res.StatusCode, len(refused))
	}
}

func TestALongDeliveryIsTakenWhole(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	for n, want := range map[int]int{16 << 10: 200, 200 << 10: 200, 256 << 10: 401} {
		body := vectors(t)[0].body
		body = strings.Repeat(" ", n-len(body)+1) + body
		if code := d.send("POST", "/webhooks/heygen", body, "Signature", sign(vectorSecret, body)); code != want || (d.took() != "") != (want == 200) {
			t.Errorf("%d bytes: %d, want %d", len(body), code, want)
		}
	}
}

func FuzzADeliveryNeverHandsInWhatIsNoID(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		d := newDoor(nil)
		if code := d.send("POST", "/webhooks/heygen/"+pathToken, body); code != http.StatusOK && code != http.StatusUnauthorized {
			t.Errorf("%d", code)
		}
		if id := strings.TrimPrefix(d.took(), "default/"); strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || len(id) > 128 {
			t.Errorf("handed in %q", id)
		}
	})
}
