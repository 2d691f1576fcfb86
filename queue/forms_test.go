package queue_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// awkward is a password that a person might generate, with everything that has a meaning in a URL or for Redis.
const awkward = `pä ss/w:o@r?d#%+&=,"'\[]{}`

// guarded is a fleet behind a user who may do only what our hint says.
func guarded(tls bool) queuetest.Guard {
	_, rules, _ := strings.Cut(queue.ACLAdvice, "NAME ")
	return queuetest.Guard{TLS: tls, User: "reel/keeper", Password: awkward, Rules: rules}
}

// form is one kind of URL with servers behind it.
type form struct {
	name  string
	start func(t *testing.T) (url string, roots *x509.CertPool, nodes []*queuetest.Server)
	db    int
}

func forms() []form {
	single := func(tls bool) func(t *testing.T) (string, *x509.CertPool, []*queuetest.Server) {
		return func(t *testing.T) (string, *x509.CertPool, []*queuetest.Server) {
			s := queuetest.Guarded(t, guarded(tls))
			return strings.TrimSuffix(s.URL(), "0") + "3", s.Roots(), []*queuetest.Server{s}
		}
	}
	group := func(start func(testing.TB, queuetest.Guard) *queuetest.Group, tls bool) func(t *testing.T) (string, *x509.CertPool, []*queuetest.Server) {
		return func(t *testing.T) (string, *x509.CertPool, []*queuetest.Server) {
			g := start(t, guarded(tls))
			return g.URL, g.Roots(), g.Nodes
		}
	}
	return []form{
		{"redis", single(false), 3},
		{"rediss", single(true), 3},
		{"redis-sentinel", group(queuetest.Sentinel, false), 2},
		{"rediss-sentinel", group(queuetest.Sentinel, true), 2},
		{"redis-cluster", group(queuetest.Cluster3, false), 0},
		{"rediss-cluster", group(queuetest.Cluster3, true), 0},
	}
}

// over is how a bench connects with a URL as a user writes it.
func over(t *testing.T, url string, roots *x509.CertPool) func(*queuetest.Line) redis.UniversalClient {
	return func(line *queuetest.Line) redis.UniversalClient {
		rdb, err := queue.ConnectOver(url, line.Dial, roots)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { rdb.Close() })
		return rdb
	}
}

func TestFleetWorksOnEveryFormOfURL(t *testing.T) {
	t.Parallel()
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			url, roots, nodes := f.start(t)
			if !strings.HasPrefix(url, f.name+"://") {
				t.Fatalf("the servers are of another kind: %s", url)
			}
			b := newBench(t, over(t, url, roots))
			if ws, err := queue.CheckRedis(t.Context(), b.rdb); err != nil || len(ws) != 0 {
				t.Fatalf("CheckRedis: %v, %v", ws, err)
			}
			for _, n := range nodes {
				// What go-redis announces by itself is not known to every Redis, and a refusal costs a rest.
				if stats := n.Client().Info(t.Context(), "errorstats").Val(); strings.Contains(stats, "errorstat_ERR") {
					t.Errorf("a new connection was refused something: %s", stats)
				}
			}
			for _, part := range []struct {
				name string
				run  func(*bench)
			}{{"journey", fromEnqueueToArchived}, {"dispatcher", urgentFirst}, {"reconciler", killedWorkerIsReplaced}} {
				t.Run(part.name, func(t *testing.T) { part.run(newBench(t, over(t, url, roots))) })
				b.assertLedgerEmpty()
				for _, n := range nodes {
					if err := n.Client().FlushAll(t.Context()).Err(); err != nil && !redis.IsReadOnlyError(err) {
						t.Fatal(err)
					}
				}
			}
			b.assertDatabase(nodes[0], f.db)
		})
	}
}

// assertDatabase checks that keys go where the URL says.
func (b *bench) assertDatabase(s *queuetest.Server, db int) {
	b.t.Helper()
	b.enqueue(queue.Job{VideoID: "where"})
	keyspace := s.Client().Info(b.t.Context(), "keyspace").Val()
	if want := fmt.Sprintf("db%d:", db); db > 0 && !strings.Contains(keyspace, want) {
		b.t.Errorf("keys are in %q; the URL says %s", keyspace, want)
	}
}

func TestSentinelsFailoverCostsTimeOnly(t *testing.T) {
	t.Parallel()
	g := queuetest.Sentinel(t, queuetest.Guard{})
	b := newBench(t, over(t, g.URL, g.Roots()))
	h := newBlocks()
	s := b.serve(queue.ServerConfig{Concurrency: 2, MaxFailures: 1}, h.handle)
	b.enqueue(videos("f", 6)...)
	receive(t, "a transfer", h.started)
	receive(t, "a transfer", h.started)
	g.CaughtUp(t)
	g.Nodes[0].Kill()
	close(h.release) // two outcomes are told while there is no master
	s.untilSettled(6)
	for i := range 6 {
		if st := b.status(fmt.Sprintf("f%d", i)); st.State != queue.StateArchived || st.Failures != 0 {
			t.Errorf("after the failover: %+v", st)
		}
	}
	b.enqueue(queue.Job{VideoID: "after"})
	s.untilState("after", queue.StateArchived)
	if addr := g.Nodes[1].Client().Info(t.Context(), "replication").Val(); !strings.Contains(addr, "role:master") {
		t.Error("the replica was not made master; then this proves nothing")
	}
}

// TestClusterNodeMayShowACertificateForTheNamedHost: nodes announce their address, certificates hold names.
func TestClusterNodeMayShowACertificateForTheNamedHost(t *testing.T) {
	t.Parallel()
	g := queuetest.Cluster3(t, queuetest.Guard{TLS: true, Names: []string{"localhost"}})
	b := newBench(t, over(t, strings.Replace(g.URL, "127.0.0.1", "localhost", 1), g.Roots()))
	for i := range 20 { // keys on all three nodes
		if err := b.rdb.Set(t.Context(), fmt.Sprint("k", i), "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	foreign := over(t, strings.Replace(g.URL, "127.0.0.1", "127.0.0.2", 1), g.Roots())(&queuetest.Line{To: g.Nodes[0].Addr()})
	if _, err := queue.CheckRedis(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "certificate for another name") {
		t.Errorf("a certificate for a host that nobody named: %v", err)
	}
}

// TestPrivateCAIsTrustedThroughSSL_CERT_FILE asks a child process, since Go reads the variable once.
func TestPrivateCAIsTrustedThroughSSL_CERT_FILE(t *testing.T) {
	const urlVar = "QUEUE_TEST_CHILD_URL"
	if url := os.Getenv(urlVar); url != "" {
		c, err := queue.NewClient(url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Enqueue(t.Context(), queue.Job{VideoID: "by-a-child"}); err != nil {
			t.Fatalf("%v (%s)", err, hint(err))
		}
		return
	}
	t.Parallel()
	s := queuetest.TLS(t)
	child := func(env ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPrivateCAIsTrustedThroughSSL_CERT_FILE$", "-test.count=1")
		cmd.Env = append(append(os.Environ(), urlVar+"="+s.URL()), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := child("SSL_CERT_FILE=" + s.CAFile()); err != nil {
		t.Errorf("with the CA in SSL_CERT_FILE: %v\n%s", err, out)
	}
	if out, err := child(); err == nil || !strings.Contains(out, "SSL_CERT_FILE") {
		t.Errorf("without: %v\n%s\nwant a refusal whose hint names SSL_CERT_FILE", err, out)
	}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
