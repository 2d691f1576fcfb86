package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func fullVideo(n int) heygensim.Video {
	return heygensim.Video{
		ID: id(n), Title: "Full \x1b[31mvideo/../x", CallbackID: "cb", CreatedAt: old(), Duration: 0,
		Assets: map[string]heygensim.Asset{"video": {}, "thumbnail": {}, "gif": {}, "captions": {}, "captioned_video": {}},
	}
}

func bigVideo(n int, size int64, fault *heygensim.Fault) heygensim.Video {
	return heygensim.Video{ID: id(n), Title: "Big", CreatedAt: old(), Assets: map[string]heygensim.Asset{"video": {Size: size, Fault: fault}}}
}

func TestEveryAssetIsArchivedExactly(t *testing.T) {
	for name, opt := range map[string]heygensim.Options{"v1": {V1: true}, "v3": {V3: true}, "both": {}, "messy v1": {V1: true, Messy: true}, "messy v3": {V3: true, Messy: true}} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, opt)
			b.sim.Add(fullVideo(1))
			m := b.mustArchive(id(1))
			var names []string
			for _, a := range m.Assets {
				names = append(names, a.Asset)
			}
			if diff := cmp.Diff([]string{"video", "thumbnail", "gif", "captions", "captioned_video"}, names); diff != "" {
				t.Error(diff)
			}
			if m.State != storage.StateArchived || len(m.Absent) > 0 || m.Generation != 1 {
				t.Errorf("state %s, generation %d, absent %v", m.State, m.Generation, m.Absent)
			}
			if strings.Contains(string(m.Source.Response), "Signature=") {
				t.Error("the manifest holds a signed link")
			}
		})
	}
}

func TestAnAssetThatIsNotOfferedIsNamedAbsent(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 50_000, nil))
	m := b.mustArchive(id(1))
	want := []storage.Absent{
		{Asset: "thumbnail", Reason: "not_offered"}, {Asset: "gif", Reason: "not_offered"},
		{Asset: "captions", Reason: "not_offered"}, {Asset: "captioned_video", Reason: "not_offered"},
	}
	if diff := cmp.Diff(want, m.Absent); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFaultOfTheSourceEndsInAnExactArchive(t *testing.T) {
	const size = 2*part + part/2
	for name, fault := range map[string]heygensim.Fault{
		"dropped at the start":     {Kind: heygensim.FaultDrop, Times: 2},
		"dropped in a part":        {Kind: heygensim.FaultDrop, At: part + 1000, Times: 3},
		"dropped every 600 kB":     {Kind: heygensim.FaultDrop, At: -600_000},
		"stalled":                  {Kind: heygensim.FaultStall, At: part / 2, Times: 1},
		"short body":               {Kind: heygensim.FaultShort, At: part / 3, Times: 2},
		"wrong range":              {Kind: heygensim.FaultWrongRange, At: part, Times: 2},
		"no ranges":                {Kind: heygensim.FaultNoRanges},
		"a page of HTML once":      {Kind: heygensim.FaultHTML, Times: 1},
		"a page of HTML midway":    {Kind: heygensim.FaultHTML, At: part, Times: 1},
		"403 while fresh":          {Kind: heygensim.FaultForbidden, Times: 2},
		"404 for a moment":         {Kind: heygensim.FaultNotFound, Times: 2},
		"replaced midway":          {Kind: heygensim.FaultReplaced, At: part + part/2},
		"another ETag midway":      {Kind: heygensim.FaultRetagged, At: part + part/2},
		"429 for a moment":         {Kind: heygensim.FaultTooMany, Times: 1},
		"too long for a while":     {Kind: heygensim.FaultLonger, Times: 1},
		"too short for a while":    {Kind: heygensim.FaultShorter, Times: 1},
		"too long from then on":    {Kind: heygensim.FaultLonger, At: part, Times: 2},
		"too short from then on":   {Kind: heygensim.FaultShorter, At: part, Times: 2},
		"503 for a moment":         {Kind: heygensim.FaultServerError, Times: 2},
		"gzip nobody asked for":    {Kind: heygensim.FaultGzip, Times: 1},
		"redirected":               {Kind: heygensim.FaultRedirect},
		"an ETag for each answer":  {Kind: heygensim.FaultNodes},
		"no length":                {Kind: heygensim.FaultChunked},
		"wrong length for a while": {Kind: heygensim.FaultWrongLength, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.sim.Add(bigVideo(1, size, &fault))
			// A run may end in an error; the queue would try again, and so does this test, as often.
			m, err := b.archive(worker.Video{ID: id(1)})
			for try := 0; err != nil && try < 5; try++ {
				b.nothingSealed(id(1))
				m, err = b.archive(worker.Video{ID: id(1)})
			}
			must(t, err)
			b.proveExact(m)
			if m.Assets[0].Bytes != size {
				t.Errorf("%d bytes are sealed, want %d", m.Assets[0].Bytes, size)
			}
		})
	}
}

func TestWhatIsNeverAVideoIsNeverStored(t *testing.T) {
	for name, asset := range map[string]heygensim.Asset{
		"a page of HTML":            {Fault: &heygensim.Fault{Kind: heygensim.FaultHTML}},
		"a truncated MP4":           {Body: truncated(t)},
		"said to be longer":         {Size: 2*part + 99, Fault: &heygensim.Fault{Kind: heygensim.FaultLonger}},
		"said to be shorter":        {Size: 2*part + 99, Fault: &heygensim.Fault{Kind: heygensim.FaultShorter}},
		"small, said to be longer":  {Size: 99_000, Fault: &heygensim.Fault{Kind: heygensim.FaultLonger}},
		"small, said to be shorter": {Size: 99_000, Fault: &heygensim.Fault{Kind: heygensim.FaultShorter}},
		"nothing":                   {Body: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.sim.Add(heygensim.Video{ID: id(1), CreatedAt: old(), Assets: map[string]heygensim.Asset{"video": asset}})
			if _, err := b.archive(worker.Video{ID: id(1)}); err == nil {
				t.Fatal("it was archived")
			}
			b.nothingSealed(id(1))
			if o, err := b.store.Stat(b.ctx, storage.VideoKey{VideoID: id(1)}, "video.mp4"); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("something is stored: %+v, %v", o, err)
			}
		})
	}
}

func truncated(t *testing.T) []byte {
	t.Helper()
	body := heygensim.Sample()[0].Assets["video"].Body
	return body[:len(body)*2/3]
}

func TestALinkThatDiesMidwayIsRefreshed(t *testing.T) {
	b := setup(t, heygensim.Options{LinkLife: time.Second, Bandwidth: 4 << 20})
	b.sim.Add(bigVideo(1, 3*part, nil))
	b.mustArchive(id(1))
}

// A killed worker is one whose context ends without any grace for what it had in hand; here it is the next
// worker's view of it: only what is in the store.
func TestTheNextWorkerGoesOnWhereTheLastOneWasKilled(t *testing.T) {
	b := setup(t, heygensim.Options{})
	const size = 8 * part
	b.sim.Add(bigVideo(1, size, nil))
	ctx, kill := context.WithCancel(b.ctx)
	b.seen.when(6*part, kill)
	if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
		t.Fatal("the killed worker finished")
	}
	before := b.fetched(id(1), "video")
	b.store = b.openStore()
	b.mustArchive(id(1))
	again := before + (b.fetched(id(1), "video") - before) - size
	if again > b.memory { // each part in flight has a buffer, and each stream asks for no more than its part
		t.Errorf("%d bytes were fetched again; want at most the parts in flight (%d)", again, b.memory)
	}
}

func TestAnUploadInPartsLargerThanTheMemoryIsBegunAgain(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 8*part, nil))
	b.store = b.openStoreOf(minio.Endpoint, 2*part)
	ctx, kill := context.WithCancel(b.ctx)
	_, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, func(string, int64, int64) { kill() })
	if err == nil {
		t.Fatal("the killed worker finished")
	}
	b.store, b.memory = b.openStore(), part
	b.mustArchive(id(1))
}

func TestAReplacedFileIsNotSplicedOntoAnUnfinishedUpload(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 4*part, nil))
	ctx, kill := context.WithCancel(b.ctx)
	b.seen.when(3*part, kill)
	if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
		t.Fatal("the killed worker finished")
	}
	b.sim.Update(id(1), func(v *heygensim.Video) { v.Assets["video"] = heygensim.Asset{Size: 4*part + 777} })
	b.mustArchive(id(1))
}

func TestASealedVideoIsLeftAlone(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(fullVideo(1))
	first := b.mustArchive(id(1))
	before := len(b.sim.Requests())
	second, err := b.archive(worker.Video{ID: id(1)})
	must(t, err)
	if n := len(b.sim.Requests()); n != before {
		t.Errorf("HeyGen was asked %d times for a sealed video", n-before)
	}
	if !first.SealedAt.Truncate(time.Millisecond).Equal(second.SealedAt) {
		t.Errorf("sealed at %s and again at %s", first.SealedAt, second.SealedAt)
	}
}

func TestTwoWorkersWithOneVideoSealItOnce(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := fullVideo(1)
	v.Assets["video"] = heygensim.Asset{Size: 2 * part}
	delete(v.Assets, "captioned_video")
	b.sim.Add(v)
	manifests := make([]*storage.Manifest, 4)
	var wg sync.WaitGroup
	for i := range manifests {
		a := b.bench()
		wg.Go(func() {
			m, err := a.Transfer(b.ctx, worker.Video{ID: id(1)}, nil)
			if err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
			manifests[i] = m
		})
	}
	wg.Wait()
	sealed, err := b.store.Manifest(b.ctx, storage.VideoKey{VideoID: id(1)})
	must(t, err)
	for i, m := range manifests {
		if m == nil || m.Assets[0].SHA256 != sealed.Assets[0].SHA256 {
			t.Errorf("worker %d ended with %+v", i, m)
		}
	}
	b.proveExact(sealed)
}

func TestWhatCannotBeArchivedSaysWhy(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(heygensim.Video{ID: id(1), Fail: &heygensim.Failure{Code: "40119", Message: "Video is too long"}, CreatedAt: old()})
	b.sim.Add(heygensim.Video{ID: id(2), RenderFor: time.Hour, Assets: map[string]heygensim.Asset{"video": {}}})
	b.sim.Add(heygensim.Video{ID: id(3), Draft: true})

	_, err := b.archive(worker.Video{ID: id(1)})
	var failed *worker.RenderFailedError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "Video is too long") {
		t.Errorf("a failed render: %v", err)
	} else if state, reason := failed.Settle(); state != "failed" || reason != "render_failed" {
		t.Errorf("it settles as %s, %s", state, reason)
	}
	for _, n := range []int{2, 3} {
		_, err = b.archive(worker.Video{ID: id(n)})
		var notReady *worker.NotReadyError
		if !errors.As(err, &notReady) || notReady.RetryAfter() <= 0 {
			t.Errorf("video %d: %v", n, err)
		}
	}
	_, err = b.archive(worker.Video{ID: id(2), AcceptedAt: time.Now().Add(-100 * time.Hour)})
	if !errors.As(err, &failed) || failed.TimedOut == 0 {
		t.Errorf("a render that takes for ever: %v", err)
	}
	_, err = b.archive(worker.Video{ID: id(9)})
	var gone *worker.GoneError
	if !errors.As(err, &gone) {
		t.Errorf("an unknown video: %v", err)
	}
}

func TestACompletedVideoWithoutALinkIsWaitedForAWhile(t *testing.T) {
	b := setup(t, heygensim.Options{})
	thumbnail := map[string]heygensim.Asset{"thumbnail": {}}
	b.sim.Add(heygensim.Video{ID: id(1), CreatedAt: time.Now(), Assets: thumbnail})
	b.sim.Add(heygensim.Video{ID: id(2), CreatedAt: old(), Assets: thumbnail})
	_, err := b.archive(worker.Video{ID: id(1)})
	var notReady *worker.NotReadyError
	if !errors.As(err, &notReady) || notReady.Completed.IsZero() {
		t.Errorf("completed just now: %v", err)
	}
	_, err = b.archive(worker.Video{ID: id(2)})
	var noLink *worker.NoLinkError
	if !errors.As(err, &noLink) {
		t.Errorf("completed long ago: %v", err)
	}
	b.nothingSealed(id(1))
	b.nothingSealed(id(2))
}

func TestALateGIFIsAddedToASealedVideo(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	forward := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	b := setup(t, heygensim.Options{Now: clock})
	b.cfg.Now = clock
	v := fullVideo(1)
	v.CreatedAt = now
	v.Assets["gif"] = heygensim.Asset{After: time.Minute}
	delete(v.Assets, "captions")
	b.sim.Add(v)
	m := b.mustArchive(id(1))
	want := []storage.Absent{{Asset: "gif", Reason: "late"}, {Asset: "captions", Reason: "late"}}
	if diff := cmp.Diff(want, m.Absent); diff != "" || m.State != storage.StatePartial {
		t.Fatalf("state %s: %s", m.State, diff)
	}
	before := b.fetched(id(1), "video")

	forward(2 * time.Minute)
	m = b.mustArchive(id(1))
	if _, ok := m.Asset("gif"); !ok || m.State != storage.StatePartial {
		t.Fatalf("after two minutes: %+v", m)
	}
	forward(10 * time.Minute)
	m = b.mustArchive(id(1))
	if diff := cmp.Diff([]storage.Absent{{Asset: "captions", Reason: "not_offered"}}, m.Absent); diff != "" || m.State != storage.StateArchived {
		t.Fatalf("after the wait: state %s: %s", m.State, diff)
	}
	if n := b.fetched(id(1), "video"); n != before {
		t.Errorf("the video was fetched again for a GIF: %d bytes", n-before)
	}
}

func TestAPartialVideoThatHeyGenDeletesIsClosed(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := fullVideo(1)
	v.CreatedAt = time.Now()
	v.Assets["gif"] = heygensim.Asset{After: time.Hour}
	b.sim.Add(v)
	if m := b.mustArchive(id(1)); m.State != storage.StatePartial {
		t.Fatalf("state %s", m.State)
	}
	b.sim.Remove(id(1))
	m, err := b.archive(worker.Video{ID: id(1)})
	must(t, err)
	if diff := cmp.Diff([]storage.Absent{{Asset: "gif", Reason: "gone"}}, m.Absent); diff != "" || m.State != storage.StateArchived {
		t.Errorf("state %s: %s", m.State, diff)
	}
}

// Whoever asks next finds the video gone or failed, and what was stored of it is nobody's.
func TestAVideoThatIsSettledMidwayLeavesNoUploadBehind(t *testing.T) {
	for name, settle := range map[string]func(*heygensim.Sim){
		"deleted": func(sim *heygensim.Sim) { sim.Remove(id(1)) },
		"failed": func(sim *heygensim.Sim) {
			sim.Update(id(1), func(v *heygensim.Video) { v.Fail = &heygensim.Failure{Message: "it broke"} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.sim.Add(bigVideo(1, 8*part, nil))
			ctx, kill := context.WithCancel(b.ctx)
			b.seen.when(5*part, kill)
			if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
				t.Fatal("the killed worker finished")
			}
			settle(b.sim)
			left := func() (keys []string, uploads int) {
				keys, err := minio.Keys(b.bucket)
				must(t, err)
				of, _, err := minio.Unfinished(b.bucket, []string{"some/prefix/" + id(1) + "/video.mp4"})
				must(t, err)
				return keys, len(of)
			}
			if keys, uploads := left(); len(keys) == 0 || uploads == 0 {
				t.Fatalf("left by the killed worker: %v, %d uploads; the test needs some", keys, uploads)
			}
			_, err := b.bench().Check(b.ctx, worker.Video{ID: id(1)})
			var settles interface{ Settle() (string, string) }
			if !errors.As(err, &settles) {
				t.Errorf("got %v, want the end of the video", err)
			}
			if keys, uploads := left(); len(keys) > 0 || uploads > 0 {
				t.Errorf("still there: %v, %d uploads", keys, uploads)
			}
		})
	}
}

// A worker that has looked for a manifest, and slept while another sealed the video, begins an upload that nobody needs.
func TestAWorkerThatComesLateLeavesNoUploadBehind(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 3*part, nil))
	var first *storage.Manifest
	b.seen.when(1, func() { first = b.mustArchive(id(1)) })
	m, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1)}, nil)
	must(t, err)
	if first == nil || !m.SealedAt.Equal(first.SealedAt) && m.SealedAt.Sub(first.SealedAt).Abs() > time.Millisecond {
		t.Errorf("sealed at %v, and the late worker says %s", first, m.SealedAt)
	}
	of, _, err := minio.Unfinished(b.bucket, []string{"some/prefix/" + id(1) + "/video.mp4"})
	must(t, err)
	if len(of) > 0 || minio.Holds(b.bucket, "some/prefix/"+id(1)+"/.upload/video.json") {
		t.Errorf("the late worker's upload is still there: %v", of)
	}
}

func TestAReRenderedVideoBecomesANewGeneration(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(fullVideo(1))
	first := b.mustArchive(id(1))

	m, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1), Again: true}, nil)
	must(t, err)
	if m.Generation != 1 {
		t.Errorf("an unchanged video became generation %d", m.Generation)
	}
	b.sim.Update(id(1), func(v *heygensim.Video) {
		v.Assets["video"] = heygensim.Asset{Size: 300_000}
		delete(v.Assets, "captioned_video")
	})
	m, err = b.bench().Transfer(b.ctx, worker.Video{ID: id(1), Again: true}, nil)
	must(t, err)
	b.proveExact(m)
	if video, _ := m.Asset("video"); m.Generation != 2 || video.Key != "g2/video.mp4" {
		t.Errorf("generation %d, key %s", m.Generation, video.Key)
	}
	kept, err := b.store.Stat(b.ctx, first.Key(), "video.mp4")
	must(t, err)
	if video, _ := first.Asset("video"); kept.ETag != video.ETag {
		t.Error("the first generation was overwritten")
	}
	if !minio.Holds(b.bucket, "some/prefix/"+id(1)+"/manifest.g1.json") {
		t.Error("the first manifest is gone")
	}
}

func TestABrokenGIFDoesNotCostTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := fullVideo(1)
	v.Assets["gif"] = heygensim.Asset{Fault: &heygensim.Fault{Kind: heygensim.FaultHTML}}
	b.sim.Add(v)
	if _, err := b.archive(worker.Video{ID: id(1)}); err == nil {
		t.Fatal("the first try gave the GIF up at once")
	}
	m, err := b.archive(worker.Video{ID: id(1), Failures: 9})
	must(t, err)
	if diff := cmp.Diff([]storage.Absent{{Asset: "gif", Reason: "gone"}}, m.Absent); diff != "" {
		t.Error(diff)
	}
}

func TestAnOutageOfHeyGenIsNoFailureOfTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(fullVideo(1))
	b.sim.APIFault(503, "<html>down</html>", 20)
	_, err := b.archive(worker.Video{ID: id(1)})
	var outage *worker.OutageError
	if !errors.As(err, &outage) || outage.RetryAfter() <= 0 {
		t.Errorf("got %v", err)
	}
}

func TestAForbiddenVideoIsAboutThatVideoAlone(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(fullVideo(1))
	b.sim.APIFault(403, `{"error":{"code":"resource_access_denied","message":"You do not have access to this resource"}}`, 20)
	_, err := b.archive(worker.Video{ID: id(1)})
	var denied *worker.DeniedError
	if !errors.As(err, &denied) {
		t.Fatalf("got %v", err)
	}
	if state, _ := denied.Settle(); state != "failed" {
		t.Errorf("it settles as %s", state)
	}
}

func TestAWrongKeyIsRefusedAndNotAboutTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(fullVideo(1))
	b.sim.APIFault(401, `{"error":{"code":"unauthorized","message":"Invalid API key"}}`, 20)
	_, err := b.archive(worker.Video{ID: id(1)})
	var refused *worker.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "HEYGEN_API_KEY") {
		t.Errorf("got %v", err)
	}
}

// Memory for one part, one connection to the host: whoever has the one must not wait for the other.
func TestManyTransfersShareOneBufferAndOneConnection(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.memory, b.host = part, 1
	a := b.bench()
	var wg sync.WaitGroup
	for n := range 6 {
		b.sim.Add(bigVideo(n, 2*part+9, nil))
		wg.Go(func() {
			if _, err := a.Transfer(b.ctx, worker.Video{ID: id(n)}, nil); err != nil {
				t.Errorf("video %d: %v", n, err)
			}
		})
	}
	wg.Wait()
}

// A source that does not tell its length: killed after its object was completed, before the video was sealed.
func TestACompletedAssetOfUnknownLengthIsTakenOver(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := bigVideo(1, 2*part+77, &heygensim.Fault{Kind: heygensim.FaultChunked})
	v.Assets["thumbnail"] = heygensim.Asset{Fault: &heygensim.Fault{Kind: heygensim.FaultHTML, Times: 1}}
	b.sim.Add(v)
	if _, err := b.archive(worker.Video{ID: id(1)}); err == nil {
		t.Fatal("the page of HTML was taken for a thumbnail")
	}
	b.store = b.openStore()
	b.mustArchive(id(1))
}

func TestAgainOnAPartialVideoAddsWhatIsLateAndEnds(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	b := setup(t, heygensim.Options{Now: clock})
	b.cfg.Now = clock
	v := fullVideo(1)
	v.CreatedAt = now
	v.Assets["gif"] = heygensim.Asset{After: time.Minute}
	b.sim.Add(v)
	if m := b.mustArchive(id(1)); m.State != storage.StatePartial {
		t.Fatalf("state %s", m.State)
	}
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	m, err := b.bench().Transfer(b.ctx, worker.Video{ID: id(1), Again: true}, nil)
	must(t, err)
	if _, ok := m.Asset("gif"); !ok || m.Generation != 1 || m.State != storage.StateArchived {
		t.Errorf("generation %d, state %s, assets %v", m.Generation, m.State, m.Assets)
	}
}

func TestAThumbnailThatVanishesDoesNotCostTheVideo(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := fullVideo(1)
	v.Assets["video"] = heygensim.Asset{Size: 2 * part}
	v.Assets["thumbnail"] = heygensim.Asset{Fault: &heygensim.Fault{Kind: heygensim.FaultForbidden}}
	delete(v.Assets, "captioned_video")
	b.sim.Add(v)
	a := b.bench()
	_, err := a.Check(b.ctx, worker.Video{ID: id(1)})
	must(t, err)
	b.seen.when(part, func() { b.sim.APIFault(404, `{"error":{"code":"video_not_found","message":"Video not found"}}`, 0) })
	m, err := a.Transfer(b.ctx, worker.Video{ID: id(1)}, nil)
	must(t, err)
	if _, ok := m.Asset("video"); !ok || m.State != storage.StateArchived {
		t.Errorf("sealed as %+v", m)
	}
}
