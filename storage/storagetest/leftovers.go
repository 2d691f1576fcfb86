package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
)

// testLeftovers: the next worker learns what a dead one has stored, with one question, and a manifest takes what it
// vouches for out of the answer.
func testLeftovers(t *testing.T, b *bundle) {
	none, err := b.leftovers(t, nil)
	if err != nil || len(none) > 0 {
		t.Fatalf("before anything: %v, %v", none, err)
	}
	picture, film := Bytes(61, 5000), Bytes(62, 3*b.part)
	small := b.storeAsset(t, "thumbnail", "thumbnail.jpeg", picture)
	dead := b.open(t, b.store, Spec("video", "video.mp4", film))
	b.putPart(t, dead, 1, film)

	left, err := b.leftovers(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]storage.Leftover{
		"thumbnail": {Name: "thumbnail.jpeg", Offset: 5000, Source: Spec("thumbnail", "", picture).Source, Object: &small},
		"video":     {Name: "video.mp4", PartSize: b.part, Offset: b.part, Source: Spec("video", "", film).Source},
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left by a dead worker (-want +got):\n%s", diff)
	}

	// An object that a worker completed and did not seal is the upload's, with nothing missing.
	PutMissing(t, dead, film)
	complete(t, dead, film)
	left, err = b.leftovers(t, nil)
	if err != nil || left["video"].Offset != int64(len(film)) {
		t.Errorf("completed and not sealed: %+v, %v", left["video"], err)
	}

	m := b.manifest(small, storage.StatePartial)
	if err := b.store.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	left, err = b.leftovers(t, m)
	if _, sealed := left["thumbnail"]; err != nil || sealed {
		t.Errorf("a sealed asset counts as left over: %v, %v", left, err)
	}
}

// leftovers is what another worker finds of the video.
func (b *bundle) leftovers(t *testing.T, sealed *storage.Manifest) (map[string]storage.Leftover, error) {
	t.Helper()
	folder, err := b.other.Folder(t.Context(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	return b.other.Leftovers(t.Context(), folder, sealed, 1)
}
