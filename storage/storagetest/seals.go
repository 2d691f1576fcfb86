package storagetest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reelkeep/reelkeep/storage"
)

func testSeal(t *testing.T, b *bundle) {
	if _, err := b.store.Manifest(t.Context(), b.key); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("Manifest before sealing = %v, want ErrNotFound", err)
	}
	m := b.manifest(b.storeAsset(t, "video", "video.mp4", Bytes(20, 100)), storage.StateArchived)
	m.Metadata = map[string]string{"campaign": "spring"}
	m.Source = storage.Source{API: "v3", Response: []byte(`{"id":"x"}`)}
	m.Absent = []storage.Absent{{Asset: "gif", Reason: storage.AbsentNotOffered}}
	if err := b.store.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := b.other.Manifest(t.Context(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	got.Source.Response = []byte(strings.Join(strings.Fields(string(got.Source.Response)), ""))
	if diff := cmp.Diff(m, got, cmpopts.IgnoreUnexported(storage.Manifest{}), cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
		t.Errorf("read back (-sealed +read):\n%s", diff)
	}
}

func testSealTwice(t *testing.T, b *bundle) {
	o := b.storeAsset(t, "video", "video.mp4", Bytes(21, 100))
	m := b.manifest(o, storage.StateArchived)
	if err := b.store.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := b.other.Seal(t.Context(), m); err != nil {
		t.Errorf("the very same seal again = %v, want success: it may be a lost reply", err)
	}
	rival := b.manifest(o, storage.StateArchived)
	rival.Video.Title = "another worker's"
	if err := b.other.Seal(t.Context(), rival); !errors.Is(err, storage.ErrExists) {
		t.Errorf("second seal = %v, want ErrExists", err)
	}
	got, err := b.store.Manifest(t.Context(), b.key)
	if err != nil || got.Video.Title != m.Video.Title {
		t.Errorf("manifest = %+v, %v; want the first one", got, err)
	}
}

func testSealRace(t *testing.T, b *bundle) {
	o := b.storeAsset(t, "video", "video.mp4", Bytes(22, 100))
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			m := b.manifest(o, storage.StateArchived)
			m.Video.Title = fmt.Sprint("worker ", i)
			errs[i] = b.store.Seal(t.Context(), m)
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("workers %d and %d both sealed", winner, i)
		case !errors.Is(err, storage.ErrExists):
			t.Errorf("worker %d: %v, want ErrExists", i, err)
		}
	}
	m, err := b.other.Manifest(t.Context(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint("worker ", winner); m.Video.Title != want {
		t.Errorf("sealed by %q, but %q was told so", m.Video.Title, want)
	}
}

func testSealChecks(t *testing.T, b *bundle) {
	o := b.storeAsset(t, "video", "video.mp4", Bytes(23, 100))
	var damaged *storage.DamagedError
	longer := b.manifest(o, storage.StateArchived)
	longer.Assets[0].Bytes++
	if err := b.store.Seal(t.Context(), longer); !errors.As(err, &damaged) {
		t.Errorf("seal with a wrong size = %v, want DamagedError", err)
	}
	other := b.manifest(o, storage.StateArchived)
	other.Assets[0].ETag = `"somebody-else"`
	if err := b.store.Seal(t.Context(), other); !errors.As(err, &damaged) {
		t.Errorf("seal with a wrong ETag = %v, want DamagedError", err)
	}
	if err := b.store.Delete(t.Context(), b.key, "video.mp4"); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Seal(t.Context(), b.manifest(o, storage.StateArchived)); !errors.As(err, &damaged) {
		t.Errorf("seal without the asset = %v, want DamagedError", err)
	}
	late := b.manifest(o, storage.StateArchived)
	late.Absent = []storage.Absent{{Asset: "gif", Reason: storage.AbsentLate}}
	if err := b.store.Seal(t.Context(), late); err == nil {
		t.Error("a late asset was sealed as archived")
	}
	if _, err := b.store.Manifest(t.Context(), b.key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("after refused seals: %v, want ErrNotFound", err)
	}
}

func testSealEndsUploads(t *testing.T, b *bundle) {
	data := Bytes(24, 2*b.part)
	begun := b.open(t, b.store, Spec("captioned_video", "captioned_video.mp4", data))
	b.putPart(t, begun, 1, data)
	o := b.storeAsset(t, "video", "video.mp4", data)
	if err := b.other.Seal(t.Context(), b.manifest(o, storage.StateArchived)); err != nil {
		t.Fatal(err)
	}
	if u := b.open(t, b.store, Spec("captioned_video", "captioned_video.mp4", data)); u.Resumed() {
		t.Error("an upload outlived the seal")
	}
	if err := begun.Put(t.Context(), 2, data[b.part:]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Put after the seal = %v, want ErrUploadGone", err)
	}
	b.mustHold(t, "video.mp4", data)
}

func testReseal(t *testing.T, b *bundle) {
	video := b.storeAsset(t, "video", "video.mp4", Bytes(25, 100))
	m := b.manifest(video, storage.StatePartial)
	m.Absent = []storage.Absent{{Asset: "gif", Reason: storage.AbsentLate}}
	if err := b.store.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m, err := b.other.Manifest(t.Context(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	m.State, m.Absent = storage.StateArchived, nil
	m.Assets = append(m.Assets, AssetOf("gif", b.storeAsset(t, "gif", "preview.gif", Bytes(26, 50))))
	if err := b.other.Reseal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := b.store.Manifest(t.Context(), b.key)
	if err != nil || got.State != storage.StateArchived || len(got.Assets) != 2 {
		t.Errorf("after reseal: %+v, %v", got, err)
	}
	m.Metadata = map[string]string{"again": "yes"}
	if err := b.other.Reseal(t.Context(), m); err != nil {
		t.Errorf("reseal what was just resealed: %v", err)
	}
}

func testStaleReseal(t *testing.T, b *bundle) {
	o := b.storeAsset(t, "video", "video.mp4", Bytes(27, 100))
	unread := b.manifest(o, storage.StateArchived)
	if err := b.store.Reseal(t.Context(), unread); err == nil {
		t.Error("a manifest that was never read was resealed")
	}
	if err := b.store.Seal(t.Context(), b.manifest(o, storage.StatePartial)); err != nil {
		t.Fatal(err)
	}
	read := func(s *storage.Store, title string) *storage.Manifest {
		m, err := s.Manifest(t.Context(), b.key)
		if err != nil {
			t.Fatal(err)
		}
		m.State, m.Video.Title = storage.StateArchived, title
		return m
	}
	mine, theirs := read(b.store, "mine"), read(b.other, "theirs")
	if err := b.other.Reseal(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Reseal(t.Context(), mine); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("reseal over a newer manifest = %v, want ErrConflict", err)
	}
	if m := read(b.store, ""); m.Video.Title != "" {
		t.Fatal("unexpected")
	}
	got, err := b.store.Manifest(t.Context(), b.key)
	if err != nil || got.Video.Title != "theirs" {
		t.Errorf("manifest = %+v, %v; want theirs", got, err)
	}
}

func testGeneration(t *testing.T, b *bundle) {
	first := b.storeAsset(t, "video", "video.mp4", Bytes(28, 100))
	if err := b.store.Seal(t.Context(), b.manifest(first, storage.StateArchived)); err != nil {
		t.Fatal(err)
	}
	m, err := b.store.Manifest(t.Context(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second try after a crash must be harmless
		if err := b.store.ArchiveGeneration(t.Context(), b.key, m); err != nil {
			t.Fatal(err)
		}
	}
	m.Generation = 2
	m.Assets = []storage.Asset{AssetOf("video", b.storeAsset(t, "video", "g2/video.mp4", Bytes(29, 100)))}
	if err := b.store.Reseal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := b.other.Manifest(t.Context(), b.key)
	if err != nil || got.Generation != 2 || got.Assets[0].Key != "g2/video.mp4" {
		t.Errorf("manifest = %+v, %v", got, err)
	}
	// A worker that was left behind still has the first generation in hand, of a file that has changed.
	stale := b.open(t, b.store, Spec("video", "video.mp4", Bytes(30, 100)))
	if err := stale.Put(t.Context(), 1, Bytes(30, 100)); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("other bytes over the generation before = %v, want ErrSealed", err)
	}
	if err := b.store.Delete(t.Context(), b.key, "video.mp4"); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("delete of the generation before = %v, want ErrSealed", err)
	}
	b.mustHold(t, "video.mp4", Bytes(28, 100))
	b.mustHold(t, "g2/video.mp4", Bytes(29, 100))
}

func testLeftover(t *testing.T, b *bundle) {
	for _, n := range []int64{100, 2 * b.part} {
		name := fmt.Sprintf("file%d.mp4", n)
		b.storeAsset(t, "video", name, Bytes(30, n))
		fresh := Bytes(31, n)
		b.storeAsset(t, "video", name, fresh)
		b.mustHold(t, name, fresh)
	}
}

func testSealedStays(t *testing.T, b *bundle) {
	small, large := Bytes(32, 100), Bytes(33, 2*b.part)
	m := b.manifest(b.storeAsset(t, "video", "video.mp4", large), storage.StateArchived)
	m.Assets = append(m.Assets, AssetOf("gif", b.storeAsset(t, "gif", "preview.gif", small)))
	if err := b.store.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	u := b.open(t, b.other, Spec("gif", "preview.gif", Bytes(34, 100)))
	if err := u.Put(t.Context(), 1, Bytes(34, 100)); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("other bytes over a sealed small asset = %v, want ErrSealed", err)
	}
	other := Bytes(35, 2*b.part)
	u = b.open(t, b.other, Spec("video", "video.mp4", other))
	PutMissing(t, u, other)
	if _, err := u.Complete(t.Context()); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("other bytes over a sealed large asset = %v, want ErrSealed", err)
	}
	if err := b.other.Delete(t.Context(), b.key, "preview.gif"); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("delete of a sealed asset = %v, want ErrSealed", err)
	}
	b.mustHold(t, "preview.gif", small)
	b.mustHold(t, "video.mp4", large)
	if err := b.other.AbortOrphans(t.Context(), b.key); err != nil {
		t.Error(err)
	}
}

func testWalk(t *testing.T, b *bundle) {
	want := map[string]bool{}
	for i := range 5 {
		k := storage.VideoKey{VideoID: fmt.Sprintf("%s-%d", b.key.VideoID, i)}
		if i%2 == 1 {
			k.Account = "second"
		}
		one := &bundle{store: b.store, other: b.other, key: k, part: b.part}
		o := one.storeAsset(t, "video", "video.mp4", Bytes(uint64(40+i), 10))
		if i == 4 {
			continue // stored but not sealed: not archived
		}
		if err := b.store.Seal(t.Context(), one.manifest(o, storage.StateArchived)); err != nil {
			t.Fatal(err)
		}
		want[k.Dir()] = true
	}
	got := map[string]bool{}
	for m, err := range b.other.Manifests(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.VideoID, b.key.VideoID) {
			got[m.Key().Dir()] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("walked (-want +got):\n%s", diff)
	}
	for range b.other.Manifests(t.Context()) {
		break // a walk may be left at any time
	}
}

func testPresign(t *testing.T, b *bundle) {
	data := Bytes(50, 200)
	b.storeAsset(t, "video", "video.mp4", data)
	before := time.Now()
	link, expires, err := b.store.PresignGet(t.Context(), b.key, "video.mp4", storage.PresignOptions{
		TTL: time.Minute, Download: `Grüße "final".mp4`, ContentType: "video/x-test",
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := expires.Sub(before); d < 55*time.Second || d > 65*time.Second {
		t.Errorf("expires in %s, want a minute", d)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(got) != string(data) {
		t.Errorf("the link answers %s with %d bytes, %v", resp.Status, len(got), err)
	}
	if d := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") || !strings.Contains(d, "final") {
		t.Errorf("Content-Disposition %q", d)
	}
	if c := resp.Header.Get("Content-Type"); c != "video/x-test" {
		t.Errorf("Content-Type %q", c)
	}
	if _, _, err := b.store.PresignGet(t.Context(), b.key, "video.mp4", storage.PresignOptions{TTL: 169 * time.Hour}); err == nil {
		t.Error("a link of 169 hours was made; no store accepts it")
	}
}

func testNames(t *testing.T, b *bundle) {
	for _, k := range []storage.VideoKey{{VideoID: ""}, {VideoID: ".."}, {VideoID: "a/b"}, {VideoID: "a", Account: "../x"}, {VideoID: strings.Repeat("a", 129)}} {
		if _, err := b.store.Manifest(t.Context(), k); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Manifest(%v) = %v, want it refused", k, err)
		}
		if _, err := b.store.Upload(t.Context(), k, Spec("video", "video.mp4", nil)); err == nil {
			t.Errorf("Upload(%v) was taken", k)
		}
	}
	for _, name := range []string{"", "/video.mp4", "../video.mp4", "a/../../b", "a//b", ".upload/video.json", "manifest.json", "manifest.g1.json", "ä.mp4", "a b"} {
		if _, err := b.store.Stat(t.Context(), b.key, name); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Stat(%q) = %v, want it refused", name, err)
		}
		if err := b.store.Delete(t.Context(), b.key, name); err == nil {
			t.Errorf("Delete(%q) was taken", name)
		}
	}
}
