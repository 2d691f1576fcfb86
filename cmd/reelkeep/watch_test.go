package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// command runs reelkeep against the desk's Redis.
func (d *desk) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "REELKEEP_REDIS="+d.redis.URL(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// follow starts a command and returns its stdout line by line, and what ends it.
func (d *desk) follow(stdin io.Reader, args ...string) (cmd *exec.Cmd, next func() string, wait func() (code int, stderr string)) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	d.t.Cleanup(cancel)
	var stderr bytes.Buffer
	cmd = d.command(ctx, args...)
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next = func() string {
		d.t.Helper()
		if !lines.Scan() {
			d.t.Fatalf("%v ended before the next line: %v", args, lines.Err())
		}
		return lines.Text()
	}
	return cmd, next, func() (int, string) {
		d.t.Helper()
		for lines.Scan() {
			d.t.Logf("%v goes on: %s", args, lines.Text())
		}
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode(), stderr.String()
	}
}

// Where nobody looks at a screen, a watch prints what changes, and lives through a restart of Redis.
func TestWatchPrintsWhatChanges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.enqueue("v_1")
	cmd, next, wait := d.follow(nil, "status", "--watch")
	counts := func(accepted, cancelled int) string {
		return fmt.Sprintf("accepted %d  rendering 0  transferring 0  partial 0  archived 0  failed 0  gone 0  cancelled %d  at risk 0  overdue 0", accepted, cancelled)
	}
	if got := next(); got != counts(1, 0) {
		t.Errorf("first: %s", got)
	}
	d.enqueue("v_2")
	if got := next(); got != counts(2, 0) {
		t.Errorf("then: %s", got)
	}
	d.redis.Stop()
	d.redis.Start()
	if err := d.client.Cancel(t.Context(), "", "v_1"); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != counts(1, 1) {
		t.Errorf("after a restart of Redis: %s", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code, said := wait(); code != exitInterrupted || strings.Contains(said, "reelkeep:") {
		t.Errorf("Ctrl-C ended it with %d and it said %q; want %d and no error", code, said, exitInterrupted)
	}
}

func TestWatchOfAVideoPrintsEveryStep(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.enqueue("stuck_1")
	_, next, wait := d.follow(nil, "status", "--watch", "stuck_1")
	if got := next(); got != "accepted   stuck_1" {
		t.Errorf("first: %s", got)
	}
	d.open()
	want := "transferring  stuck_1  video 25% of 4 MiB  Title of stuck_1"
	for got := ""; got != want; got = next() {
		if got != "" && !strings.HasPrefix(got, "transferring  stuck_1  ") {
			t.Errorf("%q before %q", got, want)
		}
	}
	if err := d.client.Cancel(t.Context(), "", "stuck_1"); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.HasPrefix(got, "cancelled  stuck_1") {
		t.Errorf("last: %s", got)
	}
	if code, said := wait(); code != exitNotDone || said != "" {
		t.Errorf("it ended with %d and said %q; want %d: the video will not be archived", code, said, exitNotDone)
	}
}

// A video that Redis forgets in the middle is waited for: the worker that has it, or a sweep, brings it back.
func TestWatchWaitsForAVideoThatRedisForgot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.enqueue("v_1")
	_, next, wait := d.follow(nil, "status", "--watch", "v_1", "--json")
	if got := next(); !strings.Contains(got, `"state":"accepted","reason":null`) {
		t.Errorf("first: %s", got)
	}
	rdb, err := queue.Connect(d.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.Contains(got, `"state":"accepted","reason":"Redis has forgotten it;`) {
		t.Errorf("after Redis was emptied: %s", got)
	}
	d.enqueue("v_1")
	if err := d.client.Cancel(t.Context(), "", "v_1"); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(next(), `"state":"cancelled","reason":null`) {
	}
	if code, _ := wait(); code != exitNotDone {
		t.Errorf("it ended with %d", code)
	}
}

// moving is something to watch whose looks end as it says.
type moving struct {
	looks []error
	told  int
}

func (m *moving) look(context.Context) (bool, error) {
	if len(m.looks) == 0 {
		return true, nil
	}
	err := m.looks[0]
	m.looks = m.looks[1:]
	return false, err
}
func (m *moving) screen() []string { return []string{"what was seen last"} }
func (m *moving) tell(*news) error { m.told++; return nil }
func (m *moving) end() error       { return withCode(exitNotYet, errReported) }

func TestWatchGivesRedisTimeToComeBack(t *testing.T) {
	t.Parallel()
	away := withCode(exitDependency, errors.New("REELKEEP_REDIS: connection refused"))
	other := errors.New("what Redis holds about it can't be read")
	for _, c := range []struct {
		name     string
		looks    []error
		patience time.Duration
		want     int
		says     string
	}{
		{"all is well", []error{nil, nil}, time.Hour, exitNotYet, ""},
		{"away and back", []error{nil, away, away, nil}, time.Hour, exitNotYet, "REELKEEP_REDIS: connection refused; looking again until it answers\nRedis is back\n"},
		{"away for too long", []error{nil, away, away}, 0, exitDependency, "REELKEEP_REDIS: connection refused; looking again until it answers\n"},
		{"never there", []error{away, nil}, time.Hour, exitDependency, ""},
		{"not Redis's fault", []error{nil, other}, time.Hour, exitNotDone, ""},
	} {
		var out, said bytes.Buffer
		r := &statusRun{con: newConsole(strings.NewReader(""), &out, &said)}
		w := r.newWatch()
		w.every, w.patience = time.Millisecond, c.patience
		err := w.do(t.Context(), &moving{looks: c.looks})
		if code := codeOf(t.Context(), err); code != c.want || said.String() != c.says {
			t.Errorf("%s: it ended with %d (%v) and said %q; want %d and %q", c.name, code, err, said.String(), c.want, c.says)
		}
	}
}

func TestTheExitCodeOfStatusSaysWhetherWaitingHelps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		states []queue.State // "" is a video that nobody knows
		want   int
	}{
		{[]queue.State{queue.StateArchived, queue.StatePartial}, exitOK},
		{[]queue.State{queue.StateArchived, queue.StateFailed}, exitNotDone},
		{[]queue.State{queue.StateGone}, exitNotDone},
		{[]queue.State{queue.StateCancelled}, exitNotDone},
		{[]queue.State{queue.StateFailed, queue.StateRendering}, exitNotYet},
		{[]queue.State{queue.StateAccepted}, exitNotYet},
		{[]queue.State{queue.StateTransferring}, exitNotYet},
		{[]queue.State{queue.StateArchived, ""}, exitNotYet},
	} {
		var e ends
		for _, s := range c.states {
			if s == "" {
				e.add(nil)
				continue
			}
			e.add(&videoReport{report.Video{State: string(s)}})
		}
		if got := codeOf(t.Context(), e.err()); got != c.want {
			t.Errorf("%v: %d, want %d", c.states, got, c.want)
		}
	}
}

// Whoever feeds a long list learns how far it came.
func TestEnqueueSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		by   func(d *desk, cmd *exec.Cmd, keyboard io.Writer)
		want int
		says string
	}{
		"Redis fails": {func(d *desk, _ *exec.Cmd, keyboard io.Writer) {
			d.redis.Stop()
			fmt.Fprintln(keyboard, "v_3")
		}, exitDependency, "reelkeep: enqueue: Redis (REELKEEP_REDIS) is out of reach: "},
		"Ctrl-C": {func(d *desk, cmd *exec.Cmd, _ io.Writer) {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				d.t.Fatal(err)
			}
		}, exitInterrupted, "reelkeep: interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			stdin, keyboard, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer keyboard.Close()
			cmd, next, wait := d.follow(stdin, "enqueue", "-")
			stdin.Close()
			fmt.Fprintln(keyboard, "v_1\nv_2\nv_1")
			got := []string{next(), next(), next()}
			if diff := cmp.Diff([]string{"accepted   v_1", "accepted   v_2", "duplicate  v_1  accepted"}, got); diff != "" {
				t.Error(diff)
			}
			end.by(d, cmd, keyboard)
			code, said := wait()
			if code != end.want || !strings.HasPrefix(said, "2 accepted so far, 1 duplicate; running the same command again is harmless\n"+end.says) || strings.Count(strings.Split(said, "  hint: ")[0], "\n") != 2 {
				t.Errorf("it ended with %d and said %q; want %d, how far it came, and %q", code, said, end.want, end.says)
			}
		})
	}
}
