package main

import (
	"sync"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
)

// bars lets those who watch the fleet see the bytes of running transfers move, not only whole parts, which on a slow line
// are a minute apart. All else goes to the observer behind it.
type bars struct {
	worker.Observer

	mu      sync.RWMutex
	running map[string]queue.Progress // by videoKey
}

func videoKey(v worker.Video) string { return v.Account + "/" + v.ID }

// follow shows a transfer until end is called.
func (b *bars) follow(v worker.Video, p queue.Progress) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		b.running = map[string]queue.Progress{}
	}
	b.running[videoKey(v)] = p
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.running[videoKey(v)] == p {
			delete(b.running, videoKey(v))
		}
	}
}

func (b *bars) of(v worker.Video) queue.Progress {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.running[videoKey(v)]
}

// AssetStarted implements worker.Observer.
func (b *bars) AssetStarted(v worker.Video, asset string, total, stored int64) {
	if p := b.of(v); p != nil {
		p.Fetching(v.Title, asset, stored, total)
	}
	b.Observer.AssetStarted(v, asset, total, stored)
}

// Moved implements worker.Observer.
func (b *bars) Moved(v worker.Video, asset string, n int64) {
	if p := b.of(v); p != nil {
		p.Fetched(asset, n)
	}
	b.Observer.Moved(v, asset, n)
}
