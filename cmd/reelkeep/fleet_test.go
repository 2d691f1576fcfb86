package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// fleet is a HeyGen, a Redis and a bucket of the test's own, and the processes that share them.
type fleet struct {
	t      *testing.T
	sim    *heygensim.Sim
	redis  *queuetest.Server
	client *queue.Client
	bucket string
	env    []string
}

func newFleet(t *testing.T, opt heygensim.Options) *fleet {
	t.Helper()
	t.Parallel()
	sim, err := heygensim.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	f := &fleet{t: t, sim: sim, redis: queuetest.Redis(t), bucket: minio.Bucket(t)}
	if f.client, err = queue.NewClient(f.redis.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.client.Close() })
	f.env = append(os.Environ(),
		"HEYGEN_API_URL="+sim.APIURL(), "HEYGEN_API_KEY="+sim.Key(), "REELKEEP_PRIVATE_SOURCES=127.0.0.0/8",
		"AWS_ENDPOINT_URL_S3="+minio.Endpoint, "AWS_ACCESS_KEY_ID="+minio.AccessKey, "AWS_SECRET_ACCESS_KEY="+minio.SecretKey, "AWS_REGION=us-east-1",
		"REELKEEP_REDIS="+f.redis.URL(), "REELKEEP_STORE=s3://"+f.bucket+"/videos", "REELKEEP_OPS_LISTEN=127.0.0.1:0", "REELKEEP_LISTEN=127.0.0.1:0",
		"REELKEEP_SWEEP_EVERY=0", "REELKEEP_SWEEP_FULL_EVERY=0", "GORACE=atexit_sleep_ms=0",
	)
	return f
}

// videos puts n completed videos of that size into the account and returns their ids.
func (f *fleet) videos(prefix string, n int, size int64) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%03d", prefix, i)
		f.sim.Add(heygensim.Video{ID: ids[i], CreatedAt: longAgo(), Assets: map[string]heygensim.Asset{"video": {Size: size}}})
	}
	return ids
}

func (f *fleet) enqueue(ids ...string) {
	f.t.Helper()
	jobs := make([]queue.Job, len(ids))
	for i, id := range ids {
		jobs[i] = queue.Job{VideoID: id}
	}
	if _, err := f.client.EnqueueMany(f.t.Context(), jobs); err != nil {
		f.t.Fatal(err)
	}
}

// command is a command of somebody whose settings are the fleet's.
func (f *fleet) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(f.t.Context(), binary, args...)
	cmd.Env = f.env
	return cmd
}

// process is a running `reelkeep serve`.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	ops  string
	api  string // "" without the role api
	gone chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

var (
	opsAddr = regexp.MustCompile(`serving /livez.* addr=(\S+)`)
	apiAddr = regexp.MustCompile(`serving the API.* addr=(\S+)`)
)

// serve starts a process and returns when its door for the platform is open.
func (f *fleet) serve(args ...string) *process {
	f.t.Helper()
	p := &process{t: f.t, gone: make(chan struct{})}
	p.cmd = exec.Command(binary, append([]string{"serve"}, args...)...)
	p.cmd.Env = f.env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.gone) }()
	f.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.gone
		if f.t.Failed() {
			f.t.Logf("%v:\n%s", p.cmd.Args, tail(p.said(), 60))
		}
	})
	p.await("the door for the platform", func() bool {
		m := opsAddr.FindStringSubmatch(p.said())
		if m != nil {
			p.ops = m[1]
		}
		return m != nil
	})
	return p
}

// serveToItsEnd runs a process that is expected to refuse to work, and returns its exit code and what it said.
func (f *fleet) serveToItsEnd(set []string, args ...string) (int, string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"serve"}, args...)...)
	cmd.Env = append(f.env[:len(f.env):len(f.env)], set...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		f.t.Errorf("serve still runs after 30 s with %v: %v", set, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// untilOpen waits until the process listens for the API.
func (p *process) untilOpen() {
	p.t.Helper()
	p.await("the door of the API", func() bool {
		m := apiAddr.FindStringSubmatch(p.said())
		if m != nil {
			p.api = m[1]
		}
		return m != nil
	})
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// await waits until ok, or fails the test if the process ends before.
func (p *process) await(what string, ok func() bool) {
	p.t.Helper()
	queuetest.Await(p.t, what, func() bool {
		select {
		case <-p.gone:
			p.t.Fatalf("serve ended with %d while the test waited for %s:\n%s", p.cmd.ProcessState.ExitCode(), what, p.said())
		default:
		}
		return ok()
	})
}

// readyz is status and body of /readyz.
func (p *process) readyz() (int, string) { return p.get("/readyz") }

func (p *process) get(path string) (int, string) {
	res, err := http.Get("http://" + p.ops + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

func (p *process) untilReady() {
	p.t.Helper()
	p.await("readiness", func() bool { status, _ := p.readyz(); return status == http.StatusOK })
}

// end sends a signal and returns the exit code and how long the process took.
func (p *process) end(sig os.Signal) (int, time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	<-p.gone
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// until waits as long as it takes a fleet to notice that a worker has died, and more.
func (f *fleet) until(what string, ok func() bool) {
	f.t.Helper()
	limit := time.After(150 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			f.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (f *fleet) status(id string) queue.Status {
	f.t.Helper()
	s, err := f.client.Status(f.t.Context(), id)
	if err != nil && !errors.Is(err, queue.ErrUnknown) {
		f.t.Fatal(err)
	}
	return s
}

// untilArchived waits for all of them, then proves each against what HeyGen serves.
func (f *fleet) untilArchived(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		f.until(id+" to be archived", func() bool { return f.status(id).State == queue.StateArchived })
	}
	for _, id := range ids {
		f.proveStored(id)
	}
}

// proveStored compares the stored video with the original, read as a user would.
func (f *fleet) proveStored(id string) {
	f.t.Helper()
	dir := f.t.TempDir()
	cmd := exec.Command(binary, "get", id, dir)
	cmd.Env = f.env
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Errorf("get %s: %v\n%s", id, err, out)
		return
	}
	stored, err := os.Open(dir + "/video.mp4")
	if err != nil {
		f.t.Error(err)
		return
	}
	defer stored.Close()
	original, size := f.sim.Open(id, "video")
	if want, got := sum(f.t, io.NewSectionReader(original, 0, size)), sum(f.t, stored); !bytes.Equal(want, got) {
		f.t.Errorf("what is stored of %s is not what HeyGen serves", id)
	}
	raw, err := os.ReadFile(dir + "/manifest.json")
	var m struct{ Generation int }
	if err := errors.Join(err, json.Unmarshal(raw, &m)); err != nil || m.Generation != 1 {
		f.t.Errorf("manifest of %s: generation %d (%v), want 1", id, m.Generation, err)
	}
}

// moving waits until so many bytes have left the asset host.
func (f *fleet) moving(bytes int64) {
	f.t.Helper()
	f.until("bytes to move", func() bool { return f.fetched() >= bytes })
}

func (f *fleet) fetched() int64 {
	var n int64
	for _, r := range f.sim.Requests() {
		if r.Host == "asset" {
			n += r.Bytes
		}
	}
	return n
}

func TestAKilledWorkersVideosAreFinishedByAnother(t *testing.T) {
	f := newFleet(t, heygensim.Options{Bandwidth: 4 << 20})
	f.env = append(f.env, "REELKEEP_CONCURRENCY=2", "REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=15MiB")
	ids := f.videos("k", 6, 20*mib)
	one := f.serve("--roles", "worker")
	one.untilReady()
	f.enqueue(ids...)
	f.moving(16 * mib)
	two := f.serve("--roles", "worker")
	two.untilReady()
	if code, _ := one.end(syscall.SIGKILL); code != -1 {
		t.Fatalf("the killed worker exited with %d", code)
	}
	f.untilArchived(ids...)
	const stored, lost = 6 * 20 * mib, inFlight
	if got := f.fetched(); got > stored+lost {
		t.Errorf("%d bytes were fetched for %d, want at most %d more", got, stored, lost)
	}
}

func TestADeployCostsNothing(t *testing.T) {
	f := newFleet(t, heygensim.Options{Bandwidth: 2 << 20})
	f.env = append(f.env, "REELKEEP_CONCURRENCY=2", "REELKEEP_PART_SIZE=5MiB")
	ids := f.videos("d", 4, 16*mib)
	one := f.serve("--roles", "worker")
	one.untilReady()
	f.enqueue(ids...)
	f.moving(6 * mib)
	two := f.serve("--roles", "worker")
	two.untilReady()
	code, took := one.end(syscall.SIGTERM)
	if code != exitOK || took > 10*time.Second {
		t.Errorf("SIGTERM: exit %d after %s, want 0 within 10 s", code, took)
	}
	f.untilArchived(ids...)
	for _, id := range ids {
		if s := f.status(id); s.Attempts > 2 || s.Failures != 0 || s.Error != nil {
			t.Errorf("%s counts %d attempts, %d failures, error %v; a deploy is no failure", id, s.Attempts, s.Failures, s.Error)
		}
	}
	if extra := f.fetched() - 4*16*mib; extra > 2*inFlight {
		t.Errorf("%d bytes were fetched again", extra)
	}
}

func TestAnEmptiedRedisIsFilledAgainFromHeyGenAndTheManifests(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_SWEEP_EVERY=1h")
	ids := f.videos("e", 12, 1*mib)
	s := f.serve()
	f.untilArchived(ids[:3]...)
	f.untilArchived(ids...)
	rdb, err := queue.Connect(f.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	if err := rdb.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	before := f.fetched()
	more := f.videos("f", 3, 1*mib)
	f.untilArchived(append(more, ids...)...)
	if got := f.fetched() - before; got > 4*mib {
		t.Errorf("%d bytes were fetched for 3 new videos of 1 MiB; what is sealed must not be fetched again", got)
	}
	if strings.Count(s.said(), "index made from the manifests") != 2 {
		t.Error("the index was not made twice: at the first start and after Redis was emptied")
	}
}

func TestReadinessFollowsItsDependencies(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.redis.Stop()
	p := f.serve()
	if status, body := p.readyz(); status != http.StatusServiceUnavailable || !strings.Contains(body, "redis: ") {
		t.Errorf("without Redis /readyz answers %d %q, want 503 and why", status, body)
	}
	if status, _ := p.get("/livez"); status != http.StatusOK {
		t.Errorf("without Redis /livez answers %d, want 200: restarting would not help", status)
	}
	f.redis.Start()
	p.untilReady()
	f.redis.Stop()
	p.await("503", func() bool { status, body := p.readyz(); return status == 503 && strings.Contains(body, "redis: ") })
	f.redis.Start()
	p.untilReady()
	ids := f.videos("r", 2, 1*mib)
	f.enqueue(ids...)
	f.untilArchived(ids...)
	if code, _ := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
}

func TestWhatAServiceCannotWorkWithEndsIt(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	for _, tc := range []struct {
		name string
		set  []string
		args []string
		code int
		says string
	}{
		{"nothing configured", []string{"REELKEEP_REDIS=", "REELKEEP_STORE=", "HEYGEN_API_KEY="}, nil, exitUsage, "REELKEEP_REDIS"},
		{"a folder that nobody will ever make", []string{"REELKEEP_REDIS=", "REELKEEP_STORE=" + t.TempDir() + "/nothing"}, []string{"--embedded", "--roles", "api"}, exitNotYet, "does not exist"},
		{"a role that is none", nil, []string{"--roles", "cook"}, exitUsage, "--roles"},
		{"two kinds of Redis", nil, []string{"--embedded"}, exitUsage, "REELKEEP_REDIS"},
		{"a wrong key", []string{"HEYGEN_API_KEY=sk_wrong"}, nil, exitDependency, "HEYGEN_API_KEY"},
		{"a wrong secret of the store", []string{"AWS_SECRET_ACCESS_KEY=nonsense"}, nil, exitDependency, "AWS_"},
		{"a bucket that is not there", []string{"REELKEEP_STORE=s3://no-such-bucket-here"}, nil, exitDependency, "REELKEEP_STORE"},
		{"an API for everybody", []string{"REELKEEP_LISTEN=0.0.0.0:0"}, nil, exitUsage, "REELKEEP_API_TOKENS"},
		{"an API for everybody behind a proxy", []string{"REELKEEP_PUBLIC_URL=https://videos.example.com"}, nil, exitUsage, "REELKEEP_API_TOKENS: set a token"},
		{"an API for all of IPv6", []string{"REELKEEP_LISTEN=:0"}, nil, exitUsage, "REELKEEP_LISTEN"},
		{"an API at an address that is taken", []string{"REELKEEP_LISTEN=" + strings.TrimPrefix(minio.Endpoint, "http://")}, nil, exitUsage, "REELKEEP_LISTEN"},
		{"an address that is taken", []string{"REELKEEP_OPS_LISTEN=" + strings.TrimPrefix(minio.Endpoint, "http://")}, nil, exitUsage, "REELKEEP_OPS_LISTEN"},
	} {
		code, out := f.serveToItsEnd(tc.set, tc.args...)
		if code != tc.code || !strings.Contains(out, tc.says) {
			t.Errorf("%s: exit %d, want %d and %q in:\n%s", tc.name, code, tc.code, tc.says, out)
		}
	}
}

func TestAWorkerOfAnotherFleetIsRefused(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	p := f.serve()
	p.untilReady()
	code, out := f.serveToItsEnd([]string{"REELKEEP_STORE=s3://" + minio.Bucket(t)})
	if code != exitUsage || !strings.Contains(out, "another store") {
		t.Errorf("exit %d, want %d:\n%s", code, exitUsage, out)
	}
}

func TestOneMachineNeedsNoRedis(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_REDIS=", "REELKEEP_SWEEP_EVERY=1h", "REELKEEP_STORE="+t.TempDir()+"/archive", "XDG_CACHE_HOME="+t.TempDir())
	ids := f.videos("o", 3, 1*mib)
	p := f.serve("--embedded")
	p.await("the warning", func() bool { return strings.Contains(p.said(), "a restart forgets") })
	for _, id := range ids {
		p.await(id, func() bool { return strings.Contains(p.said(), "video settled\" video_id="+id+" state=archived") })
	}
	if code, _ := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
	for _, id := range ids {
		f.proveStored(id)
	}
}

// An account whose key is wrong waits, and the other one's videos are archived all the same.
func TestAWrongKeyStopsOnlyItsOwnAccount(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	file := t.TempDir() + "/accounts.json"
	accounts := fmt.Sprintf(`[{"name":"east","api_key":%q},{"name":"west","api_key":"sk_wrong"}]`, f.sim.Key())
	if err := os.WriteFile(file, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "HEYGEN_API_KEY=", "REELKEEP_ACCOUNTS_FILE="+file)
	ids := f.videos("a", 3, 1*mib)
	p := f.serve("--roles", "worker")
	p.untilReady()
	for _, id := range ids {
		for _, account := range []string{"west", "east"} {
			if _, err := f.client.Enqueue(t.Context(), queue.Job{VideoID: id, Account: account}); err != nil {
				t.Fatal(err)
			}
		}
	}
	in := func(account, id string) queue.Status {
		s, err := f.client.StatusIn(t.Context(), account, id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, id := range ids {
		f.until(id+" of east", func() bool { return in("east", id).State == queue.StateArchived })
	}
	for _, id := range ids {
		if s := in("west", id); s.State.Settled() || s.Failures != 0 {
			t.Errorf("%s of the account with the wrong key is %s with %d failures; it must wait for a person", id, s.State, s.Failures)
		}
	}
	status, body := p.readyz()
	if status != http.StatusOK || !strings.Contains(body, "heygen/west") || !strings.Contains(body, "REELKEEP_ACCOUNTS_FILE") {
		t.Errorf("/readyz answers %d %q, want 200 and a word about west and its setting", status, body)
	}
	if strings.Contains(p.said()+body, "sk_wrong") {
		t.Error("the wrong key is shown")
	}
}
