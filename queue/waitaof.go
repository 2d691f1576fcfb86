package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// syncPatience is how long a Redis may take to bring what it has accepted to its disk. With appendfsync everysec
	// that is a second and a little.
	syncPatience = 2 * time.Second
	// syncForget is how long a Redis without WAITAOF is not asked again: it may be upgraded one day.
	syncForget = 10 * time.Minute
	// syncFresh is how long a duplicate is taken for one whose first mention may not be on disk yet; syncDoubt is that after
	// the disk was seen to stall, until it is seen to work again. Whoever hands a video in a second time does so because
	// the first receipt never came.
	syncFresh = 10 * time.Second
	syncDoubt = time.Hour
)

// syncer asks Redis to bring accepted videos to its disk before their receipt is given (WAITAOF, Redis 7.2). A Redis
// that can't, because it is older, keeps no append-only file or forbids the command, may lose the last second of
// them in a crash.
type syncer struct {
	mu    sync.Mutex
	never time.Time // WAITAOF is not there before this time
	// failed: the last wait ended without the disk. What was accepted since may be on no disk.
	failed bool
}

// synced returns when everything written so far, by whichever connection, is in the append-only file on the disk of
// the node that holds the ledger. One round trip, whatever the number of videos.
func (c *Client) synced(ctx context.Context) (again error) {
	if !c.syncer.worth(c.now()) {
		return nil
	}
	node, err := c.ledger.home(ctx)
	if err != nil {
		return err
	}
	pipe := node.Pipeline()
	// WAITAOF waits for what its own connection wrote, and the scripts may have gone through others. A write of our own
	// comes after all of them in the file.
	wrote := pipe.Set(ctx, keySynced, "1", 0)
	wait := pipe.Do(ctx, "waitaof", 1, 0, syncPatience.Milliseconds())
	_, err = pipe.Exec(ctx)
	defer func() { c.syncer.note(again != nil) }()
	switch _, refused := errors.AsType[redis.Error](wait.Err()); {
	case wrote.Err() == nil && refused:
		c.syncer.forget(c.now())
		return nil
	case err != nil:
		return Explain(fmt.Errorf("wait for Redis's disk: %w", err))
	}
	if local, err := wait.Int64Slice(); err != nil || len(local) == 0 || local[0] == 0 {
		if never, now := unsynced(ctx, node); never || now {
			if never {
				c.syncer.forget(c.now())
			}
			return nil
		}
		return &AwayError{Message: fmt.Sprintf("Redis (REELKEEP_REDIS) has not brought the videos to its disk within %s", syncPatience),
			Advice: "look at Redis's disk (INFO persistence); handing the videos in again does no harm"}
	}
	return nil
}

// unsynced says whether Redis leaves its disk to the operating system, always (appendfsync no) or only now, during a
// rewrite: what it has accepted then is as safe as its owner wants it. A Redis that hides its settings has no such word.
func unsynced(ctx context.Context, node redis.Cmdable) (never, now bool) {
	conf, err := node.ConfigGet(ctx, "*append*").Result()
	if err != nil || conf["appendfsync"] == "no" {
		return err == nil, false
	}
	if conf["no-appendfsync-on-rewrite"] != "yes" {
		return false, false
	}
	persistence, err := node.Info(ctx, "persistence").Result()
	return false, err == nil && (strings.Contains(persistence, "aof_rewrite_in_progress:1") || strings.Contains(persistence, "rdb_bgsave_in_progress:1"))
}

// home is the node that holds the ledger: WAITAOF has no key, so that a cluster's client would send it anywhere. It
// is given the time it may take, whatever read_timeout the URL sets for other commands.
func (l *ledger) home(ctx context.Context) (redis.Cmdable, error) {
	switch rdb := l.rdb.(type) {
	case *redis.Client:
		return rdb.WithTimeout(syncPatience + dialTimeout), nil
	case *redis.ClusterClient:
		master, err := rdb.MasterForKey(ctx, keySynced)
		if err != nil {
			return nil, Explain(fmt.Errorf("find the node of the ledger: %w", err))
		}
		return master.WithTimeout(syncPatience + dialTimeout), nil
	}
	return l.rdb, nil
}

func (s *syncer) worth(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.never)
}

func (s *syncer) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.never = now.Add(syncForget)
}

func (s *syncer) note(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = failed
}

// window is for how long a video that was accepted counts as fresh.
func (s *syncer) window() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return syncDoubt
	}
	return syncFresh
}

// fresh says whether a waiting video was accepted so lately that a receipt for it must wait for the disk too.
func (h *held) fresh(now int64, window time.Duration) bool {
	return h.entry != nil && now-h.entry.Accepted < window.Milliseconds()
}
