package queuetest

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Group is several servers that are one Redis together.
type Group struct {
	URL string // as REELKEEP_REDIS takes it
	// Nodes hold data: the three primaries of a cluster, or the first master and its replica.
	Nodes []*Server
	// Sentinel watches them, if they are not a cluster.
	Sentinel *Server
}

// Roots holds the CA of a group that speaks TLS; nil without TLS.
func (g *Group) Roots() *x509.CertPool { return g.Nodes[0].Roots() }

// CAFile is the same CA as a file in PEM.
func (g *Group) CAFile() string { return g.Nodes[0].CAFile() }

// Cluster3 starts a Redis Cluster of three nodes, a third of the slots on each. URL names one of them.
func Cluster3(t testing.TB, g Guard) *Group {
	t.Helper()
	ca := caFor(t, g)
	group := &Group{}
	ctx := t.Context()
	for i := range 3 {
		s := newServer(t, g, ca, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", freePort(t))
		rdb := s.Client()
		from, to := i*16384/3, (i+1)*16384/3-1
		if err := rdb.ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatalf("give node %d its slots: %v", i, err)
		}
		if err := rdb.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			t.Fatalf("number node %d: %v", i, err)
		}
		group.Nodes = append(group.Nodes, s)
	}
	first := group.Nodes[0].Client()
	for _, s := range group.Nodes[1:] {
		host, port, _ := net.SplitHostPort(s.addr)
		bus := s.Client().ConfigGet(ctx, "cluster-port").Val()["cluster-port"]
		if err := first.Do(ctx, "cluster", "meet", host, port, bus).Err(); err != nil {
			t.Fatalf("introduce %s: %v", s.addr, err)
		}
	}
	for _, s := range group.Nodes {
		rdb := s.Client()
		Await(t, "the cluster to be whole", func() bool {
			info := rdb.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	group.URL = g.url("redis-cluster", []string{group.Nodes[0].addr}, "")
	return group
}

// Sentinel starts a master, a replica that has caught up, and one Sentinel whose word alone makes the replica the master
// half a second after the old one fell silent. URL names database 2.
func Sentinel(t testing.TB, g Guard) *Group {
	t.Helper()
	const name = "reels"
	ca := caFor(t, g)
	master := newServer(t, g, ca)
	host, port, _ := net.SplitHostPort(master.addr)
	replica := newServer(t, g, ca, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	replicated := replica.Client()
	Await(t, "the replica to catch up", func() bool {
		return strings.Contains(replicated.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	s := newSentinel(t, g, ca, name, master.addr)
	watching := redis.NewSentinelClient(s.options())
	defer watching.Close()
	Await(t, "the Sentinel to know the replica", func() bool {
		all := watching.Replicas(t.Context(), name).Val()
		return len(all) == 1 && all[0]["flags"] == "slave" && all[0]["master-link-status"] == "ok"
	})
	rest := "/2?master=" + name
	if g.User != "" {
		rest += "&sentinel_username=" + url.QueryEscape(g.User) + "&sentinel_password=" + url.QueryEscape(g.Password)
	}
	return &Group{URL: g.url("redis-sentinel", []string{s.addr}, rest), Nodes: []*Server{master, replica}, Sentinel: s}
}

func newSentinel(t testing.TB, g Guard, ca *CA, name, master string) *Server {
	t.Helper()
	g.Rules = "" // a Sentinel knows other commands, and loads no user with rules about those it doesn't
	s := &Server{t: t, guard: g, ca: ca, dir: t.TempDir()}
	host, port, _ := net.SplitHostPort(master)
	conf := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 3000\n", name, host, port)
	if g.User != "" {
		conf += fmt.Sprintf("sentinel auth-user %[1]s %[2]s\nsentinel auth-pass %[1]s %[2]s\n", name, keeper)
	}
	file := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatalf("write the Sentinel's configuration: %v", err)
	}
	locks := s.locks()
	s.args = func(port string) []string {
		args := append([]string{file, "--sentinel", "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no", "--loglevel", "warning"}, s.ports(port)...)
		for i := 0; i+1 < len(locks); i += 2 {
			if locks[i] != "--masteruser" && locks[i] != "--masterauth" {
				args = append(args, locks[i], locks[i+1])
			}
		}
		return args
	}
	s.launch()
	return s
}

// CaughtUp waits until the replica of a Sentinel's group has everything that the master has written.
func (g *Group) CaughtUp(t testing.TB) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	master, replica := g.Nodes[0].Client(), g.Nodes[1].Client()
	Await(t, "the replica to catch up", func() bool {
		at := offset(master.Info(ctx, "replication").Val(), "master_repl_offset")
		return at != "" && at == offset(replica.Info(ctx, "replication").Val(), "slave_repl_offset")
	})
}

func offset(info, name string) string {
	_, rest, _ := strings.Cut(info, name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
