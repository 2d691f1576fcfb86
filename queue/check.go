package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Warning is something about Redis that a person should change.
type Warning struct {
	Code    string // version, eviction, durability, clock, memory
	Message string
	Hint    string
}

const (
	skewWarn   = 5 * time.Second
	skewRefuse = 30 * time.Second // asynq's leases would be taken for expired
)

// CheckRedis looks at version, kind, eviction, durability, memory and clock, and whether Redis lets us write. What
// can't be asked (a managed Redis may forbid CONFIG and INFO, miniredis knows neither) is left out without
// a word. An error is a *RedisError or an *AwayError; see Explain.
func CheckRedis(ctx context.Context, rdb redis.UniversalClient) ([]Warning, error) {
	before := time.Now()
	server, err := rdb.Time(ctx).Result()
	if err != nil {
		return nil, diagnose(ctx, rdb, err)
	}
	// The reply was made somewhere between asking and hearing.
	ws, err := checkClock(server.Sub(before.Add(time.Since(before) / 2)).Abs())
	if err != nil {
		return nil, err
	}
	nodes, err := primaries(ctx, rdb)
	if err != nil {
		return ws, Explain(err)
	}
	for _, n := range nodes {
		more, err := n.check(ctx)
		ws = append(ws, more...)
		if err != nil {
			return ws, err
		}
	}
	return ws, checkWrite(ctx, rdb)
}

func checkClock(skew time.Duration) ([]Warning, error) {
	const advice = "run a time service (NTP) on both machines"
	switch {
	case skew >= skewRefuse:
		return nil, &RedisError{Advice: advice, Message: fmt.Sprintf("the clock of Redis (REELKEEP_REDIS) and ours differ by %s; leases need less than %s",
			skew.Round(time.Second), skewRefuse)}
	case skew >= skewWarn:
		return []Warning{{"clock", fmt.Sprintf("Redis's clock and ours differ by %s", skew.Round(time.Second)), advice}}, nil
	}
	return nil, nil
}

// node is one Redis that may hold keys of ours.
type node struct {
	rdb   redis.UniversalClient
	where string // " at host:port" if there are several
	info  map[string]string
}

// primaries are the nodes to check: those of a cluster that take writes, or the only one there is.
func primaries(ctx context.Context, rdb redis.UniversalClient) ([]*node, error) {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return []*node{{rdb: rdb}}, nil
	}
	var mu sync.Mutex
	var nodes []*node
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, &node{rdb: c, where: " at " + c.Options().Addr})
		return nil
	})
	return nodes, err
}

// check looks at what the node tells of itself.
func (n *node) check(ctx context.Context) ([]Warning, error) {
	n.info = info(ctx, n.rdb)
	if v := n.info["redis_version"]; v != "" && !atLeast(v, 6, 2) {
		return nil, &RedisError{Message: "Redis " + clip(v, 20) + n.where + " (REELKEEP_REDIS) is too old: 6.2 or later is needed", Advice: "upgrade Redis, or use Valkey"}
	}
	if n.info["cluster_enabled"] == "1" && n.where == "" {
		return nil, explainReply(errors.New("INFO says cluster_enabled:1"), "MOVED")
	}
	if n.info["role"] == "slave" && n.where == "" {
		return nil, explainReply(errors.New("INFO says role:slave"), "READONLY")
	}
	var ws []Warning
	policy := n.config(ctx, "maxmemory-policy", "maxmemory_policy")
	if policy != "" && policy != "noeviction" {
		ws = append(ws, Warning{"eviction", "maxmemory-policy" + n.where + " is " + clip(policy, 30) + ": Redis may throw away videos that wait", "set maxmemory-policy noeviction"})
	}
	if aof := n.config(ctx, "appendonly", "aof_enabled"); aof == "no" || aof == "0" {
		ws = append(ws, Warning{"durability", "appendonly" + n.where + " is off: a crash of Redis forgets accepted videos", "set appendonly yes and appendfsync everysec"})
	} else if n.config(ctx, "appendfsync", "") == "no" {
		ws = append(ws, Warning{"durability", "appendfsync" + n.where + " is no: a crash of its machine forgets what was accepted in the last half minute", "set appendfsync everysec"})
	}
	return append(ws, n.checkMemory()...), nil
}

// checkMemory warns early: a full Redis refuses leases too, and running transfers stop after half a minute.
func (n *node) checkMemory() []Warning {
	used, err1 := strconv.ParseInt(n.info["used_memory"], 10, 64)
	limit, err2 := strconv.ParseInt(n.info["maxmemory"], 10, 64)
	if err1 != nil || err2 != nil || limit == 0 || used*10 < limit*8 {
		return nil
	}
	return []Warning{{"memory", fmt.Sprintf("Redis%s uses %d of %d bytes", n.where, used, limit), "raise maxmemory: a full Redis stops all work"}}
}

// config asks for a setting, and where CONFIG is forbidden for what INFO says of it.
func (n *node) config(ctx context.Context, name, inInfo string) string {
	m, err := n.rdb.ConfigGet(ctx, name).Result()
	if err != nil || m[name] == "" {
		return n.info[inInfo]
	}
	return m[name]
}

func info(ctx context.Context, rdb redis.UniversalClient) map[string]string {
	raw, err := rdb.Info(ctx).Result()
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for line := range strings.Lines(raw) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[k] = v
		}
	}
	return values
}

// checkWrite writes as the ledger does, by a script, so that a replica, a full Redis or a user without the right to
// write is known at the start.
func checkWrite(ctx context.Context, rdb redis.UniversalClient) error {
	err := rdb.Eval(ctx, "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])", []string{keyCheck}, "1", time.Minute.Milliseconds()).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return diagnose(ctx, rdb, fmt.Errorf("write to Redis (REELKEEP_REDIS): %w", err))
	}
	return nil
}

// diagnose explains why Redis did not answer the first question, and where that leaves two explanations, looks.
func diagnose(ctx context.Context, rdb redis.UniversalClient, err error) error {
	why := Explain(err)
	if hung, ok := errors.AsType[*hungUpError](err); ok && speaksTLS(ctx, hung.addr) {
		return &RedisError{Message: "Redis at " + hung.addr + " (REELKEEP_REDIS) speaks only TLS", Advice: tlsAdvice, err: err}
	}
	if shake, ok := errors.AsType[*handshakeError](err); ok && speaksPlain(ctx, shake.addr) {
		return &RedisError{Message: "Redis at " + shake.addr + " (REELKEEP_REDIS) does not speak TLS", Advice: plainAdvice, err: err}
	}
	if answer, ok := errors.AsType[redis.Error](err); ok && strings.HasPrefix(reply(answer), "ERR unknown command 'time'") && info(ctx, rdb)["redis_mode"] == "sentinel" {
		return &RedisError{Message: "REELKEEP_REDIS names a Sentinel, and its URL is that of a Redis", Advice: "write redis-sentinel://host:26379/0?master=NAME", err: err}
	}
	if !explained(why) {
		return fmt.Errorf("reach Redis (REELKEEP_REDIS): %w", err)
	}
	return why
}

// atLeast compares the first two numbers of a version; what it can't read it lets pass.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return true
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return true
	}
	return a > major || a == major && b >= minor
}
