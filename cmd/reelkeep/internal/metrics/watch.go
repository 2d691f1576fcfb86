package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

const (
	// refreshEvery is below the interval of most scrapes; each refresh costs Redis some twenty cheap commands.
	refreshEvery = 5 * time.Second
	// refreshLimit keeps a Redis that hangs from being shown as one that is there.
	refreshLimit = 2 * time.Second
)

// Sources are where Watch looks. LastSweep and BufferBytes may be nil: then their gauges stay at zero.
type Sources struct {
	Overview    func(ctx context.Context) (queue.Overview, error)
	LastSweep   func(ctx context.Context) (time.Time, error) // zero: no sweep is known to have succeeded
	BufferBytes func() int64
	RedisFine   func() bool // whether Redis can be worked with, not only asked: it may be full; nil: yes
}

// Watch keeps the gauges fresh until ctx ends. While Redis is away they keep what they last said.
func (m *Metrics) Watch(ctx context.Context, src Sources) {
	t := time.NewTicker(refreshEvery)
	defer t.Stop()
	for {
		m.refresh(ctx, src)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (m *Metrics) refresh(ctx context.Context, src Sources) {
	if src.BufferBytes != nil {
		m.buffers.Set(float64(src.BufferBytes()))
	}
	limited, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	err := errors.Join(m.askQueue(limited, src), m.askSweep(limited, src))
	switch {
	case err == nil && (src.RedisFine == nil || src.RedisFine()):
		m.redisUp.Set(1)
	case ctx.Err() == nil: // else we are told to stop, which says nothing of Redis
		m.redisUp.Set(0)
	}
}

func (m *Metrics) askQueue(ctx context.Context, src Sources) error {
	o, err := src.Overview(ctx)
	if err != nil {
		return err
	}
	for state, n := range o.States {
		m.ledger.set(n, key{string(state)})
	}
	for step, counts := range o.Tasks {
		for state, n := range counts {
			m.tasks.set(n, key{string(step), state})
		}
	}
	m.atRisk.Set(float64(o.AtRisk))
	m.overdue.Set(float64(o.Overdue))
	if o.EarliestDeadline == nil {
		m.earliest.Reset()
	} else {
		m.earliest.WithLabelValues().Set(unixSeconds(*o.EarliestDeadline))
	}
	return nil
}

func (m *Metrics) askSweep(ctx context.Context, src Sources) error {
	if src.LastSweep == nil {
		return nil
	}
	last, err := src.LastSweep(ctx)
	if err == nil && !last.IsZero() {
		m.lastSweep.Set(unixSeconds(last))
	}
	return err
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
