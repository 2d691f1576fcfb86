package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// progressEvery is how often news of stored parts are written while there are any.
const progressEvery = time.Second

// beatScript shows that runs are alive and writes their progress. It answers 1 for each run that still has its video,
// 0 for one that lost it; a run that lost its video writes nothing.
func beatScript() *redis.Script {
	return redis.NewScript(`
local out = {}
for p = 2, #ARGV, 4 do
	local flight = KEYS[tonumber(ARGV[p])]
	if redis.call('ZSCORE', flight, ARGV[p+1]) then
		redis.call('ZADD', flight, ARGV[1], ARGV[p+1])
		if ARGV[p+3] ~= '' then redis.call('HSET', KEYS[3], ARGV[p+2], ARGV[p+3]) end
		out[#out+1] = 1
	else
		out[#out+1] = 0
	end
end
return out`)
}

// beatLoop shows signs of life for every run and for the server itself.
func (s *Server) beatLoop(ctx context.Context) {
	every := min(progressEvery, s.cfg.BeatEvery)
	t := time.NewTicker(every)
	defer t.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		full := time.Since(last) >= s.cfg.BeatEvery-every/2
		slept := !last.IsZero() && time.Since(last) > 3*s.cfg.BeatEvery
		if full {
			last = time.Now()
		}
		err := s.beatTimed(ctx, full)
		if err != nil {
			s.complain(ctx, "heartbeat", err)
		}
		if err != nil || slept {
			s.distrust()
		}
	}
}

// beatTimed notes how long Redis takes: a beat that waits is as bad as one that fails.
func (s *Server) beatTimed(ctx context.Context, full bool) error {
	s.mu.Lock()
	s.beating = time.Now()
	s.mu.Unlock()
	err := s.beatOnce(ctx, full)
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.beating) > s.cfg.BeatEvery {
		s.trouble = time.Now()
	}
	s.beating = time.Time{}
	return err
}

// distrust notes that silence may be ours or Redis's, not the worker's.
func (s *Server) distrust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = time.Now()
}

// trusts says whether silence means death by now: every living worker has had time to show itself since.
func (s *Server) trusts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.beating.IsZero() && time.Since(s.beating) > s.cfg.BeatEvery {
		return false // Redis lets our own beat wait, and that of the others too
	}
	return time.Since(s.trouble) >= 2*s.cfg.BeatEvery
}

// beatOnce writes progress that is new, and with full also the signs of life.
func (s *Server) beatOnce(ctx context.Context, full bool) error {
	s.mu.Lock()
	runs := make([]*run, 0, len(s.runs))
	for _, r := range s.runs {
		runs = append(runs, r)
	}
	draining := s.draining
	s.mu.Unlock()
	var present error
	if full && !draining {
		present = s.present(ctx)
		var other *FingerprintError
		if errors.As(present, &other) {
			s.log.Error("redis now belongs to a fleet with another fingerprint; stop one of the two", "err", other)
		}
	}
	return errors.Join(present, s.beatRuns(ctx, runs, full))
}

func (s *Server) beatRuns(ctx context.Context, runs []*run, full bool) error {
	argv := []any{s.clock.now().UnixMilli()}
	var asked []*run
	for _, r := range runs {
		raw, dirty, err := r.tracker.take()
		if err != nil {
			return err
		}
		if !dirty && !full {
			continue
		}
		flight := 1
		if r.work.Step == StepTransfer {
			flight = 2
		}
		argv = append(argv, flight, r.member, r.held.field, raw)
		asked = append(asked, r)
	}
	if len(asked) == 0 {
		return nil
	}
	keys := []string{keyFlight(StepStatus), keyFlight(StepTransfer), keyProgress}
	alive, err := s.beat.Run(ctx, s.rdb, keys, argv...).Int64Slice()
	if err != nil || len(alive) != len(asked) {
		for _, r := range asked {
			r.tracker.spoil()
		}
		return fmt.Errorf("show signs of life: %w", errors.Join(err, ctx.Err()))
	}
	for i, ok := range alive {
		if ok == 0 {
			if err := s.lost(ctx, asked[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost finds out why a run has no place under way any more. If Redis was emptied, the run writes its video into the
// ledger again and goes on; otherwise it is told to stop.
func (s *Server) lost(ctx context.Context, r *run) error {
	r.tracker.spoil()
	hs, err := s.ledger.read(ctx, r.held.field)
	if err != nil {
		return err
	}
	h := hs[0]
	switch {
	case h.entry != nil && h.entry.Flight && h.entry.Epoch == r.work.Epoch:
		return nil // written again in the meantime
	case h.entry != nil:
		r.cancel(ErrSuperseded)
		return nil
	case h.record != nil && h.record.State == StateCancelled:
		r.cancel(ErrCancelled)
		return nil
	case h.record != nil:
		r.cancel(ErrSuperseded)
		return nil
	}
	s.log.Warn("redis was emptied; a video under way is written again", "video_id", r.work.VideoID)
	next := r.held.entry.clone()
	_, err = s.ledger.apply(ctx, next.Account, []change{{from: h, next: next, now: s.clock.now().UnixMilli()}})
	return err
}
