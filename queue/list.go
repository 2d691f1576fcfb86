package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Filter narrows List. Zero fields match everything.
type Filter struct {
	States  []State
	Account string
	// Text is looked for in id and title, whatever the case.
	Text string
}

func (f Filter) match(s Status) bool {
	if len(f.States) > 0 && !slices.Contains(f.States, s.State) {
		return false
	}
	if f.Account != "" && f.Account != s.Account {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	return strings.Contains(strings.ToLower(s.VideoID), text) || strings.Contains(strings.ToLower(s.Title), text)
}

// scanCount is how many fields Redis looks at in one go.
const scanCount = 500

// List walks over every video, waiting ones first, in no order beyond that. Videos that change while it walks may be
// seen in either state, or, if they are settled in that moment, not at all. An entry that can't be
// read yields an *EntryError and the walk goes on; any other error is Redis's and ends it. Of a settled video the
// index keeps a small record: long titles are cut, large metadata is left to the manifest.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		seen := map[string]bool{} // HSCAN may return a field twice
		for key := range keysWalked {
			if !c.scan(ctx, walked(key), func(field, raw string) bool {
				if seen[field] {
					return true
				}
				seen[field] = true
				st, err := heldIn(key, field, raw).status()
				if err == nil && !f.match(st) {
					return true
				}
				return yield(st, err)
			}, func(err error) { yield(Status{}, err) }) {
				return
			}
		}
	}
}

// scan calls each for all fields of a hash until it returns false; it says whether to go on with the next hash.
func (c *Client) scan(ctx context.Context, key string, each func(field, raw string) bool, fail func(error)) bool {
	var cursor uint64
	for {
		kvs, next, err := c.ledger.rdb.HScan(ctx, key, cursor, "", scanCount).Result()
		if err != nil {
			fail(Explain(fmt.Errorf("list videos: %w", err)))
			return false
		}
		for i := 0; i+1 < len(kvs); i += 2 {
			if !each(kvs[i], kvs[i+1]) {
				return false
			}
		}
		if next == 0 {
			return true
		}
		cursor = next
	}
}

// Counts says how many videos are in each state, in all accounts; every state is in the map.
func (c *Client) Counts(ctx context.Context) (map[State]int64, error) {
	raw, err := c.ledger.rdb.HGetAll(ctx, keyCounts).Result()
	if err != nil {
		return nil, Explain(fmt.Errorf("count videos: %w", err))
	}
	return parseCounts(raw), nil
}

// CountsByAccount says the same for each account that has, or had, a video.
func (c *Client) CountsByAccount(ctx context.Context) (map[string]map[State]int64, error) {
	raw, err := c.ledger.rdb.HGetAll(ctx, keyCounts).Result()
	if err != nil {
		return nil, fmt.Errorf("count videos: %w", Explain(err))
	}
	byAccount := map[string]map[string]string{}
	for field, n := range raw {
		state, account, ok := strings.Cut(field, "@")
		if !ok {
			continue
		}
		if byAccount[account] == nil {
			byAccount[account] = map[string]string{}
		}
		byAccount[account][state] = n
	}
	out := map[string]map[State]int64{}
	for account, counts := range byAccount {
		out[account] = parseCounts(counts)
	}
	return out, nil
}

func parseCounts(raw map[string]string) map[State]int64 {
	counts := map[State]int64{}
	for _, s := range States() {
		n, err := strconv.ParseInt(raw[string(s)], 10, 64)
		if err != nil {
			n = 0
		}
		counts[s] = max(n, 0)
	}
	return counts
}

// Overview is what a dashboard shows of the queue.
type Overview struct {
	States map[State]int64
	// Tasks counts by step: "waiting" (in the ledger, due), "later" (not due yet) and "working". Notifications are
	// counted under StepNotify.
	Tasks map[Step]map[string]int64
	// AtRisk are unsealed videos whose deadline is less than a day away, Overdue those whose deadline has passed.
	// Videos whose deadline nobody knows count with the time they were accepted plus seven days.
	AtRisk, Overdue  int64
	EarliestDeadline *time.Time // nil: nothing waits
}

// askNotify counts the notifications when pipe has run.
func askNotify(ctx context.Context, pipe redis.Pipeliner) func() map[string]int64 {
	list := func(state string) *redis.IntCmd { return pipe.LLen(ctx, asynqKey(StepNotify, state)) }
	set := func(state string) *redis.IntCmd { return pipe.ZCard(ctx, asynqKey(StepNotify, state)) }
	out, pending, active, retry, scheduled := pipe.LLen(ctx, keyOutbox), list("pending"), list("active"), set("retry"), set("scheduled")
	return func() map[string]int64 {
		return map[string]int64{"waiting": out.Val() + pending.Val(), "working": active.Val(), "later": retry.Val() + scheduled.Val()}
	}
}

// Overview reads all of it in one round trip.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	accounts, err := c.ledger.rdb.SMembers(ctx, keyAccounts).Result()
	if err != nil {
		return Overview{}, Explain(fmt.Errorf("read overview: %w", err))
	}
	now := c.now()
	pipe := c.ledger.rdb.Pipeline()
	counts := pipe.HGetAll(ctx, keyCounts)
	first := pipe.ZRangeWithScores(ctx, keyDeadlines, 0, 0)
	atRisk := pipe.ZCount(ctx, keyDeadlines, strconv.FormatInt(now.UnixMilli(), 10), "("+strconv.FormatInt(now.Add(riskWindow).UnixMilli(), 10))
	overdue := pipe.ZCount(ctx, keyDeadlines, "-inf", "("+strconv.FormatInt(now.UnixMilli(), 10))
	working, waiting, later := map[Step]*redis.IntCmd{}, map[Step][]*redis.IntCmd{}, map[Step]*redis.IntCmd{}
	for _, step := range []Step{StepStatus, StepTransfer} {
		working[step] = pipe.ZCard(ctx, keyFlight(step))
		later[step] = pipe.ZCard(ctx, keyLater(step))
		for _, account := range accounts {
			waiting[step] = append(waiting[step], pipe.ZCard(ctx, keyReady(step, PriorityInteractive, account)),
				pipe.ZCard(ctx, keyReady(step, PriorityBackfill, account)))
		}
	}
	told := askNotify(ctx, pipe)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Overview{}, Explain(fmt.Errorf("read overview: %w", err))
	}
	o := Overview{States: parseCounts(counts.Val()), AtRisk: atRisk.Val(), Overdue: overdue.Val(),
		Tasks: map[Step]map[string]int64{}}
	for step, n := range working {
		o.Tasks[step] = map[string]int64{"working": n.Val(), "waiting": 0, "later": later[step].Val()}
		for _, w := range waiting[step] {
			o.Tasks[step]["waiting"] += w.Val()
		}
	}
	o.Tasks[StepNotify] = told()
	if z := first.Val(); len(z) > 0 {
		t := fromMillis(int64(z[0].Score))
		o.EarliestDeadline = &t
	}
	return o, nil
}
