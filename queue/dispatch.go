package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	// promoteBatch bounds one look at what has become due, so that a long outage's backlog does not hold Redis up.
	promoteBatch = 250
	// wakeApart is how far apart looks are for which servers were woken: those of a fleet hear of the same videos within
	// that time, and who hears of others then is woken again or has its tick.
	wakeApart = 100 * time.Millisecond
	// claimBatch bounds one look at what is ready.
	claimBatch = 250
	// cancelledBatch bounds how many cancelled videos one look tells of.
	cancelledBatch = 100
	// transferLimit and statusLimit are asynq's time limits. Stall watchdogs bound transfers; the limit is for a
	// handler that hangs. asynq would take "no limit" for 30 minutes.
	transferLimit = 24 * time.Hour
	statusLimit   = 5 * time.Minute
	// maxTries is huge because asynq archives a task without asking once its failures are used up; we count ourselves.
	maxTries = math.MaxInt32
)

// payload is an asynq task: everything else is in the ledger.
type payload struct {
	Account string `json:"a"`
	VideoID string `json:"i"`
	Step    Step   `json:"s"`
	Epoch   int64  `json:"e"`
}

func (p payload) taskID() string {
	return string(p.Step) + ":" + p.Account + ":" + p.VideoID + ":" + strconv.FormatInt(p.Epoch, 10)
}

// tickScript lets one server in each period look: the first one to ask wins. It compares times instead of using a key
// that expires, because miniredis's clock moves only when it is pushed.
func tickScript() *redis.Script {
	return redis.NewScript(`
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local now = tonumber(ARGV[1])
if last <= now and now - last < tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1`)
}

// claimTick says whether this server is the one to do what in this period.
func (s *Server) claimTick(ctx context.Context, what string, period time.Duration) (bool, error) {
	n, err := s.tick.Run(ctx, s.rdb, []string{keyTick(what)}, s.clock.now().UnixMilli(), period.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("claim %s tick: %w", what, err)
	}
	return n == 1, nil
}

// dispatchLoop lets videos into asynq: at each tick that no other server claimed, and at once when a slot here
// became free, a job was handed in here, or somebody has noticed that one was handed in elsewhere.
func (s *Server) dispatchLoop(ctx context.Context) {
	t := time.NewTicker(s.cfg.Poll)
	defer t.Stop()
	for {
		// A little less than the period, or a ticker that comes a hair early loses every second tick.
		mine, period := false, s.cfg.Poll*9/10
		select {
		case <-ctx.Done():
			return
		case <-s.kicks:
			mine = true
		case <-s.wakes:
			period = min(wakeApart, period)
		case <-t.C:
		}
		if !mine {
			var err error
			if mine, err = s.claimTick(ctx, "dispatch", period); err != nil {
				s.complain(ctx, "dispatch", err)
				continue
			}
		}
		if !mine {
			continue
		}
		if err := s.dispatch(ctx); err != nil {
			s.complain(ctx, "dispatch", err)
		}
	}
}

// complainEvery is how often the same kind of trouble is logged: an outage is told, not counted.
const complainEvery = 30 * time.Second

// complain logs trouble with Redis unless it is only that we are stopping.
func (s *Server) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && s.speaks(what) {
		s.log.Warn("queue upkeep will be tried again", "what", what, "err", Explain(err))
	}
}

// speaks says whether this kind of trouble has not been told for a while. what must be one of a few words.
func (s *Server) speaks(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.complained[what]) < complainEvery {
		return false
	}
	s.complained[what] = time.Now()
	return true
}

// dispatch moves what has become due to the ready lists, and what is most urgent there into asynq.
func (s *Server) dispatch(ctx context.Context) error {
	now := s.clock.now().UnixMilli()
	pipe := s.rdb.Pipeline()
	servers := pipe.HGetAll(ctx, keyServers)
	accounts := pipe.SMembers(ctx, keyAccounts)
	cancelled := pipe.LRange(ctx, keyCancelled, 0, cancelledBatch-1)
	due := map[Step]*redis.StringSliceCmd{}
	underWay := map[Step]*redis.IntCmd{}
	turns := map[Step]*redis.StringCmd{}
	for _, step := range []Step{StepStatus, StepTransfer} {
		due[step] = pipe.ZRangeByScore(ctx, keyLater(step), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(now, 10), Count: promoteBatch})
		underWay[step] = pipe.ZCard(ctx, keyFlight(step))
		turns[step] = pipe.Get(ctx, keyTurn(step))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("look for work: %w", err)
	}
	if err := s.tellCancelled(ctx, cancelled.Val()); err != nil {
		return err
	}
	for step, fields := range due {
		if err := s.promote(ctx, step, fields.Val(), now); err != nil {
			return err
		}
	}
	slots, dead := fleetSlots(servers.Val(), now)
	if len(dead) > 0 {
		if err := s.rdb.HDel(ctx, keyServers, dead...).Err(); err != nil {
			return fmt.Errorf("forget dead servers: %w", err)
		}
	}
	for _, step := range []Step{StepStatus, StepTransfer} {
		capacity := slots[step] + lookAhead(step, slots[step])
		free := min(capacity-int(underWay[step].Val()), claimBatch)
		if slots[step] == 0 || free <= 0 {
			continue
		}
		risk := span{now, now + riskWindow.Milliseconds()}
		lanes, err := s.ready(ctx, ask{step, free, risk}, accounts.Val())
		if err != nil {
			return err
		}
		chosen, turn := pick(lanes, free, risk, turns[step].Val())
		if len(chosen) == 0 {
			continue
		}
		if err := s.claim(ctx, step, chosen, capacity); err != nil {
			return err
		}
		if err := s.rdb.Set(ctx, keyTurn(step), turn, 0).Err(); err != nil {
			return fmt.Errorf("note whose turn it was: %w", err)
		}
	}
	return nil
}

// promote files what has become due under ready.
func (s *Server) promote(ctx context.Context, step Step, fields []string, now int64) error {
	known, err := s.ledger.read(ctx, fields...)
	if err != nil {
		return err
	}
	groups := map[string][]change{}
	for _, h := range known {
		if h.entry == nil {
			if err := s.ledger.unlist(ctx, h, keyLater(step), h.field); err != nil {
				return err
			}
			continue
		}
		if h.entry.Due > now {
			continue // put off again since it was seen
		}
		next := h.entry.clone()
		next.Due = 0
		groups[next.Account] = append(groups[next.Account], change{from: h, next: next, now: now})
	}
	for account, changes := range groups {
		if _, err := s.ledger.apply(ctx, account, changes); err != nil {
			return err
		}
	}
	return nil
}

// ask is what the dispatcher wants to know of the ready lists: up to n videos of a step, and of those at risk as many.
type ask struct {
	step Step
	n    int
	risk span
}

// ready reads what is most urgent in every ready list of the step. The lists are in the order of deadlines, so overdue videos
// stand before those at risk, which are asked for by themselves.
func (s *Server) ready(ctx context.Context, a ask, accounts []string) ([]lane, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	pipe := s.rdb.Pipeline()
	heads, risks := make([][2]*redis.ZSliceCmd, len(accounts)), make([][2]*redis.ZSliceCmd, len(accounts))
	within := &redis.ZRangeBy{Min: strconv.FormatInt(a.risk.from, 10), Max: "(" + strconv.FormatInt(a.risk.to, 10), Count: int64(a.n)}
	for i, account := range accounts {
		for k, prio := range []Priority{PriorityInteractive, PriorityBackfill} {
			key := keyReady(a.step, prio, account)
			heads[i][k] = pipe.ZRangeWithScores(ctx, key, 0, int64(a.n-1))
			risks[i][k] = pipe.ZRangeByScoreWithScores(ctx, key, within)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read what is ready: %w", err)
	}
	lanes := make([]lane, len(accounts))
	for i, account := range accounts {
		list := func(k int) []candidate { return candidates(account, heads[i][k].Val(), risks[i][k].Val()) }
		lanes[i] = lane{account: account, interactive: list(0), backfill: list(1)}
	}
	return lanes, nil
}

// candidates puts the head of a list and those at risk together, in the order of deadlines, each once.
func candidates(account string, head, risk []redis.Z) []candidate {
	out := make([]candidate, 0, len(head)+len(risk))
	seen := make(map[string]bool, len(head)+len(risk))
	for _, z := range append(head, risk...) {
		field, _ := z.Member.(string)
		if !seen[field] {
			seen[field] = true
			out = append(out, candidate{account: account, field: field, order: int64(z.Score)})
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return compare(a.order, b.order) })
	return out
}

// handOutRest is how long the dispatcher may finish what it has begun to hand out when it is told to stop.
const handOutRest = time.Second

// claim marks the chosen videos as handed out, ledger first, and gives them to asynq, all that it has marked, even
// when it is told to stop. If that fails in between, the reconciler finds them without a sign of life.
func (s *Server) claim(ctx context.Context, step Step, chosen []candidate, capacity int) error {
	fields := make([]string, len(chosen))
	for i, c := range chosen {
		fields[i] = c.field
	}
	known, err := s.ledger.read(ctx, fields...)
	if err != nil {
		return err
	}
	now := s.clock.now().UnixMilli()
	groups := map[string][]change{}
	for i, h := range known {
		if h.entry == nil || h.entry.Flight || h.entry.Step != step {
			if err := s.unlist(ctx, step, chosen[i], h); err != nil {
				return err
			}
			continue
		}
		groups[h.entry.Account] = append(groups[h.entry.Account], change{from: h, next: h.entry.handOut(), capacity: capacity, now: now})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := outlive(ctx, handOutRest)
	defer cancel()
	claimed := map[string]*entry{}
	var failed error
	for account, changes := range groups {
		done, err := s.ledger.apply(ctx, account, changes)
		if err != nil {
			failed = err
			break
		}
		for i, ok := range done {
			if ok == 1 {
				claimed[changes[i].from.field] = changes[i].next
			}
		}
	}
	for _, field := range fields { // asynq is first in, first out: keep the order that pick chose
		if e := claimed[field]; e != nil {
			if err := s.hand(ctx, e); err != nil {
				return errors.Join(failed, err)
			}
		}
	}
	return failed
}

// outlive is a context that ends d later than ctx.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		pause(longer, d)
		cancel()
	})
	return longer, func() { stop(); cancel() }
}

// unlist drops a name from the ready list if the ledger no longer means it to be there.
func (s *Server) unlist(ctx context.Context, step Step, c candidate, h *held) error {
	if h.unreadable != nil {
		s.log.Error("a ledger entry can't be read; its video waits until it is handed in again", "video_id", c.field, "err", h.unreadable)
	}
	for _, prio := range []Priority{PriorityInteractive, PriorityBackfill} {
		if err := s.ledger.unlist(ctx, h, keyReady(step, prio, c.account), c.field); err != nil {
			return err
		}
	}
	return nil
}

// handOut is the entry as it is while a worker has it.
func (e *entry) handOut() *entry {
	next := e.clone()
	next.Epoch++
	next.Flight = true
	next.Called = false
	next.Due = 0
	if next.Step == StepTransfer {
		next.Attempts++
		if next.State != StatePartial {
			next.State = StateTransferring
		}
	}
	return next
}

// hand gives a claimed video to asynq. A conflict means that asynq has this very task: the reply to an
// earlier try was lost.
func (s *Server) hand(ctx context.Context, e *entry) error {
	p := payload{Account: e.Account, VideoID: e.ID, Step: e.Step, Epoch: e.Epoch}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode task of %s: %w", e.ID, err)
	}
	limit := statusLimit
	if e.Step == StepTransfer {
		limit = transferLimit
	}
	_, err = s.tasks.EnqueueContext(ctx, asynq.NewTask(string(e.Step), raw),
		asynq.Queue(string(e.Step)), asynq.TaskID(p.taskID()), asynq.MaxRetry(maxTries), asynq.Timeout(limit))
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("hand %s to asynq: %w", e.ID, err)
	}
	s.bell.ring(e.Step)
	return nil
}
