package worker

import (
	"errors"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// OfSource is what an OutageError or a RefusedError is of when it is neither HeyGen's API nor the store, but where the files
// are.
const OfSource = "the source"

const (
	// sourceWait spaces the tries of a video while its source is away; it grows with the outage up to sourceWaitMax, since each
	// try takes a slot for as long as fetch is patient.
	sourceWait    = 30 * time.Second
	sourceWaitMax = 10 * time.Minute

	// sourcePatience is how long a file may not be had before that counts as a failure of its video, although nothing else
	// comes from its host either. No outage of a CDN is that long, and a file that nobody will ever serve must come to an end.
	sourcePatience = 24 * time.Hour

	// mostHosts and mostFiles bound what is remembered. What is forgotten is given more time.
	mostHosts = 1000
	mostFiles = 10_000
)

// sources remembers how the hosts of the files behave. One file alone cannot tell whether its host is away or the file is
// broken there; the others of the host can.
type sources struct {
	mu    sync.Mutex
	hosts map[string]sourceHost
	files map[sourceFile]time.Time // when those failed first that could not be had since
}

// sourceFile names a file for one job of its video: what was before somebody asked for it again is over.
type sourceFile struct {
	account, id, asset string
	accepted           int64
}

type sourceHost struct {
	served time.Time // when a part came from it last
	away   time.Time // since when nothing has; zero: it is not known to be away
	fresh  bool      // since it served last it has failed a file that was in no trouble before
}

// served: the host has just given a part of the file.
func (s *sources) served(host string, file sourceFile, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, file)
	remember(&s.hosts, mostHosts, host, sourceHost{served: now})
}

// ended: nobody comes for the file any more.
func (s *sources) ended(file sourceFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, file)
}

// failed: the host has given nothing of the file since then. It says whether that may be an outage of the host, and since when
// that would be one.
//
// It may be if the host has given nothing to anybody since the file failed first. If it has, the trouble is the file's own,
// unless the host has failed since then what was in no trouble before.
func (s *sources) failed(host string, file sourceFile, began, now time.Time) (away time.Time, outage bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, known := s.files[file]
	if !known {
		first = now // and not when the try began: what was on its way when the trouble began may come a little later
		remember(&s.files, mostFiles, file, first)
	}
	h := s.hosts[host]
	if h.away.IsZero() {
		h.away = began
	}
	h.fresh = h.fresh || first.After(h.served)
	remember(&s.hosts, mostHosts, host, h)
	return h.away, h.fresh && now.Sub(first) <= sourcePatience
}

// remember notes a value, and forgets another one if there are too many.
func remember[K comparable, V any](m *map[K]V, most int, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	if _, known := (*m)[key]; !known && len(*m) >= most {
		for other := range *m {
			delete(*m, other)
			break
		}
	}
	(*m)[key] = value
}

func fileOf(v Video, asset heygen.Asset) sourceFile {
	return sourceFile{accountName(v.Account), v.ID, string(asset), v.AcceptedAt.UnixMilli()}
}

// sourceError turns an error of fetching the video's file from the host into what should happen next. A host that is away is no
// failure of its videos, and neither is one that a setting keeps us from.
func (a *Archiver) sourceError(v Video, host string, err error) error {
	if fetch.BlockedBy(err) != "" {
		return &RefusedError{Of: OfSource, Host: host, After: refusedWait, Err: err}
	}
	var gaveUp *fetch.GiveUpError
	if !errors.As(err, &gaveUp) || !gaveUp.Away {
		return err
	}
	host = gaveUp.Link.Host()
	now := time.Now() // as fetch measures
	since, outage := a.sources.failed(host, fileOf(v, heygen.AssetVideo), gaveUp.Since, now)
	if !outage {
		return err
	}
	wait := min(max(now.Sub(since)/4, sourceWait, gaveUp.Wait), sourceWaitMax)
	return &OutageError{Of: OfSource, Host: host, After: wait, Err: err}
}

// ofSource says whether it is the source, not the asset, that is in trouble, as far as one try can tell.
func ofSource(err error) bool {
	var gaveUp *fetch.GiveUpError
	return fetch.BlockedBy(err) != "" || (errors.As(err, &gaveUp) && gaveUp.Away)
}
