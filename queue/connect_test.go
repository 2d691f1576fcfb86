package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func TestEveryFormOfRedisURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"redis://localhost/2":                                "one localhost:6379 user= pass= db=2 tls=false",
		"redis://u:p@h:1234/0":                               "one h:1234 user=u pass=p db=0 tls=false",
		"rediss://h:1234":                                    "one h:1234 user= pass= db=0 tls=true",
		"redis-sentinel://h1,h2:26380/3?master=mymaster":     "sentinel db=3 tls=false",
		"rediss-sentinel://u:p@h1:26379,h2:26379/0?master=x": "sentinel db=0 tls=true",
		"redis-cluster://h1,h2":                              "cluster h1:6379,h2:6379 user= pass= tls=false",
		"redis-cluster://u:p@h1:7000,h2:7001":                "cluster h1:7000,h2:7001 user=u pass=p tls=false",
		"redis-sentinel://u:p%2Fq%40@h1/1?master=x&sentinel_username=s&sentinel_password=t%26": "sentinel db=1 tls=false",
		"redis://u:p%40%2F%3F%23%25%20%C3%A4@h/4":                                              "one h:6379 user=u pass=p@/?#% ä db=4 tls=false",
		"redis-cluster://u:p%40%2F%2C@h1,h2/0":                                                 "cluster h1:6379,h2:6379 user=u pass=p@/, tls=false",
		"rediss-cluster://h1,h2:7000?read_timeout=3s&dial_timeout=1":                           "cluster h1:7000,h2:7000 user= pass= tls=true",
	} {
		rdb, err := Connect(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := describe(rdb, strings.Contains(raw, "sentinel")); got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
		rdb.Close()
	}
}

func describe(rdb redis.UniversalClient, sentinel bool) string {
	var b strings.Builder
	tls := func(on bool) {
		if on {
			b.WriteString("tls=true")
		} else {
			b.WriteString("tls=false")
		}
	}
	switch c := rdb.(type) {
	case *redis.Client:
		o := c.Options()
		if !o.ContextTimeoutEnabled {
			return "deadlines are ignored"
		}
		if sentinel {
			b.WriteString("sentinel db=" + string(rune('0'+o.DB)) + " ")
		} else {
			b.WriteString("one " + o.Addr + " user=" + o.Username + " pass=" + o.Password + " db=" + string(rune('0'+o.DB)) + " ")
		}
		tls(o.TLSConfig != nil)
	case *redis.ClusterClient:
		o := c.Options()
		if !o.ContextTimeoutEnabled {
			return "deadlines are ignored"
		}
		b.WriteString("cluster " + strings.Join(o.Addrs, ",") + " user=" + o.Username + " pass=" + o.Password + " ")
		tls(o.TLSConfig != nil)
	}
	return b.String()
}

func TestBadRedisURLNamesTheSettingAndNotThePassword(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "localhost:6379", "http://u:hunter2@h", "redis://u:hunter2@h:port", "redis://u:hunter2@h/x", "redis://u:hunter2@h/0?hunter2=1",
		"redis-sentinel://u:hunter2@h", "redis-cluster://u:hunter2@h:1?nope=1", "redis://u:hunter2\x7f@h", "redis-sentinel://u:hunter2@h?master=%zz",
		"redis-cluster://u:hunter2@h/3", "redis://u:12/hunter2@h/0", "redis://u:12#hunter2@h", "redis://u:12?hunter2@h", "redis://u:p@12/hunter2@h/0",
		"redis-cluster://u:1/hunter2@h", "redis-sentinel://u:1?hunter2@h?master=x", "rediss://u:100%hunter2@h", "redis-sentinel://u:x@1?hunter2@h&master=x"} {
		rdb, err := Connect(raw)
		if err == nil {
			rdb.Close()
			t.Errorf("%q was accepted", raw)
			continue
		}
		if !strings.HasPrefix(err.Error(), "REELKEEP_REDIS: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func FuzzConnect(f *testing.F) {
	f.Add("redis-sentinel://u:sesame-open@h1,h2:26380/3?master=m")
	f.Add("redis-cluster://[::1],h2")
	f.Add("rediss://:sesame-open@h/0?db=x")
	f.Fuzz(func(t *testing.T, raw string) {
		rdb, err := Connect(raw)
		if err == nil {
			rdb.Close()
			return
		}
		if strings.Contains(raw, ":sesame-open@") && strings.Contains(err.Error(), "sesame-open") {
			t.Fatalf("the password is in %q", err)
		}
	})
}

func TestBareSpecialCharactersAreNamed(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"redis", "rediss", "redis-sentinel", "redis-cluster"} {
		for _, pass := range []string{"a/b", "a?b", "a#b", "a%b", "12/b", "12#b", "a@1/b"} {
			rdb, err := Connect(scheme + "://u:" + pass + "@h1/0?master=m")
			if err == nil {
				rdb.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "percent-encoded") {
				t.Errorf("%s with the password %s: %v; want a hint at percent-encoding", scheme, pass, err)
			}
		}
	}
}

func FuzzConnectWithABarePassword(f *testing.F) {
	for _, scheme := range []string{"redis", "rediss-sentinel", "redis-cluster"} {
		f.Add(scheme, "12/", "@h?")
		f.Add(scheme, "%", "#1:2")
	}
	f.Fuzz(func(t *testing.T, scheme, before, after string) {
		rdb, err := Connect(scheme + "://u:" + before + "sesame-open" + after + "@h1,h2/0?master=m")
		if err == nil {
			rdb.Close()
			return
		}
		if strings.Contains(err.Error(), "sesame-open") {
			t.Fatalf("the password is in %q", err)
		}
	})
}

func TestRefusingRedisIsNotAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	rdb, err := Connect("redis://" + mr.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	mr.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	start := time.Now()
	if err := rdb.Ping(t.Context()).Err(); err == nil {
		t.Fatal("no error")
	}
	pipe := rdb.Pipeline()
	pipe.Ping(t.Context())
	if _, err := pipe.Exec(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if took := time.Since(start); took < 2*errorRest {
		t.Errorf("two refusals took %s; want a rest of %s after each", took, errorRest)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	restHook{rest: time.Hour}.after(ctx, redisError("OOM")) // a cancelled caller is not kept
}

type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

func TestAnswersAreNotRefusals(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, redis.Nil, errors.New("dial tcp: connection refused"), redisError("NOSCRIPT No matching script."),
		redisError("MOVED 1 h:1"), redisError("NOT FOUND")} {
		if refusal(err) {
			t.Errorf("%v costs a rest", err)
		}
	}
	for _, msg := range []string{"NOAUTH Authentication required.", "MISCONF x", "NOPERM x", "ERR max number of clients reached", "LOADING x"} {
		if !refusal(redisError(msg)) {
			t.Errorf("%s costs nothing; asynq would spin on it", msg)
		}
	}
}

func TestVersionsAreCompared(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"6.2.0": true, "7.0.15": true, "6.0.9": false, "5.0": false, "10.1.2": true, "valkey": true, "x.y": true} {
		if atLeast(v, 6, 2) != want {
			t.Errorf("%s: %v", v, !want)
		}
	}
}
