package embedded

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func startRedis(t *testing.T) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestURLOpensTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	c := connect(t, r.URL())
	if err := c.Set(t.Context(), "job", "vid_1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "job").Result(); err != nil || got != "vid_1" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOtherUsersOfTheMachineCannotReadJobs(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	if err := connect(t, "redis://"+r.Addr()).Get(t.Context(), "job").Err(); err == nil || errors.Is(err, redis.Nil) {
		t.Errorf("without the password: %v, want an error", err)
	}
}

func TestLeasesExpireWithoutAnybodyMovingTheClock(t *testing.T) {
	t.Parallel()
	c := connect(t, startRedis(t).URL())
	if err := c.Set(t.Context(), "lease", "mine", 200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), "long", "mine", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lease to expire", func() bool {
		return errors.Is(c.Get(t.Context(), "lease").Err(), redis.Nil)
	})
	if ttl, err := c.TTL(t.Context(), "long").Result(); err != nil || ttl < 59*time.Minute {
		t.Errorf("an hour's lease has %v left (%v): the clock runs too fast", ttl, err)
	}
}

func TestEmbeddedRedisOutlivesItsContextAndEndsOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := StartRedis(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := connect(t, r.URL()).Ping(t.Context()).Err(); err != nil {
		t.Errorf("a draining queue has lost its Redis: %v", err)
	}
	r.Close()
	r.Close()
	if _, err := StartRedis(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a start after the end of its context: %v", err)
	}
}
