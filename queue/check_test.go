package queue_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	rdb, err := queue.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

func TestCheckRedisSaysWhatToChange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"as we want it", nil, ""},
		{"evicting", []string{"--maxmemory-policy", "allkeys-lru"}, "eviction"},
		{"forgetful", []string{"--appendonly", "no"}, "durability"},
		{"nearly full", nil, "memory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := queuetest.Redis(t, tc.args...)
			if tc.want == "memory" {
				// Ballast, so that what Redis itself takes and gives does not matter.
				if err := s.Client().Set(t.Context(), "ballast", strings.Repeat("x", 20<<20), 0).Err(); err != nil {
					t.Fatal(err)
				}
				used := s.Client().InfoMap(t.Context(), "memory").Item("Memory", "used_memory")
				n, err := strconv.Atoi(used)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Client().ConfigSet(t.Context(), "maxmemory", strconv.Itoa(n*11/10)).Err(); err != nil {
					t.Fatal(err)
				}
			}
			ws, err := queue.CheckRedis(t.Context(), connect(t, s.URL()))
			var codes []string
			for _, w := range ws {
				codes = append(codes, w.Code)
				if w.Message == "" || w.Hint == "" {
					t.Errorf("a warning without words: %+v", w)
				}
			}
			if err != nil || strings.Join(codes, " ") != tc.want {
				t.Errorf("warnings %v, %v; want %q", ws, err, tc.want)
			}
		})
	}
}

func TestCheckRedisNamesTheNodeOfAClusterThatEvicts(t *testing.T) {
	t.Parallel()
	g := queuetest.Cluster3(t, queuetest.Guard{})
	if err := g.Nodes[1].Client().ConfigSet(t.Context(), "maxmemory-policy", "volatile-lru").Err(); err != nil {
		t.Fatal(err)
	}
	ws, err := queue.CheckRedis(t.Context(), connect(t, g.URL))
	if err != nil || len(ws) != 1 || ws[0].Code != "eviction" || !strings.Contains(ws[0].Message, g.Nodes[1].Addr()) {
		t.Errorf("%v, %v; want one warning about %s", ws, err, g.Nodes[1].Addr())
	}
}

func TestCheckRedisOnMiniredisAndOnNothing(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	rdb := connect(t, "redis://"+mr.Addr())
	if ws, err := queue.CheckRedis(t.Context(), rdb); err != nil || len(ws) != 0 {
		t.Errorf("miniredis: %v, %v", ws, err)
	}
	mr.SetTime(time.Now().Add(-10 * time.Second))
	if ws, err := queue.CheckRedis(t.Context(), rdb); err != nil || len(ws) != 1 || ws[0].Code != "clock" {
		t.Errorf("a clock 10 s off: %v, %v", ws, err)
	}
	mr.SetTime(time.Now().Add(time.Minute))
	var refused *queue.RedisError
	if _, err := queue.CheckRedis(t.Context(), rdb); !errors.As(err, &refused) || refused.Hint() == "" {
		t.Errorf("a clock a minute off: %v; want a refusal", err)
	}
	mr.Close()
	var away *queue.AwayError
	if _, err := queue.CheckRedis(t.Context(), rdb); !errors.As(err, &away) {
		t.Errorf("no Redis: %v", err)
	}
}

// misfit is a Redis that can't be used, or not now.
type misfit struct {
	name  string
	start func(t *testing.T) (url string)
	away  bool
	want  string // in the sentence
	hint  string
}

// misfits on which the client's methods fail too, with the same words.
func misfits() []misfit {
	front := func(answer func(cmd []string) (string, bool)) func(t *testing.T) string {
		return func(t *testing.T) string { return withPassword(queuetest.NewFront(t, "", answer).URL()) }
	}
	always := func(reply string) func(t *testing.T) string {
		return front(func(cmd []string) (string, bool) { return reply + "\r\n", !strings.EqualFold(cmd[0], "auth") })
	}
	return []misfit{
		{"wrong password", func(t *testing.T) string {
			s := queuetest.Guarded(t, queuetest.Guard{User: "keeper1", Password: "right"})
			return "redis://keeper1:hunter2@" + s.Addr() + "/0"
		}, false, "does not accept the user or password in REELKEEP_REDIS", "percent-encoded"},
		{"no password", func(t *testing.T) string { return queuetest.Redis(t, "--requirepass", "right").URL() },
			false, "does not accept the user or password in REELKEEP_REDIS: it wants a password", "redis://user:password@host"},
		{"no permission", func(t *testing.T) string {
			return queuetest.Guarded(t, queuetest.Guard{User: "u", Password: "hunter2", Rules: "~other:* +@all"}).URL()
		}, false, "does not let this user do what is needed", "ACL SETUSER"},
		{"replica", func(t *testing.T) string {
			master := queuetest.Redis(t)
			host, port, _ := net.SplitHostPort(master.Addr())
			return queuetest.Redis(t, "--replicaof", host+" "+port).URL()
		}, false, "is a read-only replica", "name the primary"},
		{"full", func(t *testing.T) string { return queuetest.Redis(t, "--maxmemory", "100kb").URL() },
			false, "is full", "raise maxmemory"},
		{"disk", func(t *testing.T) string {
			dir := t.TempDir()
			s := queuetest.Redis(t, "--appendonly", "no", "--save", "3600 1", "--dir", dir)
			os.RemoveAll(dir)
			rdb := s.Client()
			if err := rdb.BgSave(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			queuetest.Await(t, "the save to fail", func() bool {
				return strings.Contains(rdb.Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
			})
			return s.URL()
		}, false, "can't save to its disk", "space on its disk"},
		{"full, in a script of Redis 6", always("-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'."),
			false, "is full", "raise maxmemory"},
		{"loading", always("-LOADING Redis is loading the dataset in memory"), true, "is loading its data", "stays so"},
		{"no connections left", always("-ERR max number of clients reached"), true, "no connection left", "maxclients"},
		{"half a cluster", always("-CLUSTERDOWN The cluster is down"), true, "not whole", "CLUSTER INFO"},
		{"protected", always("-DENIED Redis is running in protected mode because protected mode is enabled"), false, "protected mode", "protected-mode"},
		{"moved", always("-MOVED 3999 10.0.0.1:6381"), false, "is a Redis Cluster", "redis-cluster://"},
		{"so old that it quotes the password", front(func(cmd []string) (string, bool) {
			quoted := "-ERR unknown command `" + cmd[0] + "`, with args beginning with: `" + strings.Join(cmd[1:], "`, `") + "`, \r\n"
			return quoted, true
		}), false, "does not know a command", "6.2"},
		{"no such database", func(t *testing.T) string { return queuetest.Redis(t).URL() + "99" }, false, "no database of this number", "redis://host:6379/0"},
		{"a single Redis for a cluster", func(t *testing.T) string { return "redis-cluster://" + queuetest.Redis(t).Addr() },
			false, "is a single Redis", "redis://"},
		{"nobody there", func(*testing.T) string { return "redis://u:hunter2@127.0.0.1:1?max_retries=-1" }, true, "connection refused", "host, port"},
		{"no such host", func(*testing.T) string { return "redis://u:hunter2@no-such-host.invalid?max_retries=-1" }, true, "no-such-host.invalid", "host, port"},
		{"no cluster there", func(*testing.T) string { return "redis-cluster://u:hunter2@127.0.0.1:1" }, true, "connection refused", "host, port"},
		{"a certificate of nobody", func(t *testing.T) string { return queuetest.TLS(t).URL() }, false, "certificate that nobody has signed", "SSL_CERT_FILE"},
	}
}

func withPassword(url string) string { return strings.Replace(url, "://", "://u:hunter2@", 1) }

func TestEveryTroubleIsOneSentence(t *testing.T) {
	t.Parallel()
	for _, tc := range misfits() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rdb := connect(t, tc.start(t))
			if tc.name == "replica" {
				queuetest.Await(t, "the replica to be attached", func() bool {
					return strings.Contains(rdb.Info(t.Context()).Val(), "role:slave")
				})
			}
			_, err := queue.CheckRedis(t.Context(), rdb)
			tc.assert(t, "CheckRedis", err)
			_, err = queue.NewClientFromRedis(rdb).Enqueue(t.Context(), queue.Job{VideoID: "v"})
			tc.assert(t, "Enqueue", err)
			if full := errors.Is(err, queue.ErrFull); full != strings.HasPrefix(tc.name, "full") {
				t.Errorf("ErrFull: %v", full)
			}
		})
	}
}

func (tc misfit) assert(t *testing.T, who string, err error) {
	t.Helper()
	var refused *queue.RedisError
	var away *queue.AwayError
	if err == nil {
		t.Errorf("%s found nothing wrong", who)
		return
	}
	if errors.As(err, &away) != tc.away || errors.As(err, &refused) == tc.away {
		t.Errorf("%s: %T %v; want away: %v", who, err, err, tc.away)
	}
	text := err.Error()
	if !strings.Contains(text, tc.want) || !strings.Contains(text, "REELKEEP_REDIS") || strings.Count(text, "REELKEEP_REDIS") != 1 || strings.Contains(text, "\n") {
		t.Errorf("%s: %q; want one sentence with %q", who, text, tc.want)
	}
	if !strings.Contains(hint(err), tc.hint) {
		t.Errorf("%s: hint %q; want one with %q", who, hint(err), tc.hint)
	}
	if strings.Contains(text+hint(err), "hunter2") {
		t.Errorf("%s: the password is in %q (%q)", who, text, hint(err))
	}
	t.Logf("%s: %s\n  hint: %s", who, text, hint(err))
}

// TestCheckRedisLooksTwiceWhereTheFirstAnswerSaysLittle is about what only CheckRedis finds out.
func TestCheckRedisLooksTwiceWhereTheFirstAnswerSaysLittle(t *testing.T) {
	t.Parallel()
	for _, tc := range []misfit{
		{"too old", func(t *testing.T) string {
			return queuetest.NewFront(t, queuetest.Redis(t).Addr(), func(cmd []string) (string, bool) {
				return queuetest.Bulk("# Server\r\nredis_version:6.0.16\r\n"), strings.EqualFold(cmd[0], "info")
			}).URL()
		}, false, "Redis 6.0.16 (REELKEEP_REDIS) is too old: 6.2 or later is needed", "upgrade"},
		{"TLS spoken to a plain port", func(t *testing.T) string { return "rediss://u:hunter2@" + queuetest.Redis(t).Addr() },
			false, "does not speak TLS", "redis:// instead of rediss://"},
		{"plain spoken to a TLS port", func(t *testing.T) string { return "redis://u:hunter2@" + queuetest.TLS(t).Addr() },
			false, "speaks only TLS", "rediss:// instead of redis://"},
		{"plain cluster spoken to a TLS port", func(t *testing.T) string { return "redis-cluster://u:hunter2@" + queuetest.TLS(t).Addr() },
			false, "speaks only TLS", "rediss-cluster://"},
		{"a cluster's node", func(t *testing.T) string { return queuetest.Redis(t, "--cluster-enabled", "yes").URL() },
			false, "is a Redis Cluster", "redis-cluster://"},
		{"a cluster's node with a database", func(t *testing.T) string { return queuetest.Redis(t, "--cluster-enabled", "yes").URL() + "3" },
			false, "is a Redis Cluster", "without a database number"},
		{"a Redis for a Sentinel", func(t *testing.T) string { return "redis-sentinel://" + queuetest.Redis(t).Addr() + "?master=reels" },
			false, "its URL is that of a Sentinel", "26379"},
		{"a client certificate is wanted", func(t *testing.T) string {
			return strings.Replace(queuetest.TLS(t, "--tls-auth-clients", "yes").URL(), "/0", "/0?skip_verify=true", 1)
		}, false, "refused the TLS connection", "tls-auth-clients"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := queue.CheckRedis(t.Context(), connect(t, tc.start(t)))
			tc.assert(t, "CheckRedis", err)
		})
	}
}

func TestSentinelTroubleIsOneSentence(t *testing.T) {
	t.Parallel()
	g := queuetest.Sentinel(t, queuetest.Guard{User: "u", Password: "hunter2"})
	for _, tc := range []misfit{
		{"unknown master", func(*testing.T) string { return strings.Replace(g.URL, "master=reels", "master=films", 1) },
			false, "no Sentinel in REELKEEP_REDIS knows a master named films", "sentinel monitor"},
		{"wrong Sentinel password", func(*testing.T) string {
			return strings.Replace(g.URL, "sentinel_password=hunter2", "sentinel_password=x", 1)
		},
			false, "Sentinels do not accept the sentinel_username or sentinel_password", "percent-encoded"},
		{"wrong password of the data nodes", func(*testing.T) string { return strings.Replace(g.URL, "u:hunter2@", "u:hunter3@", 1) },
			false, "Redis does not accept the user or password in REELKEEP_REDIS", "percent-encoded"},
		{"a Sentinel for a Redis", func(*testing.T) string { return withPassword("redis://" + g.Sentinel.Addr()) },
			false, "names a Sentinel", "redis-sentinel://"},
		{"nobody there", func(*testing.T) string { return "redis-sentinel://u:hunter2@127.0.0.1:1?master=m" },
			true, "no Sentinel in REELKEEP_REDIS answers", "host, port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			_, err := queue.CheckRedis(t.Context(), connect(t, tc.start(t)))
			tc.assert(t, "CheckRedis", err)
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
}

func TestEveryMethodOfTheClientExplains(t *testing.T) {
	t.Parallel()
	s := queuetest.Guarded(t, queuetest.Guard{User: "u", Password: "right"})
	for url, tc := range map[string]misfit{
		"redis://u:hunter2@" + s.Addr():                              {want: "does not accept the user or password"},
		"redis://u:hunter2@127.0.0.1:1?max_retries=-1&pool_size=200": {want: "out of reach", away: true},
	} {
		c := queue.NewClientFromRedis(connect(t, url))
		ctx := t.Context()
		calls := map[string]func() error{
			"Enqueue":     func() error { _, err := c.Enqueue(ctx, queue.Job{VideoID: "v"}); return err },
			"EnqueueMany": func() error { _, err := c.EnqueueMany(ctx, videos("v", 3)); return err },
			"Status":      func() error { _, err := c.Status(ctx, "v"); return err },
			"Retry":       func() error { _, err := c.Retry(ctx, "", "v"); return err },
			"Cancel":      func() error { return c.Cancel(ctx, "", "v") },
			"Counts":      func() error { _, err := c.Counts(ctx); return err },
			"Overview":    func() error { _, err := c.Overview(ctx); return err },
			"List": func() error {
				for _, err := range c.List(ctx, queue.Filter{}) {
					return err
				}
				return nil
			},
		}
		var all sync.WaitGroup
		for name, call := range calls {
			all.Go(func() { tc.assert(t, name, call()) })
		}
		all.Wait()
	}
}

func TestServerDoesNotWaitForARedisThatRefusesIt(t *testing.T) {
	t.Parallel()
	s := queuetest.Guarded(t, queuetest.Guard{User: "u", Password: "right"})
	srv, err := queue.NewServer(connect(t, "redis://u:hunter2@"+s.Addr()), fast(queue.ServerConfig{}), queue.HandlerFunc(archives))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = srv.Run(ctx)
	misfit{want: "does not accept the user or password", hint: "percent-encoded"}.assert(t, "Run", err)
}

func TestServerWaitsForAFullRedis(t *testing.T) {
	t.Parallel()
	redisServer := queuetest.Redis(t, "--maxmemory", "100kb")
	b := newBench(t, single(t, redisServer.Addr()))
	s := b.serve(queue.ServerConfig{}, archives)
	if _, err := b.client.Enqueue(t.Context(), queue.Job{VideoID: "v"}); !errors.Is(err, queue.ErrFull) {
		t.Errorf("Enqueue: %v; want ErrFull", err)
	}
	if err := redisServer.Client().ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	b.enqueue(queue.Job{VideoID: "v"})
	s.untilState("v", queue.StateArchived)
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, context.Canceled, redis.Nil, redis.ErrClosed, queue.ErrUnknown, queue.ErrSettled, errBroken} {
		if got := queue.Explain(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := queue.Explain(context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) || queue.Explain(err) != err {
		t.Errorf("%v does not know where it comes from, or is explained twice", err)
	}
}
