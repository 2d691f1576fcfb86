package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Event is something about a video that is told to whoever asked for it.
type Event string

const (
	EventArchived Event = "video.archived" // sealed, and nothing more to come
	EventPartial  Event = "video.partial"  // sealed; an optional asset may still come
	EventFailed   Event = "video.failed"   // ended without an archived video: StateFailed or StateGone
	EventAtRisk   Event = "video.at_risk"  // not sealed, and its deadline less than a day away; told once
)

// StepNotify names the queue of notifications in Overview.Tasks. No video is ever at this step.
const StepNotify Step = "notify"

const (
	keyOutbox = "{reelkeep}:outbox" // list: notifications that asynq does not have yet
	keyAtRisk = "{reelkeep}:atrisk" // zset: account/id whose risk was told, by when
)

// Notification is one event, as the video stood then.
type Notification struct {
	// ID is the same for every delivery of the same event, also where a crash makes us tell it again: receivers know
	// duplicates by it.
	ID    string
	Event Event
	At    time.Time
	Status
}

// Notifier delivers notifications. It is called by several goroutines. What it returns an error for comes again, after
// RetryAfter() where the error answers that and else after a growing pause, for a day. An error that answers Permanent() with true is
// the end of that notification.
type Notifier interface {
	Notify(ctx context.Context, n Notification) error
}

type permanent interface{ Permanent() bool }

// note is a Notification as it lies in Redis.
type note struct {
	ID    string `json:"id"`
	Event Event  `json:"event"`
	At    int64  `json:"at"`
	Video *entry `json:"video"`
}

// newNote tells of a video as it is now. which tells occasions of the same event apart.
func newNote(event Event, e *entry, at, which int64) note {
	told := e.clone()
	told.Flight, told.Called, told.Due, told.Cut = false, false, 0, ""
	sum := sha256.Sum256([]byte(string(event) + " " + e.field() + " " + strconv.FormatInt(which, 10)))
	return note{ID: "msg_" + hex.EncodeToString(sum[:16]), Event: event, At: at, Video: told}
}

func (n note) notification() Notification {
	return Notification{ID: n.ID, Event: n.Event, At: fromMillis(n.At), Status: n.Video.status(nil)}
}

// tells is the event that a change brings with it, "" if none: a video is told of once for each end that it reaches, and
// once when it is sealed with something missing.
func tells(before State, now *entry) Event {
	switch now.State {
	case StateArchived:
		return EventArchived
	case StateFailed, StateGone:
		return EventFailed
	case StatePartial:
		if before != StatePartial {
			return EventPartial
		}
	}
	return ""
}

// announce puts the notification into the change, so that Redis holds both or none.
func (s *Server) announce(ch *change, before State, now *entry) error {
	event := tells(before, now)
	if event == "" || s.cfg.Notify == nil {
		return nil
	}
	raw, err := encode(newNote(event, now, ch.now, now.Epoch))
	ch.note = raw
	return err
}

const (
	// outboxBatch bounds one look at the outbox, riskBatch one at the videos at risk.
	outboxBatch = 100
	riskBatch   = 250
	// notifyLimit is asynq's time limit for one try; the receiver has less.
	notifyLimit = time.Minute
	// mostWaiting is how many notifications may wait in the outbox, and as many with asynq. Each holds a whole entry, and a
	// Redis that a dead receiver fills takes no more videos.
	mostWaiting = 50_000
	// notifyLife is how long a notification is tried.
	notifyLife = 24 * time.Hour
	// notifyKept is how long asynq remembers one that is delivered: a dispatcher may be about to hand the same one in.
	notifyKept = time.Minute
	// riskEvery is how often somebody looks for videos that have come to be at risk.
	riskEvery = 30 * time.Second
	// riskMemory is how long it is remembered of whom the risk was told.
	riskMemory = 60 * 24 * time.Hour
)

// post gives asynq what lies in the outbox. A crash between the two leaves it there. What asynq has no room for is dropped:
// asynq's keys have a hash tag of their own, so that the script that notes it can't count them.
func (s *Server) post(ctx context.Context) error {
	raws, room, err := s.lying(ctx)
	if err != nil {
		return err
	}
	for i, raw := range raws {
		n, err := decodeNote(raw)
		switch {
		case err != nil:
			s.log.Error("a notification can't be read; dropped", "err", err)
		case int64(i) >= room:
		default:
			_, err = s.tasks.EnqueueContext(ctx, asynq.NewTask(string(StepNotify), []byte(raw)), asynq.Queue(string(StepNotify)),
				asynq.TaskID(n.ID), asynq.MaxRetry(maxTries), asynq.Timeout(notifyLimit), asynq.Retention(notifyKept))
			if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
				return fmt.Errorf("hand a notification of %s to asynq: %w", n.Video.ID, err)
			}
		}
		taken, err := s.rdb.LRem(ctx, keyOutbox, 1, raw).Result()
		if err != nil {
			return fmt.Errorf("take a notification out of the outbox: %w", err)
		}
		if int64(i) >= room {
			s.ledger.unheard.Add(taken)
		}
	}
	if len(raws) == outboxBatch {
		s.mailed()
	}
	return nil
}

// lying returns the oldest notifications in the outbox, and how many more asynq may be given.
func (s *Server) lying(ctx context.Context) (raws []string, room int64, err error) {
	pipe := s.rdb.Pipeline()
	out := pipe.LRange(ctx, keyOutbox, 0, outboxBatch-1)
	pending := pipe.LLen(ctx, asynqKey(StepNotify, "pending"))
	retry, scheduled := pipe.ZCard(ctx, asynqKey(StepNotify, "retry")), pipe.ZCard(ctx, asynqKey(StepNotify, "scheduled"))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, 0, fmt.Errorf("look into the outbox: %w", err)
	}
	return out.Val(), mostWaiting - pending.Val() - retry.Val() - scheduled.Val(), nil
}

// tellUnheard says how many notifications this server has dropped since it last said so.
func (s *Server) tellUnheard() {
	if s.ledger.unheard.Load() > 0 && s.speaks("unheard") {
		s.log.Error("notifications are dropped: too many wait for their receiver; see to it that what REELKEEP_NOTIFY_URL names answers",
			"dropped", s.ledger.unheard.Swap(0), "waiting", mostWaiting)
	}
}

// mailed wakes the post of this server.
func (s *Server) mailed() { poke(s.mail) }

// postLoop empties the outbox: at once where this server has put something into it, else at each tick that no other
// server claimed. It has a loop of its own, so that the dispatcher never waits for it.
func (s *Server) postLoop(ctx context.Context) {
	t := time.NewTicker(s.cfg.Poll)
	defer t.Stop()
	for {
		mine := true
		var err error
		select {
		case <-ctx.Done():
			return
		case <-s.mail:
		case <-t.C:
			mine, err = s.claimTick(ctx, "post", s.cfg.Poll*9/10)
		}
		if err == nil && mine {
			err = s.post(ctx)
		}
		if err != nil {
			s.complain(ctx, "notifications", err)
		}
		s.tellUnheard()
	}
}

func decodeNote(raw string) (note, error) {
	var n note
	if err := json.Unmarshal([]byte(raw), &n); err != nil || n.Video == nil || n.ID == "" {
		return n, fmt.Errorf("read notification: %w", errors.Join(err, errNoNote))
	}
	return n, nil
}

var errNoNote = errors.New("not a notification of ours")

// riskScript tells of a video that nobody has been told of, if it is still not sealed. A full outbox puts it off: the risk is
// looked for again.
func riskScript() *redis.Script {
	return redis.NewScript("local most = " + strconv.Itoa(mostWaiting) + `
if redis.call('LLEN', KEYS[3]) >= most then return 0 end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[3])
return 1`)
}

// tellRisks puts notifications of all videos into the outbox that are at risk, those of whom it was told left out. A video
// that was handed in when its deadline had passed has never been at risk; one whose deadline passed while nobody looked has.
func (s *Server) tellRisks(ctx context.Context) error {
	now := s.clock.now()
	within := &redis.ZRangeBy{Min: strconv.FormatInt(now.Add(-riskWindow).UnixMilli(), 10), Max: "(" + strconv.FormatInt(now.Add(riskWindow).UnixMilli(), 10), Count: riskBatch}
	for {
		fields, err := s.rdb.ZRangeByScore(ctx, keyDeadlines, within).Result()
		if err != nil {
			return fmt.Errorf("look for videos at risk: %w", err)
		}
		if err := s.tellRisksOf(ctx, fields, now); err != nil {
			return err
		}
		if len(fields) < riskBatch {
			break
		}
		within.Offset += riskBatch
	}
	old := strconv.FormatInt(now.Add(-riskMemory).UnixMilli(), 10)
	if err := s.rdb.ZRemRangeByScore(ctx, keyAtRisk, "-inf", old).Err(); err != nil {
		return fmt.Errorf("forget old risks: %w", err)
	}
	return nil
}

func (s *Server) tellRisksOf(ctx context.Context, fields []string, now time.Time) error {
	if len(fields) == 0 {
		return nil
	}
	pipe := s.rdb.Pipeline()
	told := make([]*redis.FloatCmd, len(fields))
	for i, field := range fields {
		told[i] = pipe.ZScore(ctx, keyAtRisk, field)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("look whose risk was told: %w", err)
	}
	var fresh []string
	for i, field := range fields {
		if errors.Is(told[i].Err(), redis.Nil) {
			fresh = append(fresh, field)
		}
	}
	known, err := s.ledger.read(ctx, fresh...)
	if err != nil {
		return err
	}
	for _, h := range known {
		e := h.entry
		if e == nil || e.Sealed != 0 || e.orderBy() <= e.Accepted {
			continue
		}
		raw, err := encode(newNote(EventAtRisk, e, now.UnixMilli(), 0))
		if err != nil {
			return err
		}
		if err := s.risk.Run(ctx, s.rdb, []string{keyDeadlines, keyAtRisk, keyOutbox}, h.field, now.UnixMilli(), raw).Err(); err != nil {
			return fmt.Errorf("tell that %s is at risk: %w", e.ID, err)
		}
	}
	if len(fresh) > 0 {
		s.mailed()
	}
	return nil
}

// riskLoop looks for videos at risk; one server does it in each period.
func (s *Server) riskLoop(ctx context.Context) {
	t := time.NewTicker(s.cfg.RiskEvery)
	defer t.Stop()
	for {
		mine, err := s.claimTick(ctx, "atrisk", s.cfg.RiskEvery*9/10)
		if err == nil && mine {
			err = s.tellRisks(ctx)
		}
		if err != nil {
			s.complain(ctx, "at risk", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
