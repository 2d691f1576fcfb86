package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// What all tests of the command share: the real binary, built once, and one MinIO.
var (
	binary string
	minio  *storagetest.Server
)

func TestMain(m *testing.M) {
	code := 1
	defer func() { os.Exit(code) }()
	dir, err := os.MkdirTemp("", "reelkeep-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "reelkeep")
	if out, err := exec.Command("go", "build", "-race", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build reelkeep: %v\n%s", err, out)
		return
	}
	code = storagetest.RunWithMinIO(m, &minio)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "sim": simulate, "asset-requests": assetRequests, "http-status": httpStatus, "same": same, "no-secrets": noSecrets,
			"desk": deskCommand,
		},
	})
}

type simKey struct{}

// setupScript gives every script a HeyGen of its own, a bucket of its own and the environment of a user who has
// set what the README says.
func setupScript(e *testscript.Env) error {
	sim, err := heygensim.New(heygensim.Options{Key: "sk_V2_scripts_only"})
	if err != nil {
		return err
	}
	e.Defer(func() { _ = sim.Close() })
	e.Values[simKey{}] = sim
	setupDesk(e)
	bucket := minio.Bucket(e.T().(testing.TB))
	for k, v := range map[string]string{
		"PATH":           filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME":           e.WorkDir,
		"XDG_CACHE_HOME": filepath.Join(e.WorkDir, ".cache"),
		"HEYGEN_API_URL": sim.APIURL(), "HEYGEN_API_KEY": sim.Key(), "REELKEEP_PRIVATE_SOURCES": "127.0.0.0/8",
		"MINIO": minio.Endpoint, "MINIO_USER": minio.AccessKey, "MINIO_PASSWORD": minio.SecretKey, "BUCKET": bucket,
		"GORACE": "atexit_sleep_ms=0",
	} {
		e.Setenv(k, v)
	}
	return nil
}

func simOf(ts *testscript.TestScript) *heygensim.Sim { return ts.Value(simKey{}).(*heygensim.Sim) }

// exits CODE PROGRAM ARG…: the program ends with this very code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = 1
		if exit, ok := err.(*exec.ExitError); ok {
			got = exit.ExitCode()
		}
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// simulate changes the script's HeyGen: `sim sample`, `sim add ID STATE [TITLE]`, `sim remove ID`,
// `sim api STATUS TIMES`.
func simulate(ts *testscript.TestScript, _ bool, args []string) {
	sim := simOf(ts)
	switch args[0] {
	case "sample":
		for _, v := range heygensim.Sample() {
			v.CreatedAt, v.RenderFor = longAgo(), 0
			sim.Add(v)
		}
	case "add":
		v := heygensim.Video{ID: args[1], CreatedAt: longAgo(), Assets: map[string]heygensim.Asset{"video": {}, "thumbnail": {}, "gif": {}, "captions": {}}}
		if len(args) > 3 {
			title, err := strconv.Unquote(`"` + args[3] + `"`)
			ts.Check(err)
			v.Title = title
		}
		switch args[2] {
		case "failed":
			v.Fail = &heygensim.Failure{Code: "40119", Message: "Video is too long"}
		case "rendering":
			v.RenderFor = 100 * hour
		case "draft":
			v.Draft = true
		case "broken":
			v.Assets = map[string]heygensim.Asset{"video": {Fault: &heygensim.Fault{Kind: heygensim.FaultHTML}}}
		case "completed":
		default:
			ts.Fatalf("unknown state %s", args[2])
		}
		sim.Add(v)
	case "remove":
		sim.Remove(args[1])
	case "api":
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		times, err := strconv.Atoi(args[2])
		ts.Check(err)
		sim.APIFault(status, "<html>out of order</html>", times)
	default:
		ts.Fatalf("unknown: sim %s", args[0])
	}
}

// assetRequests N: so many requests have reached the asset host, and none carried a secret.
func assetRequests(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	for _, r := range simOf(ts).Requests() {
		if r.Host == "asset" {
			got++
		}
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("the asset host saw %d requests, want %s", got, args[0])
	}
	if leaks := simOf(ts).Leaks(); len(leaks) > 0 {
		ts.Fatalf("the asset host saw secrets: %q", leaks)
	}
}

// httpStatus CODE FILE: a GET of the link that the file holds answers so.
func httpStatus(ts *testscript.TestScript, _ bool, args []string) {
	res, err := http.Get(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if fmt.Sprint(res.StatusCode) != args[0] {
		ts.Fatalf("the link answers %d, want %s", res.StatusCode, args[0])
	}
}

// same ID ASSET FILE: the file holds the bytes that HeyGen serves.
func same(ts *testscript.TestScript, _ bool, args []string) {
	original, size := simOf(ts).Open(args[0], args[1])
	if original == nil {
		ts.Fatalf("HeyGen has no %s of %s", args[1], args[0])
	}
	want, err := io.ReadAll(io.NewSectionReader(original, 0, size))
	ts.Check(err)
	if ts.ReadFile(args[2]) != string(want) {
		ts.Fatalf("%s is not what HeyGen serves", args[2])
	}
}

// noSecrets FILE…: none of the files (stdout and stderr included) shows the key, a signature or S3's secret.
func noSecrets(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, hidden := range []string{simOf(ts).Key(), "Signature=", "Key-Pair-Id=", minio.SecretKey} {
			if strings.Contains(text, hidden) {
				ts.Fatalf("%s shows %q", name, hidden)
			}
		}
	}
}
