package worker

import (
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/storage"
)

// unsure remembers manifests whose writing ended in an error: they may have reached the store all the same. Whoever reads
// such a manifest later would take it for another worker's, and nobody would tell of its assets.
type unsure struct {
	mu sync.Mutex
	by map[storage.VideoKey]unsureSeal
}

type unsureSeal struct{ before, m *storage.Manifest }

// mostUnsure bounds what is remembered of videos that other workers go on with.
const mostUnsure = 1000

func (u *unsure) add(v Video, before, m *storage.Manifest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.by == nil || len(u.by) >= mostUnsure {
		u.by = map[storage.VideoKey]unsureSeal{}
	}
	u.by[v.key()] = unsureSeal{before, m}
}

// take says whether the manifest in the store is the one that was remembered, and what it replaced. It says so once.
func (u *unsure) take(v Video, found *storage.Manifest) (before *storage.Manifest, ours bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s, ok := u.by[v.key()]
	if !ok {
		return nil, false
	}
	delete(u.by, v.key())
	sealed := s.m.SealedAt.Truncate(time.Millisecond) // as manifests have it
	return s.before, found.Generation == s.m.Generation && found.SealedAt.Equal(sealed) && sameContents(found, s.m)
}
