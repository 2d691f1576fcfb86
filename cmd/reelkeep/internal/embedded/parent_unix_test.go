//go:build unix

package embedded

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func setUmask(mask int) { unix.Umask(mask) }

func TestStoreEndsWithAKilledParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startParent(t, orders{Dir: dir, StateDir: t.TempDir()})
	c := newClient(t, p.S3)
	mustPut(t, c, "vid_1/video.mp4", "film")

	p.kill(t)
	next := startS3(t, S3Options{Dir: dir, LockWait: 20 * time.Second}) // the folder is free only when the child has ended
	eventually(t, "the orphan's port to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.S3.Endpoint, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if got := newClient(t, public(next)).get(t, "vid_1/video.mp4"); got.Body != "film" {
		t.Errorf("after the restart: %+v", got)
	}
}

func TestCtrlCLeavesTheStoreToTheDrain(t *testing.T) {
	t.Parallel()
	p := startParent(t, orders{Dir: t.TempDir(), StateDir: t.TempDir()})
	group := p.cmd.Process.Pid
	if err := syscall.Kill(-group, syscall.SIGINT); err != nil { // what a terminal does
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} { // what a service manager does
		if err := syscall.Kill(p.Child, sig); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := syscall.Getpgid(p.Child); err != nil || got == group {
		t.Errorf("the child is in group %d (%v), the parent's", got, err)
	}
	mustPut(t, newClient(t, p.S3), "vid_1/video.mp4", "the part that was in flight")
}

func TestStandardOutputStaysThePersons(t *testing.T) {
	t.Parallel()
	p := startParent(t, orders{Dir: t.TempDir(), StateDir: t.TempDir(), NoAttributes: true}) // the gateway prints about these
	mustPut(t, newClient(t, p.S3), "vid_1/video.mp4", "film")
	if stdout := p.end(t); stdout != "" {
		t.Errorf("something was printed to stdout: %q", stdout)
	}
}

func TestUmaskHidesVideosFromOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startParent(t, orders{Dir: dir, StateDir: t.TempDir(), Umask: 0o077})
	mustPut(t, newClient(t, p.S3), "vid_1/video.mp4", "film")
	for name, want := range map[string]fs.FileMode{"vid_1": 0o700, "vid_1/video.mp4": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestTakenPortIsRecognised(t *testing.T) {
	t.Parallel()
	addr, err := freeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err = net.Listen("tcp", addr); !isPortTaken(err) {
		t.Errorf("not recognised: %v", err)
	}
	if isPortTaken(nil) || isPortTaken(errLocked) {
		t.Error("something else is taken for it")
	}
}
