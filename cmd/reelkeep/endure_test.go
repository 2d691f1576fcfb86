package main

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// killAfter starts `archive ID`, kills it once n more bytes were fetched, and says whether it was still at work then.
func (f *fleet) killAfter(n int64, id string) bool {
	f.t.Helper()
	cmd := exec.Command(binary, "archive", id)
	cmd.Env = f.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := f.fetched()
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for f.fetched()-start < n {
		select {
		case <-tick.C:
		case <-gone:
			return false
		}
	}
	_ = cmd.Process.Kill()
	<-gone
	return !cmd.ProcessState.Exited()
}

// One buffer, so a kill may cost one part. Somebody who began again after each kill would fetch more than all of them
// together may cost.
func TestFiftyKillsInOneTransferCostNoMoreThanTheirParts(t *testing.T) {
	const size, kills, part = 400 * mib, 50, 5 * mib
	f := newFleet(t, heygensim.Options{Bandwidth: 32 << 20})
	f.env = append(f.env, "REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=5MiB")
	f.videos("fifty", 1, size)
	const id = "fifty000"
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for n := range kills {
		if !f.killAfter(random.Int64N(16*mib), id) {
			t.Fatalf("the transfer was over before kill %d", n+1)
		}
	}
	f.mustArchive(id)
	// One byte, each time, tells the next worker that it is still the same file.
	if extra := f.fetched() - size; extra > kills*(part+1) {
		t.Errorf("%d bytes were fetched again in %d kills, want at most %d", extra, kills, kills*part)
	} else {
		t.Logf("%.1f MiB were fetched again, at most %d", float64(extra)/mib, kills*part/mib)
	}
}

// archive runs `archive` to its end.
func (f *fleet) archive(what string) {
	f.t.Helper()
	cmd := exec.Command(binary, "archive", what)
	cmd.Env = f.env
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("archive %s: %v\n%s", what, err, out)
	}
}

// mustArchive also proves the file.
func (f *fleet) mustArchive(id string) {
	f.t.Helper()
	f.archive(id)
	f.proveStored(id)
}

func TestACrashAtEightyPercentCostsThePartsInFlight(t *testing.T) {
	const size = 150 * mib
	a := newAccount(t, size)
	a.stopAt(size*8/10, syscall.SIGKILL)
	before := a.fetched()
	a.finish()
	if again := a.fetched() - size; again > inFlight+1 {
		t.Errorf("%d bytes were fetched again, want at most %d", again, inFlight)
	}
	t.Logf("%d bytes before the crash, %d after", before, a.fetched()-before)
}

// The smallest memory that the default part size allows: one buffer, for all videos together.
func TestEightMegabytesOfMemoryAreEnough(t *testing.T) {
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_MEMORY=8MiB", "REELKEEP_CONCURRENCY=8")
	ids := f.videos("m", 6, 20*mib+5)
	if !f.killAfter(30*mib, "--all") {
		t.Fatal("the run was over before the kill")
	}
	const buffers = 8 * mib
	f.archive("--all")
	for _, id := range ids {
		f.proveStored(id)
	}
	if again := f.fetched() - 6*(20*mib+5); again > buffers+int64(len(ids)) {
		t.Errorf("%d bytes were fetched again after a kill, want at most %d", again, buffers)
	}
}

// Redis forgets everything in the middle of transfers. They go on, and nothing that they fetched is fetched again.
func TestRedisEmptiedHalfWayCostsNothingThatWasFetched(t *testing.T) {
	const size, videos = 40 * mib, 4
	f := newFleet(t, heygensim.Options{Bandwidth: 2 << 20})
	f.env = append(f.env, "REELKEEP_CONCURRENCY=2", "REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=15MiB", "REELKEEP_SWEEP_EVERY=1h")
	ids := f.videos("h", videos, size)
	for range 2 {
		f.serve().untilReady()
	}
	f.enqueue(ids...)
	f.moving(videos * size / 2)
	rdb, err := queue.Connect(f.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	if err := rdb.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	f.untilArchived(ids...)
	if again := f.fetched() - videos*size; again > videos*2 {
		t.Errorf("%d bytes were fetched again; nobody was killed", again)
	}
}

// A source without ranges has to be read from its start after a kill; what is stored by then is passed over, not stored again.
func TestASourceWithoutRangesSurvivesAKill(t *testing.T) {
	const size = 40 * mib
	f := newFleet(t, heygensim.Options{Bandwidth: 16 << 20})
	f.env = append(f.env, "REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=15MiB")
	f.sim.Add(heygensim.Video{ID: "plain", CreatedAt: longAgo(), Assets: map[string]heygensim.Asset{
		"video": {Size: size, Fault: &heygensim.Fault{Kind: heygensim.FaultNoRanges}},
	}})
	if !f.killAfter(size/2, "plain") {
		t.Fatal("the run was over before the kill")
	}
	f.mustArchive("plain")
	if got := f.fetched(); got > 2*size {
		t.Errorf("%d bytes were fetched for %d", got, size)
	}
}
