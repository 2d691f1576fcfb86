package worker

import (
	"errors"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

// OfSource is what an OutageError or a RefusedError is of when it is neither HeyGen's API nor the store, but where the files
// are.
const OfSource = "the source"

const (
	// sourceWait spaces the tries of a video while its source is away; it grows with the outage up to sourceWaitMax, since each
	// try takes a slot for as long as fetch is patient.
	sourceWait    = 30 * time.Second
	sourceWaitMax = 10 * time.Minute

	// sourcePatience is how long a host may be silent before it counts as a failure of its videos. No outage of a CDN is that
	// long, and a file that nobody will ever serve must come to an end.
	sourcePatience = 24 * time.Hour

	// mostHosts bounds what is remembered of hosts.
	mostHosts = 1000
)

// sources remembers how the hosts of the files behave. One file alone cannot tell whether its host is away or the file is
// broken there; the others of the host can.
type sources struct {
	mu sync.Mutex
	by map[string]sourceHost
}

type sourceHost struct {
	served time.Time // when a part came from it last
	away   time.Time // since when nothing has; zero: it is not known to be away
}

// served: the host has just given a part of some file.
func (s *sources) served(host string, now time.Time) {
	s.set(host, sourceHost{served: now})
}

// failed: the host has given nothing of a file since then. It says since when it gives nothing to anybody, and whether that
// is so.
func (s *sources) failed(host string, since, now time.Time) (away time.Time, silent bool) {
	s.mu.Lock()
	h := s.by[host]
	s.mu.Unlock()
	// What was on its way when the trouble began may come a little later.
	if h.served.After(since.Add(now.Sub(since) / 2)) {
		return time.Time{}, false
	}
	if h.away.IsZero() {
		h.away = since
		s.set(host, h)
	}
	return h.away, true
}

func (s *sources) set(host string, h sourceHost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil || (len(s.by) >= mostHosts && s.by[host] == sourceHost{}) {
		s.by = map[string]sourceHost{}
	}
	s.by[host] = h
}

// sourceError turns an error of fetching into what should happen next. A host that is away is no failure of its videos, and
// neither is one that a setting keeps us from.
func (a *Archiver) sourceError(err error) error {
	if fetch.BlockedBy(err) != "" {
		return &RefusedError{Of: OfSource, After: refusedWait, Err: err}
	}
	var gaveUp *fetch.GiveUpError
	if !errors.As(err, &gaveUp) || !gaveUp.Away {
		return err
	}
	now := time.Now() // as fetch measures
	since, silent := a.sources.failed(gaveUp.Link.Host(), gaveUp.Since, now)
	away := now.Sub(since)
	if !silent || away > sourcePatience {
		return err
	}
	wait := min(max(away/4, sourceWait, gaveUp.Wait), sourceWaitMax)
	return &OutageError{Of: OfSource, After: wait, Err: err}
}
