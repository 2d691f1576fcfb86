package worker_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// The video is stored at the first try already and taken over by the second: it is one stored video all the same.
func TestAnAssetIsToldOfOnceHoweverOftenTheVideoIsTried(t *testing.T) {
	b := setup(t, heygensim.Options{})
	v := fullVideo(1)
	v.Assets["video"] = heygensim.Asset{Size: 2*part + 1}
	v.Assets["gif"] = heygensim.Asset{Fault: &heygensim.Fault{Kind: heygensim.FaultHTML, Times: 1}}
	delete(v.Assets, "captions")
	delete(v.Assets, "captioned_video")
	b.sim.Add(v)
	if _, err := b.archive(worker.Video{ID: id(1)}); err == nil {
		t.Fatal("a page of HTML was taken for a GIF")
	}
	if diff := cmp.Diff([]string{"gif rejected"}, b.seen.told()); diff != "" {
		t.Errorf("told of a try that sealed nothing (-want +got):\n%s", diff)
	}
	b.mustArchive(id(1))
	want := []string{"video stored", "thumbnail stored", "gif stored", "captions absent", "captioned_video absent"}
	if diff := cmp.Diff(want, b.seen.told()); diff != "" {
		t.Errorf("told of the sealed video (-want +got):\n%s", diff)
	}
	b.mustArchive(id(1))
	if told := b.seen.told(); len(told) > 0 {
		t.Errorf("a look at a sealed video told again of %q", told)
	}
}

func TestALateAssetIsToldOfWhenItsWaitIsOver(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	forward := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	b := setup(t, heygensim.Options{Now: clock})
	b.cfg.Now = clock
	for n := range 2 {
		v := fullVideo(n)
		v.CreatedAt = now
		v.Assets["gif"] = heygensim.Asset{After: time.Minute}
		delete(v.Assets, "captions")
		delete(v.Assets, "captioned_video")
		b.sim.Add(v)
	}
	look := func(n int, state string, want ...string) {
		t.Helper()
		if m := b.mustArchive(id(n)); m.State != state {
			t.Errorf("it is %s, want %s", m.State, state)
		}
		if diff := cmp.Diff(want, b.seen.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	}
	for n := range 2 {
		look(n, storage.StatePartial, "video stored", "thumbnail stored")
		look(n, storage.StatePartial)
	}
	forward(2 * time.Minute)
	look(0, storage.StatePartial, "gif stored")
	forward(10 * time.Minute)
	look(0, storage.StateArchived, "captions absent", "captioned_video absent")
	b.sim.Remove(id(1))
	m, err := b.archive(worker.Video{ID: id(1)})
	must(t, err)
	want := []string{"gif absent", "captions absent", "captioned_video absent"}
	if diff := cmp.Diff(want, b.seen.told()); diff != "" || m.State != storage.StateArchived {
		t.Errorf("a video that HeyGen deleted is %s; told (-want +got):\n%s", m.State, diff)
	}
}

// The manifest reaches the store, but the answer is lost, and so is the look whether it did.
func TestAssetsAreToldOfThoughTheAnswerToTheSealWasLost(t *testing.T) {
	b := setup(t, heygensim.Options{})
	ctx, cut := context.WithCancel(b.ctx)
	to, err := url.Parse(minio.Endpoint)
	must(t, err)
	forward := httputil.NewSingleHostReverseProxy(to) // Host, which is signed, stays
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json") {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			cut()
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	b.store = b.openStoreAt(proxy.URL)
	b.sim.Add(bigVideo(1, 50_000, nil))
	a := b.bench()
	if _, err := a.Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
		t.Fatal("the answer was not lost")
	}
	if told := b.seen.told(); len(told) > 0 {
		t.Errorf("told of %q before it was known", told)
	}
	for _, want := range [][]string{{"video stored", "thumbnail absent", "gif absent", "captions absent", "captioned_video absent"}, nil} {
		f, err := a.Check(b.ctx, worker.Video{ID: id(1)})
		must(t, err)
		if f.Manifest == nil {
			t.Fatal("the manifest did not reach the store")
		}
		if diff := cmp.Diff(want, b.seen.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	}
}

func TestTheNextWorkerTellsWhatItTakesOver(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.sim.Add(bigVideo(1, 6*part, nil))
	ctx, kill := context.WithCancel(b.ctx)
	b.seen.when(4*part, kill)
	if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); err == nil {
		t.Fatal("the killed worker finished")
	}
	if len(b.seen.taken) > 0 {
		t.Errorf("the first worker took over %v bytes from nobody", b.seen.taken)
	}
	b.mustArchive(id(1))
	if len(b.seen.taken) != 1 || b.seen.taken[0] < part || b.seen.taken[0]%part != 0 {
		t.Errorf("the second worker took over %v bytes; want whole parts, once", b.seen.taken)
	}
}
