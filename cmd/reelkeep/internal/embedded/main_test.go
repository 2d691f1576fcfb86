package embedded

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// parentEnv makes this test binary play a reelkeep that starts a store and then waits for the end of its own standard
// input. Its value is the helper's orders.
const parentEnv = "REELKEEP_TEST_PARENT"

type orders struct {
	Dir, StateDir string
	NoAttributes  bool
	Umask         int
}

// parentSays is the one line that the helper prints.
type parentSays struct {
	S3    S3Public
	Child int
}

// S3Public is what a program needs to talk to a store.
type S3Public struct{ Endpoint, AccessKey, SecretKey, Region, Bucket string }

func TestMain(m *testing.M) {
	RunIfChild()
	if o := os.Getenv(parentEnv); o != "" {
		os.Exit(playParent(o))
	}
	goleak.VerifyTestMain(m)
}

func playParent(encoded string) int {
	var o orders
	if err := json.Unmarshal([]byte(encoded), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	signal.Ignore(os.Interrupt) // a reelkeep that drains, too, outlives Ctrl-C for a while
	if o.Umask != 0 {
		setUmask(o.Umask)
	}
	s, err := StartS3(background(), S3Options{Dir: o.Dir, StateDir: o.StateDir, noAttributes: o.NoAttributes})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	line, err := json.Marshal(parentSays{S3: public(s), Child: s.cmd.Process.Pid})
	if err != nil {
		return 1
	}
	fmt.Println(string(line))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func public(s *S3) S3Public {
	return S3Public{s.Endpoint, s.AccessKey, s.SecretKey, s.Region, s.Bucket}
}

// parent is a running helper.
type parent struct {
	parentSays

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	rest   <-chan string // everything else it printed, once it has ended
	waited bool
}

// startParent runs the helper in a process group of its own, as a shell would.
func startParent(t *testing.T, o orders) *parent {
	t.Helper()
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	p := &parent{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), parentEnv+"="+string(encoded))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, rest := make(chan string, 1), make(chan string, 1)
	p.rest = rest
	go func() {
		var others []string
		eachLine(stdout, func(line string) {
			select {
			case first <- line:
			default:
				others = append(others, line)
			}
		})
		close(first)
		rest <- strings.Join(others, "\n")
	}()
	t.Cleanup(func() { p.end(t) })
	if err := json.Unmarshal([]byte(<-first), &p.parentSays); err != nil {
		t.Fatalf("the helper's first line on stdout is not its own: %v", err)
	}
	return p
}

// end closes the helper's standard input and waits for it.
func (p *parent) end(t *testing.T) (stdout string) {
	t.Helper()
	if p.waited {
		return ""
	}
	p.waited = true
	_ = p.stdin.Close()
	stdout = <-p.rest
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the helper ended with %v", err)
	}
	return stdout
}

// kill ends the helper as SIGKILL does: without a word.
func (p *parent) kill(t *testing.T) {
	t.Helper()
	p.waited = true
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.rest
	_ = p.cmd.Wait() // "signal: killed" is what was asked for
}

// eventually waits for something that another process does, which has no signal to wait on.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited 20 s for: %s", what)
		case <-again.C:
		}
	}
}
