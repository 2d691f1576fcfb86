package queuetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A Process is a redis-server that no test owns: whoever starts it kills it. Its methods may be called by one goroutine
// at a time.
type Process struct {
	Addr string // host:port, the same after every start
	dir  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	dead <-chan struct{}
}

// StartRedis starts a redis-server whose append-only file lies in dir.
func StartRedis(ctx context.Context, dir string) (*Process, error) {
	p := &Process{dir: dir}
	for range 5 { // somebody else may take the port in the moment between
		port, err := findPort()
		if err != nil {
			return nil, err
		}
		p.Addr = net.JoinHostPort("127.0.0.1", port)
		if err = p.Start(ctx); !errors.Is(err, errEnded) {
			return p, err
		}
	}
	return nil, errors.New("start redis-server: it ended at its start, on five ports")
}

// URL is the address as REELKEEP_REDIS takes it.
func (p *Process) URL() string { return "redis://" + p.Addr + "/0" }

// Start starts it again, with what it remembers, and returns when it answers.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	rdb := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	defer rdb.Close()
	_, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	p.cmd, p.dead, err = spawn(ctx, append(durable(p.dir), "--port", port), rdb)
	return err
}

// Kill ends it as the kernel would.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // fails only where it is dead already
	<-p.dead
	p.cmd = nil
}

// durable is how every redis-server is set up. appendfsync always: a killed Redis must have everything it acknowledged,
// or a test could not tell its loss from ours.
func durable(dir string) []string {
	return []string{"--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--loglevel", "warning",
		"--maxmemory-policy", "noeviction", "--maxclients", "500"}
}

var errEnded = errors.New("redis-server ended before it answered")

// spawn starts a redis-server and returns when it answers rdb, or errEnded.
func spawn(ctx context.Context, args []string, rdb *redis.Client) (*exec.Cmd, <-chan struct{}, error) {
	cmd := exec.Command("redis-server", args...)
	cmd.Stderr = os.Stderr
	// If the test process dies without cleaning up, Redis must not stay behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start redis-server: %w", err)
	}
	dead := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(dead)
	}()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := rdb.Ping(ctx).Err(); err == nil || redis.IsAuthError(err) { // a password of the test's own: it answers
			return cmd, dead, nil
		}
		select {
		case <-dead:
			return nil, nil, errEnded
		case <-limit.C:
			_ = cmd.Process.Kill()
			<-dead
			return nil, nil, errors.New("start redis-server: it does not answer")
		case <-tick.C:
		}
	}
}

func findPort() (string, error) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		p := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if p < 55000 { // a cluster node listens 10000 above as well
			return strconv.Itoa(p), nil
		}
	}
	return "", errors.New("find a free port: none below 55000")
}
