package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Warning is something about Redis that a person should change.
type Warning struct {
	Code    string // version, eviction, durability, clock, memory
	Message string
	Hint    string
}

// RedisError says that this Redis can't be used as it is.
type RedisError struct{ Message, Advice string }

func (e *RedisError) Error() string { return "REELKEEP_REDIS: " + e.Message }

// Hint says what a person can do.
func (e *RedisError) Hint() string { return e.Advice }

const (
	skewWarn   = 5 * time.Second
	skewRefuse = 30 * time.Second // asynq's leases would be taken for expired
)

// CheckRedis looks at version, eviction, durability and the clock. What can't be asked (a managed Redis may forbid
// CONFIG and INFO, miniredis knows neither) is left out without a word. An error means that Redis can't be reached
// or, as a *RedisError, can't be used.
func CheckRedis(ctx context.Context, rdb redis.UniversalClient) ([]Warning, error) {
	before := time.Now()
	server, err := rdb.Time(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("reach Redis (REELKEEP_REDIS): %w", err)
	}
	// The reply was made somewhere between asking and hearing.
	skew := server.Sub(before.Add(time.Since(before) / 2)).Abs()
	if skew >= skewRefuse {
		return nil, &RedisError{Message: fmt.Sprintf("its clock and ours differ by %s; leases need less than %s", skew.Round(time.Second), skewRefuse),
			Advice: "run a time service (NTP) on both machines"}
	}
	var ws []Warning
	if skew >= skewWarn {
		ws = append(ws, Warning{"clock", fmt.Sprintf("Redis's clock and ours differ by %s", skew.Round(time.Second)), "run a time service (NTP) on both machines"})
	}
	if v := infoValue(ctx, rdb, "server", "redis_version"); v != "" && !atLeast(v, 6, 2) {
		return ws, &RedisError{Message: "Redis " + clip(v, 20) + " is too old: 6.2 or later is needed", Advice: "upgrade Redis, or use Valkey"}
	}
	policy := configValue(ctx, rdb, "maxmemory-policy")
	if policy == "" {
		policy = infoValue(ctx, rdb, "memory", "maxmemory_policy")
	}
	if policy != "" && policy != "noeviction" {
		ws = append(ws, Warning{"eviction", "maxmemory-policy is " + clip(policy, 30) + ": Redis may throw away videos that wait", "set maxmemory-policy noeviction"})
	}
	aof := configValue(ctx, rdb, "appendonly")
	if aof == "" && infoValue(ctx, rdb, "persistence", "aof_enabled") == "0" {
		aof = "no"
	}
	if aof == "no" {
		ws = append(ws, Warning{"durability", "appendonly is off: a crash of Redis forgets accepted videos", "set appendonly yes and appendfsync everysec"})
	}
	return append(ws, checkMemory(ctx, rdb)...), nil
}

// checkMemory warns early: a full Redis refuses leases too, and running transfers stop after half a minute.
func checkMemory(ctx context.Context, rdb redis.UniversalClient) []Warning {
	used, err1 := strconv.ParseInt(infoValue(ctx, rdb, "memory", "used_memory"), 10, 64)
	limit, err2 := strconv.ParseInt(infoValue(ctx, rdb, "memory", "maxmemory"), 10, 64)
	if err1 != nil || err2 != nil || limit == 0 || used*10 < limit*8 {
		return nil
	}
	return []Warning{{"memory", fmt.Sprintf("Redis uses %d of %d bytes", used, limit), "raise maxmemory: a full Redis stops all work"}}
}

func infoValue(ctx context.Context, rdb redis.UniversalClient, section, name string) string {
	info, err := rdb.Info(ctx, section).Result()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	return ""
}

func configValue(ctx context.Context, rdb redis.UniversalClient, name string) string {
	m, err := rdb.ConfigGet(ctx, name).Result()
	if err != nil {
		return ""
	}
	return m[name]
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
