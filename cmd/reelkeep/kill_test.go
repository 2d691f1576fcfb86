package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

const hour = time.Hour

// longAgo is when the videos of the tests were made: long enough ago that no asset of theirs is late.
func longAgo() time.Time { return time.Now().Add(-30 * 24 * hour) }

// account is a HeyGen with one large video, and a folder to archive it into.
type account struct {
	t      *testing.T
	sim    *heygensim.Sim
	folder string
	env    []string
}

func newAccount(t *testing.T, size int64) *account {
	t.Helper()
	t.Parallel()
	sim, err := heygensim.New(heygensim.Options{Bandwidth: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	sim.Add(heygensim.Video{ID: "big", CreatedAt: longAgo(), Assets: map[string]heygensim.Asset{"video": {Size: size}}})
	folder := filepath.Join(t.TempDir(), "archive")
	return &account{t: t, sim: sim, folder: folder, env: append(os.Environ(),
		"HEYGEN_API_URL="+sim.APIURL(), "HEYGEN_API_KEY="+sim.Key(), "REELKEEP_PRIVATE_SOURCES=127.0.0.0/8",
		"REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=15MiB", "REELKEEP_STORE="+folder, "XDG_CACHE_HOME="+filepath.Join(filepath.Dir(folder), "cache"),
	)}
}

func (a *account) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = a.env
	return cmd
}

// fetched is how many bytes of the video the asset host has sent.
func (a *account) fetched() int64 {
	var n int64
	for _, r := range a.sim.Requests() {
		if r.Host == "asset" {
			n += r.Bytes
		}
	}
	return n
}

// stopAt sends a signal to a run of `archive big` once so many bytes were fetched, and returns how it ended.
func (a *account) stopAt(bytes int64, sig os.Signal) *exec.ExitError {
	a.t.Helper()
	cmd := a.command(a.t.Context(), "archive", "big")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := a.fetched(); a.fetched()-start < bytes; {
		select {
		case <-tick.C:
		case <-a.t.Context().Done():
			a.t.Fatal("the test ended before the bytes had moved")
		}
	}
	if err := cmd.Process.Signal(sig); err != nil {
		a.t.Fatal(err)
	}
	exit, ok := cmd.Wait().(*exec.ExitError)
	if !ok {
		a.t.Fatal("the run was over before the signal came")
	}
	return exit
}

// finish runs the command to its end and proves the file.
func (a *account) finish() string {
	a.t.Helper()
	out, err := a.command(a.t.Context(), "archive", "big").CombinedOutput()
	if err != nil {
		a.t.Fatalf("archive: %v\n%s", err, out)
	}
	original, size := a.sim.Open("big", "video")
	stored, err := os.Open(filepath.Join(a.folder, "big", "video.mp4"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer stored.Close()
	if want, got := sum(a.t, io.NewSectionReader(original, 0, size)), sum(a.t, stored); !bytes.Equal(want, got) {
		a.t.Error("the archived file is not the original")
	}
	if left, _ := filepath.Glob(filepath.Join(a.folder, "big", ".upload", "*")); len(left) > 0 {
		a.t.Errorf("upload records are left: %v", left)
	}
	return string(out)
}

func sum(t *testing.T, r io.Reader) []byte {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}

const mib = 1 << 20

// inFlight is what a killed run may lose: every part that is read or on its way into the store has a buffer, and the
// source is asked for no byte beyond those parts. So it is REELKEEP_MEMORY.
const inFlight = 15 * mib

func TestARunKilledAgainAndAgainGoesOnWhereItWas(t *testing.T) {
	const size, kills = 90 * mib, 3
	a := newAccount(t, size)
	for range kills {
		if exit := a.stopAt(24*mib, syscall.SIGKILL); exit.ExitCode() != -1 {
			t.Fatalf("a killed run exited with %d", exit.ExitCode())
		}
	}
	a.finish()
	if extra := a.fetched() - size; extra > kills*inFlight {
		t.Errorf("%d bytes were fetched again, want at most %d", extra, kills*inFlight)
	}
}

func TestCtrlCStopsCleanlyAndTheNextRunGoesOn(t *testing.T) {
	const size = 60 * mib
	a := newAccount(t, size)
	started := time.Now()
	if exit := a.stopAt(24*mib, os.Interrupt); exit.ExitCode() != exitInterrupted {
		t.Fatalf("exit code %d, want %d", exit.ExitCode(), exitInterrupted)
	}
	t.Logf("stopped after %s", time.Since(started))
	out := a.finish()
	if !strings.Contains(out, "1 video archived") {
		t.Errorf("the second run said: %s", out)
	}
	if extra := a.fetched() - size; extra > inFlight {
		t.Errorf("%d bytes were fetched again, want at most %d", extra, inFlight)
	}
}

// A file that was stored, not sealed, and damaged since (a power cut, a person) is not what the manifest vouches for.
func TestADamagedLeftoverIsFetchedAgain(t *testing.T) {
	a := newAccount(t, 3*mib)
	a.sim.Update("big", func(v *heygensim.Video) {
		v.Assets["thumbnail"] = heygensim.Asset{Fault: &heygensim.Fault{Kind: heygensim.FaultStall}}
	})
	cmd := a.command(t.Context(), "archive", "big")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(a.folder, "big", "video.mp4")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for asked := false; !asked; {
		<-tick.C
		for _, r := range a.sim.Requests() {
			asked = asked || r.Asset == "thumbnail" // so the video is stored
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := os.Truncate(file, 10); err != nil {
		t.Fatal(err)
	}
	a.sim.Update("big", func(v *heygensim.Video) { delete(v.Assets, "thumbnail") })
	a.finish()
}
