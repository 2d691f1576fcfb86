package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// member is one worker of the fleet: a process that is killed and started again.
type member struct {
	world *world
	n     int
	log   string             // appended to by every process in turn
	proxy *storagetest.Proxy // between it and MinIO

	mu     sync.Mutex
	cmd    *exec.Cmd // nil while it is down
	gone   chan struct{}
	frozen bool
	deaths []string // of processes that ended though nobody had told them to
}

// start starts the worker unless it runs.
func (m *member) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		return nil
	}
	out, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of worker %d: %w", m.n, err)
	}
	defer out.Close()
	cmd := exec.Command(m.world.binary, "serve") //nolint:noctx // how and when it ends is what this program is about
	cmd.Env, cmd.Stdout, cmd.Stderr = m.world.env(m.proxy), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker %d: %w", m.n, err)
	}
	gone := make(chan struct{})
	m.cmd, m.gone = cmd, gone
	go func() {
		_ = cmd.Wait()
		m.ended(cmd)
		close(gone)
	}()
	return nil
}

// ended notes a process that ended by itself. It is not started again at once: the next one that is killed in its place
// does that, as with a platform that backs off.
func (m *member) ended(cmd *exec.Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == cmd {
		m.cmd = nil
		m.deaths = append(m.deaths, fmt.Sprintf("worker %d ended by itself: %s (see %s)", m.n, cmd.ProcessState, m.log))
	}
}

// end sends a signal to the process, waits for its end, and says whether there was one. A frozen worker stays frozen:
// who is dead for its fleet is not killed as well.
func (m *member) end(sig syscall.Signal) bool {
	m.mu.Lock()
	cmd, gone := m.cmd, m.gone
	if cmd == nil || m.frozen {
		m.mu.Unlock()
		return false
	}
	m.cmd = nil
	m.mu.Unlock()
	_ = cmd.Process.Signal(sig) // fails only where it is dead already
	<-gone
	return true
}

// freeze stops the process from running until thaw, and says whether it did.
func (m *member) freeze() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil || m.frozen || m.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return false
	}
	m.frozen = true
	return true
}

func (m *member) thaw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen && m.cmd != nil {
		_ = m.cmd.Process.Signal(syscall.SIGCONT) // fails only where it is dead already
	}
	m.frozen = false
}

// kill ends it for good.
func (m *member) kill() {
	m.thaw()
	m.end(syscall.SIGKILL)
}
