package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// window is a terminal with a program in it.
type window struct {
	t      *testing.T
	pty    *os.File
	cmd    *exec.Cmd
	stderr bytes.Buffer

	mu    sync.Mutex
	shown terminal
	ended chan error
}

// openWindow runs a command as somebody would who typed it: its keyboard and its stdout are a terminal.
func openWindow(t *testing.T, env []string, args ...string) *window {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(pty.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(pty.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(pty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	w := &window{t: t, pty: pty, cmd: exec.Command(binary, args...), ended: make(chan error, 1)}
	w.cmd.Env = append(os.Environ(), env...)
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = tty, tty, &w.stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go w.look()
	go func() { w.ended <- w.cmd.Wait() }()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = pty.Close()
	})
	return w
}

func (w *window) look() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.pty.Read(buf)
		w.mu.Lock()
		w.shown.play(string(buf[:n]))
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (w *window) screen() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.shown.lines, "\n")
}

// await waits until the whole screen is what want says.
func (w *window) await(what, want string) {
	w.t.Helper()
	re := regexp.MustCompile(`^` + want + `\n*$`)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the screen:\n%s", w.screen())
		}
	})
	queuetest.Await(w.t, what, func() bool { return re.MatchString(w.screen()) })
}

func (w *window) wait() int {
	w.t.Helper()
	queuetest.Await(w.t, "the program to end", func() bool {
		select {
		case err := <-w.ended:
			w.ended <- err
			return true
		default:
			return false
		}
	})
	return w.cmd.ProcessState.ExitCode()
}

func TestWatchShowsTheFleetUntilCtrlC(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.open()
	d.enqueue("failed_1", "flaky_1", "ok_1", "stuck_1", "stuck_22", "rendering_1")
	for id, state := range map[string]queue.State{"failed_1": queue.StateFailed, "ok_1": queue.StateArchived, "rendering_1": queue.StateRendering} {
		d.await(id, state)
	}
	w := openWindow(t, []string{"REELKEEP_REDIS=" + d.redis.URL()}, "status", "--watch")
	w.await("the screen", `reelkeep \d\d:\d\d:\d\d · Ctrl-C ends

accepted 1  rendering 1  transferring 2  partial 0  archived 1  failed 1  gone 0  cancelled 0
2 at risk \(less than a day left\), 0 overdue; the earliest deadline is in 2h59m, 20\S+Z

2 transfers under way, 0 waiting
  stuck_1   video 25% of 4 MiB        Title of stuck_1
  stuck_22  video 25% of 4 MiB        Title of stuck_22

went wrong last
  (failed        failed_1  \d+s ago — render failed: Video is too long
  accepted      flaky_1  \d+s ago, again in \S+ — ask HeyGen: 502 Bad Gateway|`+
		`accepted      flaky_1  \d+s ago, again in \S+ — ask HeyGen: 502 Bad Gateway
  failed        failed_1  \d+s ago — render failed: Video is too long)`)
	if err := d.client.Cancel(t.Context(), "", "stuck_1"); err != nil {
		t.Fatal(err)
	}
	w.await("the change", `(?s)reelkeep.*transferring 1 .*cancelled 1\n.*1 transfer under way, 0 waiting
  stuck_22  video 25% of 4 MiB        Title of stuck_22
.*`)
	if _, err := io.WriteString(w.pty, "\x03"); err != nil {
		t.Fatal(err)
	}
	if code := w.wait(); code != exitInterrupted || w.stderr.Len() > 0 {
		t.Errorf("Ctrl-C ended it with %d and it said %q; want %d and nothing", code, w.stderr.String(), exitInterrupted)
	}
}

func TestWatchShowsNamedVideosUntilAllHaveEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.enqueue("ok_1", "failed_1")
	w := openWindow(t, []string{"REELKEEP_REDIS=" + d.redis.URL()}, "status", "--watch", "failed_1", "ok_1", "nobody", "ok_1")
	w.await("the screen", `reelkeep \d\d:\d\d:\d\d · 1 of 3 videos ended · Ctrl-C ends the watching

  accepted      failed_1
  accepted      ok_1
  unknown       nobody`)
	d.redis.Stop()
	w.await("the screen without Redis", `for \d+s without an answer: [^\n]*REELKEEP_REDIS[^\n]*

reelkeep \d\d:\d\d:\d\d · 1 of 3 videos ended · Ctrl-C ends the watching

  accepted      failed_1
  accepted      ok_1
  unknown       nobody`)
	d.redis.Start()
	d.open()
	w.await("the end", `reelkeep \d\d:\d\d:\d\d · 3 of 3 videos ended · Ctrl-C ends the watching

  failed        failed_1  — render failed: Video is too long
  archived      ok_1      4 MiB  1 asset  Title of ok_1
  unknown       nobody`)
	if code := w.wait(); code != exitNotYet || w.stderr.Len() > 0 {
		t.Errorf("it ended with %d and said %q; want %d (nobody knows one of them) and nothing", code, w.stderr.String(), exitNotYet)
	}
}
