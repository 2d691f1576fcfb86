package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/notify"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func sender(t *testing.T, url string, private ...string) *notify.Sender {
	t.Helper()
	cfg := notify.Config{URL: secret.New(url), Secret: secret.New(key), UserAgent: "reelkeep/test",
		Permalink: func(account, id, asset string) string { return "https://videos.example.com/v/" + id + "/" + asset }}
	for _, p := range private {
		cfg.Private = append(cfg.Private, netip.MustParsePrefix(p))
	}
	s, err := notify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func archived() queue.Notification {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	total := int64(7)
	return queue.Notification{ID: "msg_1", Event: queue.EventArchived, At: at, Status: queue.Status{
		VideoID: "a1", State: queue.StateArchived, Title: "Launch", AcceptedAt: at, SealedAt: &at, Bytes: 7, Metadata: map[string]string{"order": "17"},
		Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetStored, Bytes: 7, Total: &total}, {Asset: "gif", State: queue.AssetAbsent}},
	}}
}

func TestAReceiverCanVerifyWhatItIsTold(t *testing.T) {
	t.Parallel()
	var body string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(raw)
		body = string(raw)
		wh, _ := standardwebhooks.NewWebhook(key)
		if err := wh.Verify(raw, r.Header); err != nil {
			t.Errorf("verify: %v", err)
		}
		if r.Header.Get("Webhook-Id") != "msg_1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers: %v", r.Header)
		}
	}))
	t.Cleanup(receiver.Close)
	if err := sender(t, receiver.URL, "127.0.0.0/8").Notify(t.Context(), archived()); err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"video.archived","timestamp":"2026-11-23T10:00:00Z","data":{"video_id":"a1","account":"default","state":"archived","reason":null,"error":null,` +
		`"title":"Launch","deadline":null,"accepted_at":"2026-11-23T10:00:00Z","sealed_at":"2026-11-23T10:00:00Z","bytes":7,` +
		`"assets":[{"asset":"video","state":"stored","bytes":7,"total":7,"permalink":"https://videos.example.com/v/a1/video"},{"asset":"gif","state":"absent","bytes":0,"total":null,"permalink":null}],` +
		`"metadata":{"order":"17"}}}`
	if diff := cmp.Diff(want, body); diff != "" || !json.Valid([]byte(body)) {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// A file that is stored can still be replaced until its video is sealed; the API tells of no permalink, either.
func TestAFileOfAVideoThatIsNotSealedHasNoPermalink(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 2)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	t.Cleanup(receiver.Close)
	for event, state := range map[queue.Event]queue.State{queue.EventFailed: queue.StateFailed, queue.EventAtRisk: queue.StateTransferring} {
		n := archived()
		n.Event, n.State, n.SealedAt = event, state, nil
		if err := sender(t, receiver.URL, "127.0.0.0/8").Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if body := <-bodies; !strings.Contains(body, `"state":"stored","bytes":7,"total":7,"permalink":null`) {
			t.Errorf("%s: %s", event, body)
		}
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	t.Parallel()
	elsewhere := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/busy":
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/elsewhere":
			elsewhere++
		}
	}))
	t.Cleanup(receiver.Close)
	host := strings.TrimPrefix(receiver.URL, "http://")
	for path, check := range map[string]func(error) bool{
		"/ok":    func(err error) bool { return err == nil },
		"/moved": func(err error) bool { return err != nil && strings.Contains(err.Error(), "redirect") },
		"/gone": func(err error) bool {
			p, ok := errors.AsType[*notify.Error](err)
			return ok && p.Permanent()
		},
		"/busy": func(err error) bool {
			var later interface{ RetryAfter() time.Duration }
			return errors.As(err, &later) && later.RetryAfter() == 90*time.Second
		},
	} {
		err := sender(t, receiver.URL+path+"?key=query-of-the-receiver", "127.0.0.0/8").Notify(t.Context(), archived())
		if !check(err) {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && (strings.Contains(err.Error(), "query-of") || strings.Contains(err.Error(), path) || strings.Contains(err.Error(), host)) {
			t.Errorf("%s: the error holds more of the address than its host: %v", path, err)
		}
	}
	if elsewhere > 0 {
		t.Error("a redirect was followed")
	}
}

// Spellings of addresses that must never be dialled. The receiver listens on all of this machine's addresses, so that any
// that is dialled is noticed.
func TestAnAddressInsideTheNetworkIsNotDialledHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	dialled := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
			dialled <- struct{}{}
		}
	}()
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7f.0.0.1", "2130706433", "017700000001", "0177.0.0.1", "0", "0.0.0.0",
		"localhost", "LOCALHOST.", "a.localhost", "ip6-localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1",
		"192.168.0.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
	} {
		for _, scheme := range []string{"https", "http"} {
			cfg := notify.Config{URL: secret.New(scheme + "://" + host + ":" + port + "/"), Secret: secret.New(key),
				Private: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}} // or http were refused before
			s, err := notify.New(cfg)
			if err != nil {
				continue // not even an address
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			if err := s.Notify(ctx, archived()); err == nil {
				t.Errorf("%s://%s: delivered", scheme, host)
			} else if ip, perr := netip.ParseAddr(strings.Trim(host, "[]")); perr == nil && !errors.Is(err, fetch.ErrBlocked) {
				t.Errorf("%s://%s: %v, want ErrBlocked", scheme, ip, err)
			}
			cancel()
			s.Close()
		}
	}
	if n := len(dialled); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}
