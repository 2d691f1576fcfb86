package worker_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// Wherever something panics: the process lives, one video has failed, and its memory is there for the next try.
func TestAPanicCostsOneVideoATryAndNoOtherAnything(t *testing.T) {
	panics := func() { panic("made by the test") }
	for name, c := range map[string]struct {
		after  int64 // bytes of both videos
		stored bool  // when a part is stored, not when bytes come
		fault  heygensim.Fault
	}{
		"in the first bytes":       {after: 1},
		"in a stream":              {after: 5 * part},
		"in a source of no length": {after: 5 * part, fault: heygensim.Fault{Kind: heygensim.FaultChunked}},
		"when a part is stored":    {stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			a := b.bench()
			if !c.stored {
				b.seen.when(c.after, panics)
			}
			var once sync.Once
			progress := func(string, int64, int64) {
				if c.stored {
					once.Do(panics)
				}
			}
			errs := make([]error, 2)
			var all sync.WaitGroup
			for n := range errs {
				b.sim.Add(bigVideo(n, 6*part, &c.fault))
				all.Go(func() { _, errs[n] = a.Transfer(b.ctx, worker.Video{ID: id(n)}, progress) })
			}
			all.Wait()
			failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
			if failed < 0 || errs[1-failed] != nil || !strings.Contains(errs[failed].Error(), "internal error: made by the test") {
				t.Fatalf("they ended with %v; want the panic to be the error of one", errs)
			}
			if n := strings.Count(b.log.String(), "transfer panicked"); n != 1 {
				t.Errorf("the panic is logged %d times", n)
			}
			b.nothingSealed(id(failed))
			m, err := b.store.Manifest(b.ctx, storage.VideoKey{VideoID: id(1 - failed)})
			must(t, err)
			b.proveExact(m)
			b.mustArchive(id(failed))
		})
	}
}

// The rest of a video's assets have goroutines of their own. What always panics is given up like what is always broken.
func TestAnAssetThatAlwaysPanicsDoesNotCostTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := bigVideo(1, 2*part, nil)
	v.Assets["thumbnail"] = fullVideo(1).Assets["thumbnail"]
	b.sim.Add(v)
	panics := func() { panic("made by the test") }
	b.seen.when(2*part+1, panics)
	if _, err := b.archive(worker.Video{ID: id(1)}); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Fatalf("it ended with %v, want the panic of the thumbnail", err)
	}
	b.seen.when(1, panics) // the video itself is stored
	m, err := b.archive(worker.Video{ID: id(1), Failures: 9})
	must(t, err)
	b.proveExact(m)
	if want := (storage.Absent{Asset: "thumbnail", Reason: storage.AbsentGone}); m.Absent[0] != want {
		t.Errorf("absent are %v, want %v", m.Absent, want)
	}
}
