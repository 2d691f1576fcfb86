package worker_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// A worker is killed in the middle of a video, the next one finishes it: on every kind of store the archive is exact and
// nothing is left over. Where the store tells which parts it holds, nothing but the parts in flight is fetched again.
func TestAKilledWorkersVideoIsFinishedOnAnyStore(t *testing.T) {
	const size = 8*part + 99
	for name, c := range map[string]struct {
		store   *storagetest.Poor
		resumes bool
	}{
		"takes everything":         {&storagetest.Poor{}, true},
		"refuses checksum headers": {&storagetest.Poor{RejectChecksums: true}, true},
		"ignores conditions":       {&storagetest.Poor{IgnoreConditions: true}, true},
		"refuses conditions":       {&storagetest.Poor{RejectConditions: true}, true},
		"keeps no metadata":        {&storagetest.Poor{NoMetadata: true}, true},
		"lists no parts":           {&storagetest.Poor{NoListParts: true}, false},
		"can do hardly anything": {&storagetest.Poor{
			RejectConditions: true, RejectChecksums: true, IgnoreMD5: true, OddETags: true,
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			endpoint := c.store.Start(t)
			b.store = b.openStoreAt(endpoint)
			v := fullVideo(1)
			v.Assets["video"] = heygensim.Asset{Size: size}
			b.sim.Add(v)
			ctx, kill := context.WithCancel(b.ctx)
			b.seen.when(6*part, kill)
			if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
				t.Fatal("the killed worker finished")
			}
			b.nothingSealed(id(1))
			b.store = b.openStoreAt(endpoint)
			m := b.mustArchive(id(1))
			if again := b.fetched(id(1), "video") - size; c.resumes && again > b.memory+1 {
				t.Errorf("%d bytes were fetched again; want at most the parts in flight (%d)", again, b.memory)
			}
			objects, uploads := c.store.Left()
			if want := len(m.Assets) + 1; objects != want || uploads > 0 {
				t.Errorf("the store holds %d unfinished uploads, want none, and %d objects, want %d: %q", uploads, objects, want, c.store.Keys())
			}
		})
	}
}

// A video is cancelled and handed in again at once, and the clean-up comes late: it ends the upload of the new transfer. That
// costs parts, and nothing else.
func TestAnUploadThatIsEndedUnderATransferCostsAFreshStart(t *testing.T) {
	for name, at := range map[string]int64{"with the first part": part, "in the middle": 5 * part, "with the last part": 8 * part} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			store := &storagetest.Poor{}
			endpoint := store.Start(t)
			b.store = b.openStoreAt(endpoint)
			b.sim.Add(bigVideo(1, 8*part+99, nil))
			cleaner := b.bench()
			b.seen.when(at, func() { cleaner.Abandon(b.ctx, worker.Video{ID: id(1)}) })
			m := b.mustArchive(id(1))
			if at == 5*part && !strings.Contains(b.log.String(), "starting again from the manifest") {
				t.Error("the transfer has not noticed; the test needs that it does")
			}
			cleaner.Abandon(b.ctx, worker.Video{ID: id(1)})
			b.proveExact(m)
			objects, uploads := store.Left()
			if want := len(m.Assets) + 1; objects != want || uploads > 0 {
				t.Errorf("the store holds %d unfinished uploads, want none, and %d objects, want %d: %q", uploads, objects, want, store.Keys())
			}
		})
	}
}

// A worker is killed right behind the seal, before it could take the record of the upload away. Whoever hears of the video
// next does: in a transfer that is driven again, in the first look of somebody who has never heard of it, or in making the index
// after Redis was emptied.
func TestARecordBehindASealIsTakenAwayByTheNext(t *testing.T) {
	for name, next := range map[string]func(b *bundle) error{
		"transfer": func(b *bundle) error { _, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1)}, nil); return err },
		"look":     func(b *bundle) error { _, err := b.bench().Check(b.ctx, worker.Video{ID: id(1)}); return err },
		"index": func(b *bundle) error {
			y := newTray()
			y.indexed = false
			s, err := worker.NewSweeper(worker.SweeperConfig{},
				worker.SweeperDeps{Lists: map[string]worker.Lister{"default": empty{}}, Archive: b.store, Intake: y, Timetable: y})
			must(b.t, err)
			return s.Sweep(b.ctx, "default", worker.SweepOptions{}).Err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			proxy := storagetest.NewProxy(t, minio.Endpoint)
			proxy.Break(storagetest.Rule{
				Match: storagetest.Request(http.MethodDelete, "/.upload/video.json"), Times: 1, Status: http.StatusForbidden,
				Body: "<Error><Code>AccessDenied</Code><Message>not now</Message></Error>",
			})
			b.store = b.openStoreAt(proxy.URL)
			b.sim.Add(bigVideo(1, 3*part, nil))
			b.mustArchive(id(1))
			record := "some/prefix/" + id(1) + "/.upload/video.json"
			if !minio.Holds(b.bucket, record) {
				t.Fatal("no record is left; the test needs one")
			}
			must(t, next(b))
			if minio.Holds(b.bucket, record) {
				t.Error("the record is still there")
			}
		})
	}
}
