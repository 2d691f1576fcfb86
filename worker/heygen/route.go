package heygen

import (
	"errors"
	"time"
)

const (
	// failuresInDoubt is how often in a row a route may fail before it is compared with the plain call.
	failuresInDoubt = 3
	// routeRest is how long a route is left alone that does not work while plain calls do.
	routeRest = 10 * time.Minute
	// comparable is how close together a plain call that worked and a failure must be to tell something about the route.
	comparable = time.Minute
)

// route is one way to ask about many videos at once. If it is broken or missing while plain calls work, nobody may wait for
// it; but when HeyGen is down altogether, a plain call for each video is what must not happen. So after some failures a
// plain call is made in its place, and only if that works and the route then fails again, it is given up for a while.
type route struct {
	failures int       // in a row
	compared time.Time // when a plain call last worked in its place
	off      time.Time // not to be used before
}

// open says whether the route is to be used.
func (r *route) open(now time.Time) bool { return r.failures < failuresInDoubt && !now.Before(r.off) }

func (r *route) worked() { *r = route{} }

func (r *route) failed(now time.Time) {
	r.failures++
	if r.failures >= failuresInDoubt && !r.compared.IsZero() && now.Sub(r.compared) < comparable {
		r.failures, r.off = failuresInDoubt-1, now.Add(routeRest)
	}
}

// compare notes how a plain call went.
func (r *route) compare(err error, now time.Time) {
	if r.failures < failuresInDoubt {
		return
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil, ok && e.Kind == NotFound:
		r.failures, r.compared = failuresInDoubt-1, now
	case ok && e.Kind == Down && !e.closed:
		r.failures = 0
	}
}
