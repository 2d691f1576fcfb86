package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// refillEvery is how often a server looks for sealed videos that keyRecent lacks. They are the work of a version that
	// knows nothing of it, which may run beside us for a while during an upgrade.
	refillEvery = 24 * time.Hour
	// fillPatience is how long one server may take before another one begins.
	fillPatience = 5 * time.Minute
)

// recentLoop sees to it that keyRecent holds what it should. One server of the fleet does it.
func (s *Server) recentLoop(ctx context.Context) {
	for {
		if err := s.fillRecent(ctx); err != nil {
			s.complain(ctx, "recent", err)
		}
		if !pause(ctx, time.Minute) {
			return
		}
	}
}

// fillRecent looks through ledger and index if nobody has for a day.
func (s *Server) fillRecent(ctx context.Context) error {
	filled, err := s.rdb.HGet(ctx, keyReach, "filled").Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("look when recent videos were last looked for: %w", err)
	}
	begun := s.clock.now()
	if age := begun.Sub(time.UnixMilli(filled)).Abs(); age < refillEvery {
		return nil
	}
	mine, err := s.claimTick(ctx, "recent", fillPatience)
	if err != nil || !mine {
		return err
	}
	if err := s.ledger.fillRecent(ctx); err != nil {
		return err
	}
	if err := s.rdb.HSet(ctx, keyReach, "filled", begun.UnixMilli()).Err(); err != nil {
		return fmt.Errorf("note that recent videos were looked for: %w", err)
	}
	return nil
}

// fillScript adds videos that ledger or index still holds as they were read, and says from which time on one may be
// of interest.
func fillScript() *redis.Script {
	return redis.NewScript(rememberLua() + `
for p = 1, #ARGV, 4 do
	if redis.call('HGET', KEYS[tonumber(ARGV[p])], ARGV[p+1]) == ARGV[p+2] then remember(KEYS[3], KEYS[4], ARGV[p+3], ARGV[p+1]) end
end
return redis.call('HGET', KEYS[4], 'score') or ''`)
}

// fillRecent walks over all videos. Those that can't be among the newest, which of a large archive are most, are not
// sent back.
func (l *ledger) fillRecent(ctx context.Context) error {
	script := fillScript()
	floor := int64(math.MinInt64)
	for key := range keysWalked {
		var cursor uint64
		for {
			kvs, next, err := l.rdb.HScan(ctx, walked(key), cursor, "", scanCount).Result()
			if err != nil {
				return fmt.Errorf("look for recent videos: %w", err)
			}
			if argv := fillArgs(key, kvs, floor); len(argv) > 0 {
				text, err := script.Run(ctx, l.rdb, []string{walked(0), walked(1), keyRecent, keyReach}, argv...).Text()
				if err != nil {
					return fmt.Errorf("fill in recent videos: %w", err)
				}
				if at, err := strconv.ParseInt(text, 10, 64); err == nil {
					floor = at
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// fillArgs are the sealed videos of a batch, as the script wants them.
func fillArgs(key int, kvs []string, floor int64) (argv []any) {
	for i := 0; i+1 < len(kvs); i += 2 {
		if at := heldIn(key, kvs[i], kvs[i+1]).mark().at; at != 0 && at >= floor {
			argv = append(argv, key+1, kvs[i], kvs[i+1], at)
		}
	}
	return argv
}
