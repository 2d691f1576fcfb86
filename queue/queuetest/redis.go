package queuetest

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Guard is how servers are locked. The zero value leaves them open, without TLS.
type Guard struct {
	TLS   bool
	Names []string // in the certificate; 127.0.0.1 and localhost unless given
	// User and Password are those of an ACL user. The default user is switched off then.
	User, Password string
	// Rules are what the user may do, as ACL SETUSER takes them; everything unless given.
	Rules string
}

// The servers of a guarded group know each other, and the test commands them, by this user.
const keeper = "keeper"

// Server is a redis-server process that belongs to one test.
type Server struct {
	t     testing.TB
	guard Guard
	ca    *CA
	dir   string
	addr  string
	args  func(port string) []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	dead <-chan struct{}
}

// Redis starts a redis-server and stops it when the test ends. The test fails if none is installed. extra are further
// arguments, such as "--maxmemory-policy", "noeviction".
func Redis(t testing.TB, extra ...string) *Server {
	t.Helper()
	return newServer(t, Guard{}, nil, extra...)
}

// Guarded is Redis behind the guard.
func Guarded(t testing.TB, g Guard, extra ...string) *Server {
	t.Helper()
	return newServer(t, g, caFor(t, g), extra...)
}

// TLS starts a redis-server that speaks only TLS, with a certificate of a CA made for this test; see Roots and CAFile.
func TLS(t testing.TB, extra ...string) *Server {
	t.Helper()
	return Guarded(t, Guard{TLS: true}, extra...)
}

func newServer(t testing.TB, g Guard, ca *CA, extra ...string) *Server {
	t.Helper()
	s := &Server{t: t, guard: g, ca: ca, dir: t.TempDir()}
	locks := s.locks()
	s.args = func(port string) []string {
		return slices.Concat(durable(s.dir), s.ports(port), locks, extra)
	}
	s.launch()
	return s
}

// launch starts the process on a free port. Somebody else may take the port in the moment between.
func (s *Server) launch() {
	s.t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		s.t.Fatal("redis-server is not in PATH; on Debian: apt-get install redis-server")
	}
	s.t.Cleanup(s.Kill)
	for range 5 {
		s.addr = net.JoinHostPort("127.0.0.1", freePort(s.t))
		if s.start() {
			return
		}
	}
	s.t.Fatal("redis-server ended at its start, on five ports")
}

func (s *Server) ports(port string) []string {
	if s.guard.TLS {
		return []string{"--port", "0", "--tls-port", port}
	}
	return []string{"--port", port}
}

// locks writes the files that the guard needs and returns the arguments that name them.
func (s *Server) locks() []string {
	var args []string
	if s.guard.TLS {
		cert, key := s.ca.issue(s.t, s.dir, s.guard.Names)
		args = append(args, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", s.ca.File,
			"--tls-auth-clients", "no", "--tls-replication", "yes", "--tls-cluster", "yes")
	}
	if s.guard.User != "" {
		rules := s.guard.Rules
		if rules == "" {
			rules = "~* &* +@all"
		}
		file := filepath.Join(s.dir, "users.acl")
		lines := fmt.Sprintf("user default off\nuser %s on >%s ~* &* +@all\nuser %s on #%x %s\n",
			keeper, keeper, s.guard.User, sha256.Sum256([]byte(s.guard.Password)), rules)
		if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
			s.t.Fatalf("write the ACL file: %v", err)
		}
		args = append(args, "--aclfile", file, "--masteruser", keeper, "--masterauth", keeper)
	}
	return args
}

// Cluster starts a Redis Cluster of one node: it refuses keys of different slots in one script just as a large one.
func Cluster(t testing.TB) *Server {
	t.Helper()
	s := Redis(t, "--cluster-enabled", "yes")
	rdb := s.Client()
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
func (s *Server) URL() string { return s.guard.url("redis", []string{s.addr}, "/0") }

// Roots holds the CA of a server that speaks TLS; nil without TLS.
func (s *Server) Roots() *x509.CertPool { return s.ca.roots() }

// CAFile is the same CA as a file in PEM.
func (s *Server) CAFile() string { return s.ca.File }

// Client is a connection with all rights, closed when the test ends.
func (s *Server) Client() *redis.Client {
	rdb := s.client()
	s.t.Cleanup(func() { rdb.Close() })
	return rdb
}

func (s *Server) client() *redis.Client { return redis.NewClient(s.options()) }

func (s *Server) options() *redis.Options {
	opt := &redis.Options{Addr: s.addr, MaxRetries: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}}
	if s.guard.TLS {
		opt.TLSConfig = s.ca.client(s.t, s.dir)
	}
	if s.guard.User != "" {
		opt.Username, opt.Password = keeper, keeper
	}
	return opt
}

// url is REELKEEP_REDIS for servers behind this guard.
func (g Guard) url(scheme string, addrs []string, rest string) string {
	if g.TLS {
		scheme = strings.Replace(scheme, "redis", "rediss", 1)
	}
	u := scheme + "://"
	if g.User != "" {
		u += url.UserPassword(g.User, g.Password).String() + "@"
	}
	return u + strings.Join(addrs, ",") + rest
}

// Start starts the process, on the same port and with the same data as before, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatal("redis-server ended at its start")
	}
}

// start says whether the process lives long enough to answer.
func (s *Server) start() bool {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return true
	}
	_, port, _ := net.SplitHostPort(s.addr)
	rdb := s.client()
	defer rdb.Close()
	cmd, dead, err := spawn(context.WithoutCancel(s.t.Context()), s.args(port), rdb)
	if errors.Is(err, errEnded) {
		return false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.dead = cmd, dead
	return true
}

// Stop ends the process as an operator would.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the process as the kernel would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Freeze keeps the process from running, as a machine does that is short of memory: connections stay, answers do not come.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		s.t.Fatal("this Redis does not run")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

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

func freePort(t testing.TB) string {
	t.Helper()
	port, err := findPort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
