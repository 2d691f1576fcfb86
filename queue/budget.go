package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

const (
	// budgetRate is the fleet's requests a second for one account, and budgetBurst how many may go at once. HeyGen
	// publishes no limit for reads. Ten a second find 36,000 videos an hour, far more than an account renders,
	// and are what a person with a browser and a few scripts might cause; a fleet needs no more, since lists
	// bring a hundred videos in one request. No setting: who is throttled is told by 429 and obeys.
	budgetRate, budgetBurst = 10, 10
	// budgetPatience is how far away a turn may be and still be waited for. A slot of a worker waits meanwhile.
	budgetPatience = 2 * time.Second
	// aloneRate is what one process allows itself while Redis is away and nobody knows how many there are.
	aloneRate = 1
	// budgetAnswer is how long Redis may take. Its limit is worth less than the request.
	budgetAnswer = 2 * time.Second
	// budgetRest is how long Redis is left alone after it failed to answer, so that not every request waits in vain.
	budgetRest = 2 * time.Second
	// budgetTries bounds compare-and-set loops.
	budgetTries = 8
)

// WhyBusy is the word of Enter when the allowance itself is used up: nobody complained.
const WhyBusy = "busy"

// WhyInconclusive is the word with which a request leaves that tells nothing of how it was received: its caller gave up,
// say. It neither closes the gate nor opens it.
const WhyInconclusive = "inconclusive"

// Budget is the fleet's shared allowance of requests for one HeyGen account: a rate, and a gate that all processes
// obey. While Redis is away each process goes on alone, much slower, with what it knew last. It is safe for use by
// several goroutines.
type Budget struct {
	account string
	rdb     redis.UniversalClient
	limiter *redis_rate.Limiter
	look    *redis.Script
	swap    *redis.Script
	now     func() time.Time
	alone   *rate.Limiter

	mu   sync.Mutex
	gate gate      // as last seen; by our clock
	told int64     // what our clock said last
	seen int64     // when that was; by Redis's clock
	rest time.Time // Redis is not asked before
}

// budgets are those of one Client, by account.
type budgets struct {
	mu  sync.Mutex
	all map[string]*Budget
}

func newBudgets() *budgets { return &budgets{all: map[string]*Budget{}} }

// Budget returns the fleet's shared allowance of requests for one HeyGen account; "" is DefaultAccount.
func (c *Client) Budget(account string) *Budget {
	if account == "" {
		account = DefaultAccount
	}
	c.budgets.mu.Lock()
	defer c.budgets.mu.Unlock()
	b := c.budgets.all[account]
	if b == nil {
		b = &Budget{account: account, rdb: c.ledger.rdb, limiter: redis_rate.NewLimiter(c.ledger.rdb), look: lookScript(), swap: swapScript(),
			now: c.now, alone: rate.NewLimiter(aloneRate, 1)}
		c.budgets.all[account] = b
	}
	return b
}

func keyBudget(account string) string { return "{reelkeep}:budget:" + account }
func keyGate(account string) string   { return "{reelkeep}:gate:" + account }

// lookScript reads a value together with the time, so that a fleet goes by one clock.
func lookScript() *redis.Script {
	return redis.NewScript(`
local t = redis.call('TIME')
return {redis.call('GET', KEYS[1]) or '', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)}`)
}

// swapScript replaces a value that is still the one that was read.
func swapScript() *redis.Script {
	return redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`)
}

// Enter waits for a turn. closed > 0 says: not now, come back after that long; why is the word that closed it. A turn
// further away than two seconds is not waited for. Callers that are sent away come back at different times.
// err is only ever the end of ctx.
func (b *Budget) Enter(ctx context.Context) (closed time.Duration, why string, err error) {
	if closed, why = b.closedHere(); closed > 0 {
		return spread(closed), why, nil
	}
	turn, allowed := b.reserve(ctx)
	if ctx.Err() != nil {
		return 0, "", ctx.Err()
	}
	if !allowed {
		// Those who wait now go first; who is sent away comes when about they have gone.
		return turn + rand.N(budgetPatience), WhyBusy, nil
	}
	if turn > 0 && !pause(ctx, turn) {
		return 0, "", ctx.Err()
	}
	// The gate is asked last: it may have closed meanwhile.
	left, g := b.change(ctx, func(g gate, now int64) (gate, int64) { return g.enter(now) })
	if ctx.Err() != nil {
		return 0, "", ctx.Err()
	}
	if left > 0 {
		return spread(time.Duration(left) * time.Millisecond), g.Why, nil
	}
	return 0, "", nil
}

// Leave tells how the request ended. why == "": as it should. Otherwise the gate closes for wait, for all processes of the
// fleet. Where wait is 0, one bad answer among good ones closes nothing; three in a row do, for a time that doubles while
// the probes fail that are let through after it (2 s … 30 s). An answer to a request that was under way when the gate
// closed doubles nothing.
func (b *Budget) Leave(ctx context.Context, why string, wait time.Duration) {
	switch why {
	case WhyInconclusive:
		return
	case "":
		b.mu.Lock()
		spotless := b.gate == gate{}
		b.mu.Unlock()
		if spotless {
			return // nothing to take back: one round trip less for nearly every request
		}
	}
	ctx = context.WithoutCancel(ctx) // a request that was given up may have been answered all the same
	b.change(ctx, func(g gate, now int64) (gate, int64) {
		if why == "" {
			return g.passed(now), 0
		}
		return g.struck(now, clip(why, 40), wait), 0
	})
}

// closedHere says whether this process knows already that the gate is closed: until its time has come nobody opens it.
func (b *Budget) closedHere() (time.Duration, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left := b.gate.Until - b.ours(); left > 0 && !b.gate.open() {
		return time.Duration(left) * time.Millisecond, b.gate.Why
	}
	return 0, ""
}

// ours is our clock. Where it was set back, the gate goes with it, or an account would stay shut for as long. b.mu is held.
func (b *Budget) ours() int64 {
	now := b.now().UnixMilli()
	if back := b.told - now; back > 0 && !b.gate.open() {
		b.gate.Until -= back
		b.gate.Since -= back
	}
	b.told = now
	return now
}

// spread adds a little by chance, so that what was refused together does not come back together.
func spread(d time.Duration) time.Duration {
	return d + rand.N(d/5+500*time.Millisecond)
}

// reserve takes the next turn and says how far away it is, or that it is too far. redis_rate only knows "now" and
// "no": its burst is widened by the turns of the next two seconds, and a reservation from that part is waited for.
// So nobody has to ask twice, and turns are given in the order of asking.
func (b *Budget) reserve(ctx context.Context) (turn time.Duration, ok bool) {
	const wide = budgetBurst + budgetRate*int(budgetPatience/time.Second)
	ask, cancel := context.WithTimeout(ctx, budgetAnswer)
	defer cancel()
	if b.reachable() {
		res, err := b.limiter.Allow(ask, keyBudget(b.account), redis_rate.Limit{Rate: budgetRate, Burst: wide, Period: time.Second})
		switch {
		case err == nil && res.Allowed == 0:
			return res.RetryAfter + budgetPatience, false
		case err == nil:
			return max(res.ResetAfter-budgetBurst*time.Second/budgetRate, 0), true
		case ctx.Err() != nil:
			return 0, false
		}
		b.leaveAlone()
	}
	r := b.alone.Reserve()
	d := r.Delay()
	if d > budgetPatience {
		r.Cancel()
	}
	return d, d <= budgetPatience
}

// change lets decide make a new gate out of the one that Redis holds, or while Redis is away out of the one seen last.
// left is what decide said.
func (b *Budget) change(ctx context.Context, decide func(g gate, now int64) (gate, int64)) (left int64, g gate) {
	ask, cancel := context.WithTimeout(ctx, budgetAnswer)
	defer cancel()
	if b.reachable() {
		left, g, now, err := b.changeShared(ask, decide)
		if err == nil {
			b.remember(g, now)
			return left, g
		}
		if ctx.Err() != nil {
			return 0, gate{}
		}
		if !errors.Is(err, errContended) {
			b.leaveAlone()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate, left = decide(b.gate, b.ours())
	return left, b.gate
}

func (b *Budget) changeShared(ctx context.Context, decide func(g gate, now int64) (gate, int64)) (left int64, g gate, now int64, err error) {
	keys := []string{keyGate(b.account)}
	for range budgetTries {
		seen, err := b.look.Run(ctx, b.rdb, keys).Slice()
		if err != nil {
			return 0, g, 0, fmt.Errorf("look at the gate: %w", err)
		}
		raw := text(seen, 0)
		now, _ := seen[1].(int64)
		old := decodeGate(raw)
		next, left := decide(old, now)
		if next == old {
			return left, next, now, nil
		}
		var want string
		if next != (gate{}) {
			if want, err = encode(next); err != nil {
				return 0, g, 0, err
			}
		}
		done, err := b.swap.Run(ctx, b.rdb, keys, raw, want, next.life(now).Milliseconds()).Int()
		if err != nil {
			return 0, g, 0, fmt.Errorf("move the gate: %w", err)
		}
		if done == 1 {
			return left, next, now, nil
		}
	}
	return 0, g, 0, errContended
}

// remember keeps what Redis said, in our own time, unless it is old news. A gate that this process knows to be closed
// stays so: Redis was away when it closed, or was emptied since.
func (b *Budget) remember(g gate, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ours := b.ours()
	if now < b.seen || g.open() && b.gate.Until > ours {
		return
	}
	if !g.open() {
		g.Until += ours - now
		g.Since += ours - now
	}
	b.gate, b.seen = g, now
}

func (b *Budget) reachable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.now().Before(b.rest)
}

func (b *Budget) leaveAlone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = b.now().Add(budgetRest)
}
