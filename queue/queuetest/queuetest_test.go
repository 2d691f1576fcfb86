package queuetest_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedisRemembersAcrossKillAndStop(t *testing.T) {
	t.Parallel()
	s := queuetest.Redis(t)
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer rdb.Close()
	if err := rdb.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(){s.Kill, s.Stop} {
		end()
		if err := rdb.Ping(t.Context()).Err(); err == nil {
			t.Fatal("Redis answers although it was ended")
		}
		s.Start()
		if v, err := rdb.Get(t.Context(), "a").Result(); err != nil || v != "1" {
			t.Fatalf("after a restart: %q, %v; want what was written", v, err)
		}
	}
}

func TestClusterRefusesKeysOfDifferentSlots(t *testing.T) {
	t.Parallel()
	s := queuetest.Cluster(t)
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr()}})
	defer rdb.Close()
	err := rdb.Eval(t.Context(), "return 1", []string{"{a}1", "{b}1"}).Err()
	if err == nil {
		t.Fatal("the cluster accepts keys of two slots in one script; then it proves nothing")
	}
}

func TestLineCanBeCutAndMended(t *testing.T) {
	t.Parallel()
	s := queuetest.Redis(t)
	line := new(queuetest.Line)
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr(), Dialer: line.Dial, MaxRetries: -1})
	defer rdb.Close()
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	line.Cut()
	if err := rdb.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a cut line carries a ping")
	}
	line.Mend()
	queuetest.Await(t, "the mended line", func() bool { return rdb.Ping(t.Context()).Err() == nil })
}
