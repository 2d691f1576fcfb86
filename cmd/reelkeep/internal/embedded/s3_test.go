package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// startS3 serves dir until the test ends.
func startS3(t *testing.T, opts S3Options) *S3 {
	t.Helper()
	if opts.StateDir == "" {
		opts.StateDir = t.TempDir()
	}
	s, err := StartS3(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustPut(t *testing.T, c *client, key, body string, header ...string) {
	t.Helper()
	if got := c.put(t, key, body, header...); got.Code != http.StatusOK {
		t.Fatalf("put %s: %+v", key, got)
	}
}

func TestVideoIsAnOrdinaryFileInThePersonsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on", "the way")
	s := startS3(t, S3Options{Dir: dir})
	c := newClient(t, public(s))
	mustPut(t, c, "vid_1/video.mp4", "film")
	mustPut(t, c, "vid_1/manifest.json", "{}")

	got, err := os.ReadFile(filepath.Join(dir, "vid_1", "video.mp4"))
	if err != nil || string(got) != "film" {
		t.Errorf("the file in the folder: %q, %v", got, err)
	}
	if diff := cmp.Diff([]string{".sgwtmp", "vid_1"}, names(t, dir)); diff != "" {
		t.Errorf("the folder holds something else (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"manifest.json", "video.mp4"}, names(t, filepath.Join(dir, "vid_1"))); diff != "" {
		t.Errorf("the video's folder holds something else (-want +got):\n%s", diff)
	}
	if list := c.list(t); strings.Contains(list, ".sgwtmp") || strings.Contains(list, "lock") {
		t.Errorf("a listing shows what is ours alone: %s", list)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestNothingIsOverwrittenAfterARestart(t *testing.T) {
	t.Parallel()
	for _, noAttributes := range []bool{false, true} {
		t.Run(fmt.Sprintf("attributes_in_state_dir=%v", noAttributes), func(t *testing.T) {
			t.Parallel()
			opts := S3Options{Dir: t.TempDir(), StateDir: t.TempDir(), noAttributes: noAttributes}
			first := startS3(t, opts)
			mustPut(t, newClient(t, public(first)), "vid_1/manifest.json", "first", "If-None-Match", "*")
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}

			opts.Dir = throughLink(t, opts.Dir)
			c := newClient(t, public(startS3(t, opts)))
			if got := c.put(t, "vid_1/manifest.json", "second", "If-None-Match", "*"); got.Code != http.StatusPreconditionFailed {
				t.Errorf("a second create: %+v, want 412", got)
			}
			if got := c.get(t, "vid_1/manifest.json"); got.Body != "first" {
				t.Errorf("the object is %+v, want the first one", got)
			}
		})
	}
}

// throughLink gives the same folder another name.
func throughLink(t *testing.T, dir string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func TestSecondReelkeepOnAFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startS3(t, S3Options{Dir: dir})
	for _, name := range []string{dir, throughLink(t, dir)} {
		_, err := StartS3(t.Context(), S3Options{Dir: name, StateDir: t.TempDir(), LockWait: time.Millisecond})
		refused, ok := errors.AsType[*FolderError](err)
		if !ok || !refused.InUse {
			t.Fatalf("a second store on %s: %v, want it refused as in use", name, err)
		}
		if want := fmt.Sprintf("folder %q is in use by another reelkeep", first.Folder); err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if !strings.Contains(refused.Hint(), "REELKEEP_STORE") {
			t.Errorf("the hint names no setting: %s", refused.Hint())
		}
	}
	mustPut(t, newClient(t, public(first)), "vid_1/video.mp4", "the first one is not disturbed")
}

// ear is where a log goes whose reader waits for one text.
type ear struct {
	text   string
	signal chan struct{}
}

func (e ear) Write(line []byte) (int, error) {
	if strings.Contains(string(line), e.text) {
		select {
		case e.signal <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// heard is a log that signals when the child says text.
func heard(text string) (*slog.Logger, <-chan struct{}) {
	e := ear{text, make(chan struct{}, 1)}
	return slog.New(slog.NewTextHandler(e, &slog.HandlerOptions{Level: slog.LevelDebug})), e.signal
}

func TestNextReelkeepWaitsForTheLastOneToLeave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startS3(t, S3Options{Dir: dir})
	log, waits := heard(waitingForLock)
	opts := S3Options{Dir: dir, StateDir: t.TempDir(), LockWait: time.Minute, Log: log}
	type result struct {
		s   *S3
		err error
	}
	next := make(chan result, 1)
	go func() {
		s, err := StartS3(t.Context(), opts)
		next <- result{s, err}
	}()
	<-waits
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-next
	if got.err != nil {
		t.Fatal(got.err)
	}
	mustPut(t, newClient(t, public(got.s)), "vid_1/video.mp4", "film")
	if err := got.s.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	startS3(t, S3Options{Dir: dir})
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	log, waits := heard(waitingForLock)
	go func() {
		<-waits
		cancel(enough)
	}()
	if _, err := StartS3(ctx, S3Options{Dir: dir, StateDir: state, LockWait: time.Hour, Log: log}); !errors.Is(err, enough) {
		t.Errorf("a start that waited for the folder ended with %v, want %v", err, enough)
	}
	if _, err := StartS3(ctx, S3Options{Dir: t.TempDir(), StateDir: state}); !errors.Is(err, enough) {
		t.Errorf("a start after the end of its context: %v, want %v", err, enough)
	}
}

func TestStoreOutlivesTheContextItWasStartedWith(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := StartS3(ctx, S3Options{Dir: t.TempDir(), StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	mustPut(t, newClient(t, public(s)), "vid_1/video.mp4", "the last part of a drain")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-s.Done():
	default:
		t.Error("Close returned and the store is not done")
	}
	if s.Err() != nil {
		t.Errorf("a clean end is an error: %v", s.Err())
	}
}

func TestStoreThatDiesIsNoticed(t *testing.T) {
	t.Parallel()
	s := startS3(t, S3Options{Dir: t.TempDir()})
	if s.Err() != nil {
		t.Errorf("a running store has the error %v", s.Err())
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), s.Folder) {
		t.Errorf("a killed store: %v, want an error that names the folder", err)
	}
}

func TestStartLeavesTheWorkingDirectoryAlone(t *testing.T) {
	t.Parallel()
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := startS3(t, S3Options{Dir: t.TempDir()})
	mustPut(t, newClient(t, public(s)), "vid_1/video.mp4", "film")
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("the working directory went from %s to %s (%v)", before, after, err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := startS3(t, S3Options{Dir: t.TempDir()})
	for _, format := range []string{"%v", "%s", "%+v"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, s.SecretKey) || strings.Contains(text, s.AccessKey) {
			t.Errorf("%s prints a key: %s", format, text)
		}
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.cmd.Process.Pid)); err == nil && strings.Contains(string(line), s.SecretKey) {
		t.Errorf("the child's arguments hold a key: %q", line)
	}
}

func TestStoreWithAnotherKeyIsClosed(t *testing.T) {
	t.Parallel()
	s := public(startS3(t, S3Options{Dir: t.TempDir()}))
	s.SecretKey = "guess"
	if got := newClient(t, s).put(t, "vid_1/video.mp4", "film"); got.Code != http.StatusForbidden {
		t.Errorf("a wrong key got %+v, want 403", got)
	}
	resp, err := http.Get(s.Endpoint + "/" + s.Bucket + "?list-type=2")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a key: %s, want 403", resp.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// Not parallel: it changes the environment of this process.
func TestChildSeesNoSecretOfItsParent(t *testing.T) {
	t.Setenv("HEYGEN_API_KEY", "sk_marker")
	t.Setenv("REELKEEP_REDIS", "redis://:marker@localhost")
	for _, kv := range childEnv() {
		if strings.Contains(kv, "marker") {
			t.Errorf("the child is given %s", kv)
		}
	}
	s := startS3(t, S3Options{Dir: t.TempDir()})
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.cmd.Process.Pid))
	if err == nil && strings.Contains(string(env), "marker") {
		t.Error("the child's environment holds a secret of its parent")
	}
}

func TestChildStartedByHandSaysSo(t *testing.T) {
	t.Parallel()
	for _, stdin := range []string{"", "hello\n", "{}\n", `{"root":"/x"}` + "\n"} {
		cmd := exec.Command(os.Args[0], childArg)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), "starts this part by itself") {
			t.Errorf("stdin %q: %v, %s", stdin, err, out)
		}
	}
}

func TestAFolderCanBeReadWhileAnotherReelkeepWorksInIt(t *testing.T) {
	t.Parallel()
	dir, state := filepath.Join(t.TempDir(), "archive"), t.TempDir()
	look := S3Options{Dir: dir, StateDir: state, ReadOnly: true}
	var missing *FolderError
	if _, err := StartS3(t.Context(), look); !errors.As(err, &missing) || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("a folder that is not there: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking made the folder")
	}
	writer := newClient(t, public(startS3(t, S3Options{Dir: dir, StateDir: state})))
	mustPut(t, writer, "vid/video.mp4", "bytes")
	reader := newClient(t, public(startS3(t, look)))
	if got := reader.get(t, "vid/video.mp4"); got.Body != "bytes" {
		t.Errorf("read %+v", got)
	}
	if got := reader.put(t, "vid/other.mp4", "x"); got.Code < 400 {
		t.Errorf("a store that is only looked at took a file: %+v", got)
	}
}
