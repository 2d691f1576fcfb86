package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a Redis server in this process. It listens on a loopback port behind a password of this run, so that other
// users of the machine can't read or add jobs. Nothing survives Close.
type Redis struct {
	server   *miniredis.Miniredis
	password string
	stop     chan struct{}
	stopped  sync.WaitGroup
	closing  sync.Once
}

// StartRedis starts the server. It runs until Close; the end of ctx does not stop it, because a queue that is told to
// stop still has to write down what it was doing.
func StartRedis(ctx context.Context) (*Redis, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", context.Cause(ctx))
	}
	r := &Redis{server: miniredis.NewMiniRedis(), password: rand.Text(), stop: make(chan struct{})}
	r.server.RequireAuth(r.password)
	if err := r.server.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis on a loopback port: %w", err)
	}
	r.stopped.Go(r.driveClock)
	return r, nil
}

// Addr returns host:port. A connection also needs the password, which is in URL.
func (r *Redis) Addr() string { return r.server.Addr() }

// URL returns the address with the password, as REELKEEP_REDIS would hold it. Don't print it.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("default", r.password), Host: r.server.Addr(), Path: "/0"}
	return u.String()
}

// Close stops the server and its clock. It may be called twice.
func (r *Redis) Close() {
	r.closing.Do(func() {
		close(r.stop)
		r.stopped.Wait()
		r.server.Close()
	})
}

// driveClock lets keys expire: in miniredis a TTL never passes by itself, and locks and leases of the queue would be
// held for ever. It moves by the time that really went by, so that a laptop that slept doesn't keep stale leases.
func (r *Redis) driveClock() {
	const tick = time.Second
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now().Round(0) // wall time: the monotonic clock stands still while a machine sleeps
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
			now := time.Now().Round(0)
			if passed := now.Sub(last); passed > 0 {
				r.server.FastForward(passed)
			}
			last = now
		}
	}
}
