package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// All keys share one hash tag, so that a script may touch them together on a Redis Cluster; and every key a script
// touches is handed to it in KEYS, which Dragonfly insists on.
const (
	keyLedger      = "{reelkeep}:ledger"    // hash: account/id → entry
	keyIndex       = "{reelkeep}:index"     // hash: account/id → record
	keyCounts      = "{reelkeep}:counts"    // hash: state, and state@account → how many
	keyDeadlines   = "{reelkeep}:deadlines" // zset: account/id of unsealed videos by deadline
	keyProgress    = "{reelkeep}:progress"  // hash: account/id → progress
	keyCancelled   = "{reelkeep}:cancelled" // list: account/id of cancelled videos that no server has told of yet
	keyAccounts    = "{reelkeep}:accounts"  // set
	keyServers     = "{reelkeep}:servers"   // hash: name → presence
	keyFingerprint = "{reelkeep}:fingerprint"
	keyCheck       = "{reelkeep}:check"  // what CheckRedis writes
	keySynced      = "{reelkeep}:synced" // what synced writes
)

func keyReady(step Step, prio Priority, account string) string {
	return "{reelkeep}:ready:" + string(step) + ":" + string(prio) + ":" + account
}
func keyLater(step Step) string  { return "{reelkeep}:later:" + string(step) } // zset: account/id by due time
func keyFlight(step Step) string { return "{reelkeep}:flight:" + string(step) }
func keyTurn(step Step) string   { return "{reelkeep}:turn:" + string(step) }
func keyTick(what string) string { return "{reelkeep}:tick:" + what }

// Where an entry is found, as positions in the KEYS of moveScript.
const (
	placeNone     = 0
	placeLater    = 6 // and 7: status and transfer
	placeReady    = 8 // to 11: status and transfer, interactive and backfill of each
	placeInFlight = 12
)

func moveKeys(account string) []string {
	return []string{
		keyLedger, keyIndex, keyCounts, keyDeadlines, keyProgress,
		keyLater(StepStatus), keyLater(StepTransfer),
		keyReady(StepStatus, PriorityInteractive, account), keyReady(StepStatus, PriorityBackfill, account),
		keyReady(StepTransfer, PriorityInteractive, account), keyReady(StepTransfer, PriorityBackfill, account),
		keyFlight(StepStatus), keyFlight(StepTransfer), keyAccounts, keyOutbox, keyRecent, keyReach,
	}
}

const moveArgs = 14

// moveScript applies changes of one account's videos. Each is a compare-and-set: it happens whole, with the lists
// it belongs in, or not at all because somebody else was faster (0) or the backlog is full (-1). Only the notification of
// it may be left out, if the outbox is full (2).
func moveScript() *redis.Script {
	return redis.NewScript(rememberLua() + "\nlocal most = " + strconv.Itoa(mostWaiting) + `
local out = {}
local placed = false
for p = 2, #ARGV, 14 do
	local field, place, member, drop, cap = ARGV[p], tonumber(ARGV[p+5]), ARGV[p+7], ARGV[p+8], ARGV[p+11]
	if (redis.call('HGET', KEYS[1], field) or '') ~= ARGV[p+1] or (redis.call('HGET', KEYS[2], field) or '') ~= ARGV[p+2] then
		out[#out+1] = 0
	elseif cap ~= '' and redis.call('ZCARD', KEYS[place]) >= tonumber(cap) then
		out[#out+1] = -1
	else
		if ARGV[p+3] ~= '' then redis.call('HSET', KEYS[1], field, ARGV[p+3]) elseif ARGV[p+1] ~= '' then redis.call('HDEL', KEYS[1], field) end
		if ARGV[p+4] ~= '' then redis.call('HSET', KEYS[2], field, ARGV[p+4]) elseif ARGV[p+2] ~= '' then redis.call('HDEL', KEYS[2], field) end
		if ARGV[p+1] ~= '' then for k = 6, 11 do redis.call('ZREM', KEYS[k], field) end end
		if drop ~= '' then
			redis.call('ZREM', KEYS[12], drop)
			redis.call('ZREM', KEYS[13], drop)
			redis.call('HDEL', KEYS[5], field)
		end
		if place > 0 then
			redis.call('ZADD', KEYS[place], ARGV[p+6], member)
			placed = true
		end
		local olds, news = string.match(ARGV[p+9], '^(.*)>(.*)$')
		if olds ~= news then
			if olds ~= '' then
				redis.call('HINCRBY', KEYS[3], olds, -1)
				redis.call('HINCRBY', KEYS[3], olds .. '@' .. ARGV[1], -1)
			end
			if news ~= '' then
				redis.call('HINCRBY', KEYS[3], news, 1)
				redis.call('HINCRBY', KEYS[3], news .. '@' .. ARGV[1], 1)
			end
		end
		if ARGV[p+10] ~= '' then redis.call('ZADD', KEYS[4], ARGV[p+10], field) else redis.call('ZREM', KEYS[4], field) end
		local full = ARGV[p+12] ~= '' and redis.call('LLEN', KEYS[15]) >= most
		if ARGV[p+12] ~= '' and not full then redis.call('RPUSH', KEYS[15], ARGV[p+12]) end
		if ARGV[p+13] ~= '' then remember(KEYS[16], KEYS[17], ARGV[p+13], field)
		elseif ARGV[p+1] ~= '' or ARGV[p+2] ~= '' then redis.call('ZREM', KEYS[16], field) end
		out[#out+1] = full and 2 or 1
	end
end
if placed then redis.call('SADD', KEYS[14], ARGV[1]) end
return out`)
}

// held is what Redis holds about a video, as read.
type held struct {
	field      string
	raw, idx   string
	entry      *entry  // nil: not in the ledger
	record     *record // nil: not in the index
	prog       *progress
	unreadable error // the entry or record can't be read; a fresh job may replace it
}

func (h *held) state() State {
	switch {
	case h.entry != nil:
		return h.entry.State
	case h.record != nil:
		return h.record.State
	}
	return ""
}

func (h *held) epoch() int64 {
	switch {
	case h.entry != nil:
		return h.entry.Epoch
	case h.record != nil:
		return h.record.Epoch
	}
	return 0
}

// change turns what is held into next (in the ledger) or done (in the index); exactly one is set.
type change struct {
	from     *held
	next     *entry
	done     *entry
	capacity int // > 0: only while fewer than this are under way
	now      int64
	note     string // what goes into the outbox with it; "": nothing
}

func (c change) args() ([]any, error) {
	var newRaw, newIdx, drop, deadline, capacity, sealed string
	place, score, member := placeNone, int64(0), ""
	var state State
	var err error
	if c.next != nil {
		state = c.next.State
		if newRaw, err = encode(c.next); err != nil {
			return nil, err
		}
		place, score, member = c.next.place(c.now)
		if c.next.Sealed == 0 {
			deadline = strconv.FormatInt(c.next.orderBy(), 10)
		}
	} else {
		state = c.done.State
		if newIdx, err = recordOf(c.done).encode(); err != nil {
			return nil, err
		}
	}
	if e := c.from.entry; e != nil && e.Flight {
		drop = e.flightMember()
		if c.next != nil && c.next.Flight && c.next.Epoch == e.Epoch {
			// Still the same hand-out: neither its sign of life nor its progress is ours to touch.
			place, drop = placeNone, ""
		}
	}
	if at := cmp.Or(c.next, c.done).sealedAt(); at != 0 {
		sealed = strconv.FormatInt(at, 10)
	}
	if c.capacity > 0 {
		capacity = strconv.Itoa(c.capacity)
	}
	return []any{c.from.field, c.from.raw, c.from.idx, newRaw, newIdx, place, score, member, drop,
		string(c.from.state()) + ">" + string(state), deadline, capacity, c.note, sealed}, nil
}

// place says which list the entry belongs in, with which score and under which name.
func (e *entry) place(now int64) (place int, score int64, member string) {
	switch {
	case e.Flight && e.Step == StepTransfer:
		return placeInFlight + 1, now, e.flightMember()
	case e.Flight:
		return placeInFlight, now, e.flightMember()
	case e.Due > now && e.Step == StepTransfer:
		return placeLater + 1, e.Due, e.field()
	case e.Due > now:
		return placeLater, e.Due, e.field()
	}
	place = placeReady
	if e.Step == StepTransfer {
		place += 2
	}
	if e.Priority == PriorityBackfill {
		place++
	}
	return place, e.orderBy(), e.field()
}

// dropScript takes a name out of a list if the ledger still says of the video what it said when the name was found to
// be left over. In the meantime the video may have been handed in again, and the name be its only mark.
func dropScript() *redis.Script {
	return redis.NewScript(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[2], ARGV[3])`)
}

type ledger struct {
	rdb  redis.UniversalClient
	move *redis.Script
	drop *redis.Script

	unheard atomic.Int64 // notifications for which there was no room, of which nobody has been told yet
}

func newLedger(rdb redis.UniversalClient) *ledger {
	return &ledger{rdb: rdb, move: moveScript(), drop: dropScript()}
}

// unlist drops the name of a video from a list in which the ledger, as read, does not mean it to be.
func (l *ledger) unlist(ctx context.Context, h *held, list, name string) error {
	if err := l.drop.Run(ctx, l.rdb, []string{keyLedger, list}, h.field, h.raw, name).Err(); err != nil {
		return Explain(fmt.Errorf("drop a mark without a video: %w", err))
	}
	return nil
}

// read fetches what is held about the videos, in the order asked.
func (l *ledger) read(ctx context.Context, fields ...string) ([]*held, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	pipe := l.rdb.Pipeline()
	entries := pipe.HMGet(ctx, keyLedger, fields...)
	records := pipe.HMGet(ctx, keyIndex, fields...)
	progs := pipe.HMGet(ctx, keyProgress, fields...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, Explain(fmt.Errorf("read ledger: %w", err))
	}
	out := make([]*held, len(fields))
	for i, field := range fields {
		out[i] = newHeld(field, text(entries.Val(), i), text(records.Val(), i), text(progs.Val(), i))
	}
	return out, nil
}

func newHeld(field, raw, idx, prog string) *held {
	h := &held{field: field, raw: raw, idx: idx}
	var err1, err2 error
	if raw != "" {
		h.entry, err1 = decodeEntry(field, raw)
	}
	if idx != "" {
		h.record, err2 = decodeRecord(field, idx)
	}
	h.unreadable = errors.Join(err1, err2)
	h.prog = decodeProgress(prog)
	return h
}

// apply makes the changes, all of one account, and says of each whether it happened (1), was overtaken (0), or found
// the backlog full (-1).
func (l *ledger) apply(ctx context.Context, account string, changes []change) ([]int64, error) {
	argv := make([]any, 1, 1+moveArgs*len(changes))
	argv[0] = account
	for _, c := range changes {
		a, err := c.args()
		if err != nil {
			return nil, err
		}
		argv = append(argv, a...)
	}
	out, err := l.move.Run(ctx, l.rdb, moveKeys(account), argv...).Int64Slice()
	if err != nil {
		return nil, Explain(fmt.Errorf("write ledger: %w", err))
	}
	if len(out) != len(changes) {
		return nil, fmt.Errorf("write ledger: asked for %d changes, heard of %d", len(changes), len(out))
	}
	for i, done := range out {
		if done == 2 {
			l.unheard.Add(1)
			out[i] = 1
		}
	}
	l.noteTrouble(ctx, changes, out)
	return out, nil
}

func text(vals []any, i int) string {
	if i >= len(vals) {
		return ""
	}
	s, _ := vals[i].(string)
	return s
}
