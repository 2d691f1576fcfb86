package main

import (
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
	"github.com/reelkeep/reelkeep/worker"
)

const (
	// foregroundPatience is how long HeyGen or the store may be away before a foreground run ends: somebody is
	// waiting for it, or a timer will start the next.
	foregroundPatience = 5 * time.Minute
	// firstPatience is how long a dependency may be away that has never answered: that is a wrong address more often
	// than an outage.
	firstPatience = 20 * time.Second
)

// patience is the outlook of a foreground run: it ends when a dependency refuses, or stays away for too long.
type patience struct {
	limit  time.Duration
	end    func(error)  // ends the run
	notice func(string) // talk for people

	mu        sync.Mutex
	awaySince time.Time
	answered  bool       // HeyGen or the store has answered at least once
	stuck     time.Time  // since when some video's source has been in trouble and no other video has moved
	told      talk.Limit // of hosts of files
}

func (p *patience) reached() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.awaySince.IsZero() {
		p.notice("back in reach; going on")
	}
	p.awaySince, p.stuck, p.answered = time.Time{}, time.Time{}, true
}

func (p *patience) moved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = time.Time{}
}

// refused ends the run, unless it is about the links of some video: others may be on hosts that are allowed. Then it is
// patient as in an outage, so that these come first.
func (p *patience) refused(_ string, err *worker.RefusedError) {
	if err.Of == worker.OfSource {
		p.source(err.Host, err)
		return
	}
	p.end(err)
}

func (p *patience) away(_ string, outage *worker.OutageError) {
	if outage.Of == worker.OfSource {
		p.source(outage.Host, outage)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.awaySince.IsZero() {
		p.awaySince = time.Now()
		p.notice(outage.Error() + "; trying again until it answers")
	}
	limit := p.limit
	if !p.answered {
		limit = min(limit, firstPatience)
	}
	if time.Since(p.awaySince) >= limit {
		p.end(outage)
	}
}

// source ends the run if a host of files is in trouble and nothing has come from any other for as long as limit: one host is no
// reason to end a run that works.
func (p *patience) source(host string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told.Speaks(host) {
		p.notice(err.Error() + "; its videos are tried again, others go on")
	}
	if p.stuck.IsZero() {
		p.stuck = time.Now()
	}
	if time.Since(p.stuck) >= p.limit {
		p.end(err)
	}
}
