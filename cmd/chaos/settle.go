package main

import (
	"context"
	"fmt"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

// settling is how the fleet came to rest after the faults.
type settling struct {
	took     time.Duration
	statuses map[string]queue.Status // absent: Redis does not know the video
	retried  int                     // videos whose next try was minutes away, and that were asked for at once
	again    int                     // videos that were handed in a second time, since no sweep can find them
}

const (
	// patience is the pause after a failure that is waited out; beyond it, a person would say `reelkeep retry`.
	patience = 20 * time.Second
	// sweeping is how long sweeps have to find what nobody handed in and what an emptied Redis has forgotten. A render that
	// failed, or a video that was deleted, no sweep can find.
	sweeping = 45 * time.Second
)

// settle waits until every video is settled, at most for limit.
func (d *director) settle(ctx context.Context, p *plan, limit time.Duration) (*settling, error) {
	s := &settling{}
	began := time.Now()
	retried := map[string]bool{}
	for {
		open, err := d.look(ctx, p, s)
		s.took = time.Since(began)
		if err == nil && len(open) == 0 {
			return s, nil
		}
		if s.took > limit {
			return s, err
		}
		for _, v := range open {
			st, known := s.statuses[v.ID]
			switch {
			case !known && !retried[v.ID] && (s.took > sweeping || v.Removed || v.Fail != nil):
				retried[v.ID] = true
				s.again++
				d.handIn(ctx, v.ID)
			case known && st.Failures > 0 && st.NotBefore != nil && time.Until(*st.NotBefore) > patience:
				if _, err := d.client.Retry(ctx, "", v.ID); err == nil {
					s.retried++
					d.log.Info("retried by hand", "video_id", v.ID, "failures", st.Failures, "err", text(st.Error))
				}
			}
		}
		sleep(ctx, time.Second)
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
	}
}

// look asks for all videos and returns those that are not settled.
func (d *director) look(ctx context.Context, p *plan, s *settling) ([]*video, error) {
	ids := make([]string, len(p.Videos))
	for i, v := range p.Videos {
		ids[i] = v.ID
	}
	results, err := d.client.StatusMany(ctx, "", ids)
	if err != nil {
		return p.Videos, fmt.Errorf("ask for the videos: %w", err)
	}
	s.statuses = map[string]queue.Status{}
	var open []*video
	for i, r := range results {
		if r.Err == nil {
			s.statuses[ids[i]] = r.Status
		}
		if r.Err != nil || !r.State.Settled() {
			open = append(open, p.Videos[i])
		}
	}
	return open, nil
}

func text(e *queue.ErrorInfo) string {
	if e == nil {
		return ""
	}
	return e.Message
}
