package queuetest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server process that belongs to one test.
type Server struct {
	t    testing.TB
	addr string
	args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	dead chan struct{}
}

// Redis starts a redis-server and stops it when the test ends. The test fails if none is installed. extra are further
// arguments, such as "--maxmemory-policy", "noeviction".
func Redis(t testing.TB, extra ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not in PATH; on Debian: apt-get install redis-server")
	}
	host, port := freePort(t)
	s := &Server{t: t, addr: net.JoinHostPort(host, port)}
	// appendfsync always: a killed Redis must have everything it acknowledged, or a test could not tell
	// its loss from ours.
	s.args = append([]string{"--bind", host, "--port", port, "--dir", t.TempDir(), "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--loglevel", "warning",
		"--maxmemory-policy", "noeviction", "--maxclients", "500"}, extra...)
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Cluster starts a Redis Cluster of one node: it refuses keys of different slots in one script just as a large one.
func Cluster(t testing.TB) *Server {
	t.Helper()
	s := Redis(t, "--cluster-enabled", "yes")
	rdb := redis.NewClient(&redis.Options{Addr: s.addr})
	defer rdb.Close()
	ctx := t.Context()
	if err := rdb.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatalf("give the node all slots: %v", err)
	}
	s.await("the cluster to be up", func() bool {
		return rdb.Get(ctx, "any").Err() != nil && errors.Is(rdb.Get(ctx, "any").Err(), redis.Nil)
	})
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// URL is the address as REELKEEP_REDIS takes it.
func (s *Server) URL() string { return "redis://" + s.addr + "/0" }

// Start starts the process, on the same port and with the same data as before, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	cmd := exec.Command("redis-server", s.args...)
	cmd.Stderr = os.Stderr
	// If the test process dies without cleaning up, Redis must not stay behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	s.cmd = cmd
	s.dead = make(chan struct{})
	go func(dead chan struct{}) {
		_ = cmd.Wait()
		close(dead)
	}(s.dead)
	rdb := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
	defer rdb.Close()
	ctx := context.WithoutCancel(s.t.Context())
	s.await("redis-server to answer", func() bool { return rdb.Ping(ctx).Err() == nil })
}

// Stop ends the process as an operator would.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the process as the kernel would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("stop redis-server: %v", err)
	}
	<-s.dead
	s.cmd = nil
}

func (s *Server) await(what string, ok func() bool) {
	s.t.Helper()
	Await(s.t, what, ok)
}

// Await waits until ok answers true, asking every few milliseconds, and fails the test after half a minute.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func freePort(t testing.TB) (host, port string) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		p := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if p < 55000 { // a cluster node listens 10000 above as well
			return "127.0.0.1", strconv.Itoa(p)
		}
	}
	t.Fatal("no free port below 55000")
	return "", ""
}
