package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// SweepKind says how much of HeyGen's list a sweep reads.
type SweepKind string

const (
	SweepNone   SweepKind = ""       // not due, or somebody else is at it
	SweepNewest SweepKind = "newest" // the newest pages, until one holds nothing new
	SweepFull   SweepKind = "full"   // the whole list
)

const (
	// sweepLease is how long a sweep may be silent before another process takes it over.
	sweepLease = time.Minute
	// sweepRetry is how long after a failure the next sweep is due: an hour would be long after a short outage.
	sweepRetry = 2 * time.Minute
)

// keyIndexed is there once the index holds all that the archive holds. It goes with the index when Redis is emptied.
const (
	keyIndexed  = "{reelkeep}:indexed"
	keyIndexing = "{reelkeep}:indexing" // who is making it
)

func keySweep(account string) string { return "{reelkeep}:sweep:" + account }

// Sweeps is the fleet's timetable of sweeps: each account is swept by one process at a time and once a period,
// however many ask. The times lie in Redis; an emptied Redis makes a full sweep due at once.
type Sweeps struct {
	rdb     redis.UniversalClient
	now     func() time.Time
	owner   string
	claim   *redis.Script
	renew   *redis.Script
	end     *redis.Script
	indexed *redis.Script
}

// Sweeps returns the timetable. Every call makes a claimant of its own.
func (c *Client) Sweeps() *Sweeps {
	return &Sweeps{rdb: c.ledger.rdb, now: c.now, owner: uuid.NewString(), claim: claimSweepScript(),
		renew: renewSweepScript(), end: endSweepScript(), indexed: indexedScript()}
}

// claimSweepScript answers what is due for us now, and takes the lease. Times are milliseconds of the claimants' clocks; an
// unknown one is 0. Two clocks may be a minute apart, so a lease may seem twice as long; a longer one is a clock that was wrong.
// A sweep stays open until it has ended well: one that broke off has handed in the newest pages, and the next would stop
// there and take the gap behind them for known. So it reads everything.
func claimSweepScript() *redis.Script {
	return redis.NewScript(`
local now, every, full = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local h = redis.call('HMGET', KEYS[1], 'owner', 'until', 'newest', 'full', 'pause', 'open')
local function num(i) return tonumber(h[i] or '0') or 0 end
if h[1] and h[1] ~= '' and num(2) > now and num(2) - now <= 2 * tonumber(ARGV[3]) then return '' end
if num(5) > now and num(5) - now < 86400000 then return '' end
local kind = ''
if full > 0 and math.abs(now - num(4)) >= full then kind = 'full'
elseif every > 0 and math.abs(now - math.max(num(3), num(4))) >= every then kind = 'newest' end
if kind == '' then return '' end
if h[6] and h[6] ~= '' then kind = 'full' end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', now + tonumber(ARGV[3]), 'open', ARGV[1])
return kind`)
}

func renewSweepScript() *redis.Script {
	return redis.NewScript(`
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', ARGV[2])
return 1`)
}

func indexedScript() *redis.Script {
	return redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2])
return 1`)
}

// Begin says whether a sweep of the account is due and ours. newest and full are the periods of the two kinds;
// 0 is never. Whoever gets a kind holds a lease for a minute, which Renew extends and End gives back.
func (s *Sweeps) Begin(ctx context.Context, account string, newest, full time.Duration) (SweepKind, error) {
	kind, err := s.claim.Run(ctx, s.rdb, []string{keySweep(account)}, s.owner, s.now().UnixMilli(),
		sweepLease.Milliseconds(), newest.Milliseconds(), full.Milliseconds()).Text()
	if err != nil {
		return SweepNone, fmt.Errorf("claim the sweep of account %s: %w", account, Explain(err))
	}
	return SweepKind(kind), nil
}

// Renew extends the lease. false: another process has taken the sweep over.
func (s *Sweeps) Renew(ctx context.Context, account string) (bool, error) {
	n, err := s.renew.Run(ctx, s.rdb, []string{keySweep(account)}, s.owner, s.now().Add(sweepLease).UnixMilli()).Int()
	if err != nil {
		return false, fmt.Errorf("renew the sweep of account %s: %w", account, Explain(err))
	}
	return n == 1, nil
}

// Open notes that a sweep begins that was not given out by Begin: somebody asked for it by hand. If it breaks off, or reads
// only a part of the list, the next one that Begin gives out is a full one.
func (s *Sweeps) Open(ctx context.Context, account string) error {
	if err := s.rdb.HSet(ctx, keySweep(account), "open", s.owner).Err(); err != nil {
		return fmt.Errorf("note a sweep of account %s: %w", account, Explain(err))
	}
	return nil
}

// endSweepScript notes a sweep that ended well, and gives back the lease if it is ours.
func endSweepScript() *redis.Script {
	return redis.NewScript(`
local ours = redis.call('HGET', KEYS[1], 'owner') == ARGV[1]
if ARGV[2] ~= '' then
	redis.call('HSET', KEYS[1], ARGV[2], ARGV[3], 'success', ARGV[4], 'horizon', ARGV[5], 'open', '')
end
if ours then redis.call('HSET', KEYS[1], 'owner', '', 'until', 0, 'pause', ARGV[6]) end
return 1`)
}

// Ended is how a sweep ended.
type Ended struct {
	Kind    SweepKind
	Started time.Time
	Failed  bool
	// Stopped says that it failed because this process is stopping: another one may go on at once.
	Stopped bool
	// Horizon is when the oldest video was created that was not rendered yet; zero: none was seen.
	Horizon time.Time
}

// End notes how a sweep ended and gives the lease back. One that failed is due again after a few minutes.
func (s *Sweeps) End(ctx context.Context, account string, e Ended) error {
	kind, pause := string(e.Kind), int64(0)
	if e.Failed {
		kind = ""
		if !e.Stopped {
			pause = s.now().Add(sweepRetry).UnixMilli()
		}
	}
	err := s.end.Run(ctx, s.rdb, []string{keySweep(account)}, s.owner, kind, e.Started.UnixMilli(), s.now().UnixMilli(), millis(e.Horizon), pause).Err()
	if err != nil {
		return fmt.Errorf("note the end of the sweep of account %s: %w", account, Explain(err))
	}
	return nil
}

// Horizon is what the last sweep that succeeded left as Ended.Horizon.
func (s *Sweeps) Horizon(ctx context.Context, account string) (time.Time, error) {
	return s.when(ctx, account, "horizon")
}

// LastSuccess is when the account that has waited longest was last swept without trouble; zero if one never was.
func (s *Sweeps) LastSuccess(ctx context.Context, accounts []string) (time.Time, error) {
	var oldest time.Time
	for i, account := range accounts {
		at, err := s.when(ctx, account, "success")
		if err != nil || at.IsZero() {
			return time.Time{}, err
		}
		if i == 0 || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, nil
}

func (s *Sweeps) when(ctx context.Context, account, what string) (time.Time, error) {
	raw, err := s.rdb.HGet(ctx, keySweep(account), what).Result()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the timetable of account %s: %w", account, Explain(err))
	}
	ms, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return time.Time{}, nil
	}
	return fromMillis(ms), nil
}

// Indexed says whether the index is complete: that of a new or emptied Redis is not.
func (s *Sweeps) Indexed(ctx context.Context) (bool, error) {
	n, err := s.rdb.Exists(ctx, keyIndexed).Result()
	if err != nil {
		return false, fmt.Errorf("look for the index: %w", Explain(err))
	}
	return n == 1, nil
}

// indexLease is how long the making of the index may be silent before another process takes it over.
const indexLease = time.Minute

// Indexing is the making of the index from all manifests, by one process.
type Indexing struct{ sweeps *Sweeps }

// BeginIndex takes the making of the index; nil: somebody else is at it.
func (s *Sweeps) BeginIndex(ctx context.Context) (*Indexing, error) {
	ours, err := s.rdb.SetNX(ctx, keyIndexing, s.owner, indexLease).Result()
	if err != nil {
		return nil, fmt.Errorf("begin the index: %w", Explain(err))
	}
	if !ours {
		return nil, nil
	}
	return &Indexing{s}, nil
}

// Renew keeps it. An error also says that it is lost: Redis was emptied, or we were silent for too long.
func (i *Indexing) Renew(ctx context.Context) error {
	s := i.sweeps
	theirs, err := s.rdb.Get(ctx, keyIndexing).Result()
	if err == nil && theirs == s.owner {
		err = s.rdb.PExpire(ctx, keyIndexing, indexLease).Err()
	} else if err == nil || errors.Is(err, redis.Nil) {
		return fmt.Errorf("make the index: %w", errIndexLost)
	}
	if err != nil {
		return fmt.Errorf("make the index: %w", Explain(err))
	}
	return nil
}

var errIndexLost = errors.New("queue: Redis was emptied meanwhile, or another process makes the index; it is tried again")

// Done says that the index is complete. If Redis was emptied meanwhile, what was written first is lost again, and the
// index stays unmarked.
func (i *Indexing) Done(ctx context.Context) error {
	s := i.sweeps
	if err := s.indexed.Run(ctx, s.rdb, []string{keyIndexing, keyIndexed}, s.owner, s.now().UnixMilli()).Err(); err != nil {
		return fmt.Errorf("mark the index: %w", Explain(err))
	}
	return nil
}

// GiveUp lets another process begin.
func (i *Indexing) GiveUp(ctx context.Context) error {
	s := i.sweeps
	if theirs, err := s.rdb.Get(ctx, keyIndexing).Result(); err != nil || theirs != s.owner {
		return nil
	}
	if err := s.rdb.Del(ctx, keyIndexing).Err(); err != nil {
		return fmt.Errorf("give up the index: %w", Explain(err))
	}
	return nil
}
