package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// presence is what a server tells the others: how many tasks it can take, and until when to believe it.
type presence struct {
	Status   int   `json:"status"`
	Transfer int   `json:"transfer"`
	Until    int64 `json:"until"`
}

// FingerprintError says that the fleet behind this Redis archives into another store or for other accounts.
type FingerprintError struct{ Ours, Theirs string }

func (e *FingerprintError) Error() string {
	return fmt.Sprintf("this Redis belongs to a fleet with another store or other accounts (fingerprint %s, ours is %s)",
		clip(e.Theirs, 80), clip(e.Ours, 80))
}

// Hint says what a person can do.
func (e *FingerprintError) Hint() string {
	return "give every worker the same REELKEEP_STORE and accounts, or this one a REELKEEP_REDIS of its own; " +
		"if the fleet has moved for good, stop it and delete the key " + keyFingerprint
}

// present announces the server and its slots. It is repeated with the heartbeat, since Redis may have been emptied:
// the fingerprint, and the queue names that asynq's inspector insists on, must come back then. And clocks drift.
func (s *Server) present(ctx context.Context) error {
	if err := s.setClock(ctx); err != nil {
		return err
	}
	p := presence{Until: s.clock.now().Add(3 * s.cfg.BeatEvery).UnixMilli()}
	if s.cfg.Ready() {
		p.Status, p.Transfer = s.cfg.StatusConcurrency, s.cfg.Concurrency
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode presence: %w", err)
	}
	if s.cfg.Fingerprint != "" {
		if err := checkFingerprint(ctx, s.rdb, s.cfg.Fingerprint); err != nil {
			return err
		}
	}
	if err := s.rdb.HSet(ctx, keyServers, s.owner, raw).Err(); err != nil {
		return fmt.Errorf("announce server: %w", Explain(err))
	}
	if err := s.rdb.SAdd(ctx, "asynq:queues", string(StepStatus), string(StepTransfer)).Err(); err != nil {
		return fmt.Errorf("announce queues: %w", Explain(err))
	}
	return nil
}

func checkFingerprint(ctx context.Context, rdb redis.UniversalClient, ours string) error {
	if err := rdb.SetNX(ctx, keyFingerprint, ours, 0).Err(); err != nil {
		return fmt.Errorf("write fingerprint: %w", Explain(err))
	}
	theirs, err := rdb.Get(ctx, keyFingerprint).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil
	case err != nil:
		return fmt.Errorf("read fingerprint: %w", Explain(err))
	case theirs != ours:
		return &FingerprintError{Ours: ours, Theirs: theirs}
	}
	return nil
}

// leave takes the server's slots out of the count, so that nothing is dispatched for it while it drains.
func (s *Server) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.rdb.HDel(ctx, keyServers, s.owner).Err(); err != nil {
		s.log.Warn("sign off", "err", err)
	}
}

// fleetSlots adds up the slots of the servers that are alive; names of dead ones are returned for removal.
func fleetSlots(servers map[string]string, now int64) (slots map[Step]int, dead []string) {
	slots = map[Step]int{}
	for name, raw := range servers {
		var p presence
		if json.Unmarshal([]byte(raw), &p) != nil || p.Until < now {
			dead = append(dead, name)
			continue
		}
		slots[StepStatus] += p.Status
		slots[StepTransfer] += p.Transfer
	}
	return slots, dead
}
