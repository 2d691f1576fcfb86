package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// reelkeep runs a command to its end and returns what it wrote.
func (f *fleet) reelkeep(set []string, args ...string) (stdout, stderr string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), binary, args...)
	cmd.Env = append(f.env[:len(f.env):len(f.env)], set...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("reelkeep %v: %v\n%s", args, err, talk.String())
	}
	return out.String(), talk.String()
}

// The whole way: nobody has a secret, the address is registered, the secret goes where it belongs, a render ends, HeyGen
// tells of it, and the video is archived without anybody having asked for its status before.
func TestARegisteredWebhookArchivesWhatHeyGenTellsOf(t *testing.T) {
	for _, api := range []string{"v1", "v3"} {
		t.Run(api, func(t *testing.T) {
			f := newFleet(t, heygensim.Options{LateSecret: api == "v3"})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			l.Close()
			f.env = append(f.env, "REELKEEP_LISTEN="+addr, "HEYGEN_API_VERSION="+api, "REELKEEP_LATE_ASSETS_WAIT=0", "REELKEEP_LOG_LEVEL=debug")
			before := f.env
			f.env = append(before[:len(before):len(before)], "REELKEEP_WEBHOOK_TOKEN=token-in-the-path")
			first := f.serve()
			first.untilReady()
			url := "http://" + addr + "/webhooks/heygen"
			first.await("an end of the start", func() bool { return strings.Contains(first.said(), "msg=ready") })
			secret, talk := f.reelkeep(nil, "webhook", "register", url)
			if secret = strings.TrimSpace(secret); !strings.HasPrefix(secret, "whsec_") || strings.Contains(talk, secret) {
				t.Fatalf("the secret belongs on stdout and nowhere else: %q, %q", secret, talk)
			}
			listed, _ := f.reelkeep(nil, "webhook", "list", "--json")
			if strings.Contains(listed, secret) || !strings.Contains(listed, url) {
				t.Errorf("list: %s", listed)
			}
			f.sim.Add(heygensim.Video{ID: "told", Held: true, Assets: map[string]heygensim.Asset{"video": {Size: mib}}})
			f.sim.Release()
			if got, err := f.sim.Deliver(t.Context(), "avatar_video.success", "told"); err != nil || len(got) != 1 || got[0] != http.StatusUnauthorized {
				t.Errorf("before the secret is known: %v, %v, want 401", got, err)
			}
			if code, _ := first.end(syscall.SIGTERM); code != exitOK {
				t.Fatalf("exit %d", code)
			}
			file := t.TempDir() + "/secrets"
			if err := os.WriteFile(file, []byte("whsec_an_older_one\n"+secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f.env = append(before[:len(before):len(before)], "REELKEEP_WEBHOOK_SECRETS_FILE="+file)
			second := f.serve()
			second.untilReady()
			second.await("the address to answer", func() bool {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodOptions, url, nil)
				res, err := http.DefaultClient.Do(req)
				if err == nil {
					res.Body.Close()
				}
				return err == nil && res.StatusCode == http.StatusOK
			})
			f.sim.Forget()
			if got, err := f.sim.Deliver(t.Context(), "avatar_video.success", "told"); err != nil || len(got) != 1 || got[0] != http.StatusOK {
				t.Fatalf("%v, %v, want 200", got, err)
			}
			f.untilArchived("told")
			var hook struct {
				ID string `json:"endpoint_id"`
			}
			if err := json.Unmarshal([]byte(listed), &hook); err != nil {
				t.Fatal(err)
			}
			f.reelkeep(nil, "webhook", "remove", hook.ID)
			if rest, _ := f.reelkeep(nil, "webhook", "list"); rest != "" {
				t.Errorf("still there: %s", rest)
			}
			if said := first.said() + second.said(); strings.Contains(said, secret) || strings.Contains(said, "token-in-the-path") {
				t.Error("the log holds a secret or the token")
			}
		})
	}
}

func TestARegisteredWebhookTellsWhoseItIs(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer there.Close()
	file := t.TempDir() + "/accounts.json"
	if err := os.WriteFile(file, []byte(`[{"name":"brand-a","api_key":"`+f.sim.Key()+`"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := f.reelkeep([]string{"HEYGEN_API_KEY=", "REELKEEP_ACCOUNTS_FILE=" + file}, "webhook", "register", "--json", there.URL)
	var hook struct{ Account, Secret string }
	if err := json.Unmarshal([]byte(out), &hook); err != nil || hook.Account != "brand-a" || hook.Secret == "" {
		t.Errorf("%v: %s", err, out)
	}
}

// A late file's event settles a partial video long before it would be looked at by itself.
func TestALateFilesEventSettlesAPartialVideo(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_WEBHOOK_SECRETS=none-yet-at-all", "REELKEEP_WEBHOOK_TOKEN=token-in-the-path", "REELKEEP_LATE_ASSETS_WAIT=100h")
	p := f.serve()
	p.untilReady()
	p.untilOpen()
	f.sim.Add(heygensim.Video{ID: "late", Assets: map[string]heygensim.Asset{"video": {Size: mib}, "thumbnail": {}}})
	f.enqueue("late")
	f.until("partial", func() bool { return f.status("late").State == queue.StatePartial })
	wait := f.status("late").NotBefore
	f.sim.Update("late", func(v *heygensim.Video) {
		v.Assets["gif"], v.Assets["captions"], v.Assets["captioned_video"] = heygensim.Asset{}, heygensim.Asset{}, heygensim.Asset{}
	})
	res, err := http.Post("http://"+p.api+"/webhooks/heygen/token-in-the-path", "application/json",
		strings.NewReader(`{"event_type":"avatar_video_gif.success","event_data":{"video_id":"late","url":"http://127.0.0.1:1/x.gif"}}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	f.until("archived, although it was to be looked at only at "+wait.String(), func() bool { return f.status("late").State == queue.StateArchived })
}

const notifySecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is an app that wants to be told.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	answer func(n int) int // by how many have come before
	ids    []string
	bodies []string
}

func newReceiver(t *testing.T, answer func(n int) int) *receiver {
	r := &receiver{t: t, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP verifies by hand what Standard Webhooks says, so that our library does not judge itself.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	key, _ := base64.StdEncoding.DecodeString(notifySecret)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(req.Header.Get("webhook-id") + "." + req.Header.Get("webhook-timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); req.Header.Get("webhook-signature") != want {
		r.t.Errorf("signature %q, want %q", req.Header.Get("webhook-signature"), want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	code := r.answer(len(r.ids))
	r.ids, r.bodies = append(r.ids, req.Header.Get("webhook-id")), append(r.bodies, string(body))
	if code == http.StatusFound {
		w.Header().Set("Location", r.URL+"/elsewhere")
	}
	w.WriteHeader(code)
}

func (r *receiver) got() (ids, bodies []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.ids...), append([]string(nil), r.bodies...)
}

func (f *fleet) notify(r *receiver) {
	f.env = append(f.env, "REELKEEP_NOTIFY_URL="+r.URL+"/hooks?key=query-of-the-receiver", "REELKEEP_NOTIFY_SECRET=whsec_"+notifySecret)
}

func TestAnAppIsToldOfItsVideos(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	r := newReceiver(t, func(n int) int {
		if n == 0 {
			return http.StatusBadGateway
		}
		return http.StatusNoContent
	})
	f.notify(r)
	p := f.serve("--roles", "worker")
	p.untilReady()
	f.sim.Add(heygensim.Video{ID: "fine", Title: "Launch", CreatedAt: longAgo(), Assets: map[string]heygensim.Asset{"video": {Size: mib}}})
	f.sim.Add(heygensim.Video{ID: "broken", Fail: &heygensim.Failure{Code: "40119", Message: "Video is too long"}})
	if _, err := f.client.Enqueue(t.Context(), queue.Job{VideoID: "fine", Metadata: map[string]string{"order": "17"}}); err != nil {
		t.Fatal(err)
	}
	f.enqueue("broken")
	f.until("three deliveries", func() bool { ids, _ := r.got(); return len(ids) >= 3 })
	ids, bodies := r.got()
	seen := map[string]string{}
	for i, body := range bodies {
		var m struct {
			Type string
			Data struct {
				VideoID, State, Account string
				Reason                  *string
				Metadata                map[string]string
			}
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(body, "video_id", "VideoID")), &m); err != nil {
			t.Fatal(err)
		}
		seen[m.Type+" "+m.Data.VideoID+" "+m.Data.State+" "+m.Data.Metadata["order"]] = ids[i]
	}
	if len(seen) != 2 || seen["video.archived fine archived 17"] == "" || seen["video.failed broken failed "] == "" {
		t.Errorf("told: %v\n%s", seen, strings.Join(bodies, "\n"))
	}
	if ids[0] != ids[1] && ids[0] != ids[2] {
		t.Errorf("the one that was refused came again under another id: %v", ids)
	}
	if strings.Contains(p.said(), "query-of-the-receiver") {
		t.Error("the log holds the receiver's query")
	}
}

func TestADeadReceiverDelaysNothingAndIsToldLater(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.env = append(f.env, "REELKEEP_NOTIFY_URL=http://"+l.Addr().String(), "REELKEEP_NOTIFY_SECRET=whsec_"+notifySecret)
	p := f.serve("--roles", "worker")
	p.untilReady()
	ids := f.videos("n", 40, 64<<10)
	f.enqueue(ids...)
	f.untilArchived(ids[0], ids[39])
	f.until("all", func() bool {
		c, err := f.client.Counts(t.Context())
		return err == nil && c[queue.StateArchived] == 40
	})
	o, err := f.client.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := o.Tasks[queue.StepNotify]; n["waiting"]+n["working"]+n["later"] != 40 {
		t.Errorf("%v notifications are kept for later, want 40", n)
	}
	if code, took := p.end(syscall.SIGTERM); code != exitOK || took.Seconds() > 10 {
		t.Errorf("SIGTERM: exit %d after %s", code, took)
	}
	r := newReceiver(t, func(int) int { return http.StatusOK })
	f.notify(r)
	f.serve("--roles", "worker").untilReady()
	f.until("all 40 to be told", func() bool {
		got, _ := r.got()
		seen := map[string]bool{}
		for _, id := range got {
			seen[id] = true
		}
		return len(seen) == 40
	})
}

func TestAReceiverInsideTheNetworkIsNotDialledUnlessItIsNamed(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	r := newReceiver(t, func(int) int { return http.StatusOK })
	f.notify(r)
	// The bytes come from 127.0.0.1, and the receiver's name leads there as well, by another address.
	f.env = append(f.env, "REELKEEP_PRIVATE_SOURCES=127.0.0.1/32", "REELKEEP_NOTIFY_URL="+strings.Replace(r.URL, "127.0.0.1", "127.0.0.2", 1))
	p := f.serve("--roles", "worker")
	p.untilReady()
	ids := f.videos("g", 1, 64<<10)
	f.enqueue(ids...)
	f.untilArchived(ids...)
	p.await("the refusal", func() bool { return strings.Contains(p.said(), "address not allowed") })
	if got, _ := r.got(); len(got) > 0 {
		t.Errorf("%d notifications reached it", len(got))
	}
}

func TestNotificationsThatCouldNeverArriveEndTheStart(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	for name, set := range map[string][]string{
		"REELKEEP_NOTIFY_SECRET": {"REELKEEP_NOTIFY_URL=https://app.example.com/"},
		"REELKEEP_NOTIFY_URL":    {"REELKEEP_NOTIFY_URL=http://app.example.com/", "REELKEEP_NOTIFY_SECRET=whsec_" + notifySecret, "REELKEEP_PRIVATE_SOURCES="},
	} {
		if code, out := f.serveToItsEnd(set); code != exitUsage || !strings.Contains(out, name) {
			t.Errorf("%s: exit %d\n%s", name, code, out)
		}
	}
}
