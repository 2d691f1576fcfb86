package storage_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

func TestUploadWhoseRecordIsLostStartsAfresh(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(1, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	if err := s.Uproot(t.Context(), "vid_1/.upload/video.json"); err != nil {
		t.Fatal(err)
	}
	next := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if next.Resumed() {
		t.Error("resumed without a record")
	}
	storagetest.PutMissing(t, next, data)
	finish(t, next, data)
}

func TestUploadThatTheStoreCleanedUpStartsAfresh(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(2, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	if err := u.KillUpload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := u.Put(t.Context(), 2, data[part:]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Put = %v, want ErrUploadGone", err)
	}
	next := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if next.Resumed() {
		t.Error("an upload that is gone was resumed")
	}
	if diff := cmp.Diff([]int{1, 2}, storagetest.PutMissing(t, next, data)); diff != "" {
		t.Error(diff)
	}
	finish(t, next, data)
}

func TestDamagedRecordStartsAfresh(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	if _, err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"", "{", "null", `{"schema":"reelkeep.upload/9"}`} {
		if err := s.Plant(t.Context(), "vid_1/.upload/video.json", []byte(raw)); err != nil {
			t.Fatal(err)
		}
		data := storagetest.Bytes(3, 2*part)
		u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
		if u.Resumed() {
			t.Errorf("record %q was resumed", raw)
		}
	}
}

func TestReplacedUploadIsAborted(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	old, data := storagetest.Bytes(4, 2*part), storagetest.Bytes(5, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", old))
	put(t, u, 1, old)
	if !u.UploadLives(t.Context()) {
		t.Fatal("the upload is not there")
	}
	begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if u.UploadLives(t.Context()) {
		t.Error("the parts of the old version stay and cost money")
	}
}

func TestSealingLeavesNoUploadAndNoRecord(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(6, 2*part)
	begun := begin(t, s, storagetest.Spec("captioned_video", "captioned_video.mp4", data))
	put(t, begun, 1, data)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	m := sealable2(finish(t, u, data))
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if diff := cmp.Diff([]string{"vid_1/manifest.json", "vid_1/video.mp4"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if begun.UploadLives(t.Context()) {
		t.Error("an upload outlived the seal")
	}
}

func sealable2(o storage.Object) *storage.Manifest {
	return &storage.Manifest{
		VideoID: video.VideoID, Generation: 1, State: storage.StateArchived, Assets: []storage.Asset{storagetest.AssetOf("video", o)},
	}
}

func TestPartSentTwiceWithOtherBytesIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	first, data := storagetest.Bytes(7, 2*part), storagetest.Bytes(8, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, first)
	put(t, u, 1, data) // the same upload, other bytes: the hash of the first is worth nothing
	put(t, u, 2, data)
	finish(t, u, data)
}

func TestUnknownLengthOverSeveralPartsResumes(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	size := partSize(t, s)
	data := storagetest.Bytes(9, size+5)
	spec := storagetest.Spec("video", "video.mp4", data)
	spec.Size, spec.Source.Size = -1, -1
	u := begin(t, s, spec)
	put(t, u, 1, data)

	next := begin(t, s, spec)
	if n, off, most, ok := next.Next(); n != 2 || off != size || most != size || !ok {
		t.Fatalf("Next = %d, %d, %d, %t; want part 2", n, off, most, ok)
	}
	put(t, next, 2, data)
	if n, _, _, ok := next.Next(); ok {
		t.Errorf("part %d is asked for behind the end", n)
	}
	finish(t, next, data)
}

func TestUnknownLengthThatEndsWithAFullPart(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(10, partSize(t, s))
	spec := storagetest.Spec("video", "video.mp4", data)
	spec.Size, spec.Source.Size = -1, -1
	u := begin(t, s, spec)
	put(t, u, 1, data)
	if err := u.Put(t.Context(), 2, nil); err != nil {
		t.Errorf("an empty part behind the end: %v", err)
	}
	finish(t, u, data)
}

func TestDamagedManifestIsNamedAndTheWalkGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	m := sealable(t, s)
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{
		"vid_0/manifest.json":          "{half",
		"@second/x/manifest.json":      `{"schema":"reelkeep.manifest/2"}`,
		"not a video/manifest.json":    "ignored",
		"notes.txt":                    "ignored",
		"rendering/.upload/video.json": "not sealed",
	} {
		if err := s.Plant(t.Context(), key, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := s.Raw(t.Context(), "vid_1/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Plant(t.Context(), "vid_2/manifest.json", raw); err != nil { // copied by hand
		t.Fatal(err)
	}
	var good, bad []string
	for m, err := range s.Manifests(t.Context()) {
		if err != nil {
			var d *storage.DamagedError
			if !errors.As(err, &d) {
				t.Fatal(err)
			}
			bad = append(bad, strings.TrimPrefix(d.Key, "some/prefix/"))
			continue
		}
		good = append(good, m.VideoID)
	}
	slices.Sort(bad)
	if diff := cmp.Diff([]string{"@second/x/manifest.json", "vid_0/manifest.json", "vid_2/manifest.json"}, bad); diff != "" {
		t.Errorf("damaged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vid_1"}, good); diff != "" {
		t.Errorf("good (-want +got):\n%s", diff)
	}
}

func TestOldManifestIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	if err := s.Seal(t.Context(), sealable(t, s)); err != nil {
		t.Fatal(err)
	}
	raw, err := s.Raw(t.Context(), "vid_1/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	// A field of a newer reelkeep must not get lost on the way.
	raw = bytes.Replace(raw, []byte(`"state"`), []byte(`"added_later": 1, "state"`), 1)
	if err := s.Plant(t.Context(), "vid_1/manifest.json", raw); err != nil {
		t.Fatal(err)
	}
	m, err := s.Manifest(t.Context(), video)
	if err != nil {
		t.Fatal(err)
	}
	m.Generation, m.Video.Title = 2, "new"
	if err := s.ArchiveGeneration(t.Context(), video, m); err != nil {
		t.Fatal(err)
	}
	kept, err := s.Raw(t.Context(), "vid_1/manifest.g1.json")
	if err != nil || !bytes.Equal(kept, raw) {
		t.Errorf("kept %q, %v; want %q", kept, err, raw)
	}
	if err := s.ArchiveGeneration(t.Context(), video, sealable2(storage.Object{Key: "video.mp4"})); err == nil {
		t.Error("a manifest that was never read was kept")
	}
}

func TestLeftoversTellWhatADeadWorkerStored(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data, small := storagetest.Bytes(11, 3*part), storagetest.Bytes(12, 700)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	put(t, u, 2, data)
	spec := storagetest.Spec("gif", "preview.gif", small)
	spec.Source = storage.Validator{ETag: `"ü%+"`, LastModified: "Mon, 23 Nov 2026 10:00:00 GMT", Size: 700}
	g := begin(t, s, spec)
	put(t, g, 1, small)
	o := finish(t, g, small)

	got, err := s.Leftovers(t.Context(), listFolder(t, s), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]storage.Leftover{
		"video": {Name: "video.mp4", Source: storagetest.Spec("video", "video.mp4", data).Source, PartSize: part, Offset: 2 * part},
		"gif":   {Name: "preview.gif", Source: spec.Source, Offset: 700, Object: &o},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
	sealed := sealable2(o)
	sealed.Assets[0].Key = "preview.gif"
	if got, err := s.Leftovers(t.Context(), listFolder(t, s), sealed); err != nil || len(got) != 1 {
		t.Errorf("beside a manifest: %v, %v; want only the video", got, err)
	}
}

func TestAnAbsurdlyLongETagOfTheSourceIsStoredAround(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(13, 50)
	spec := storagetest.Spec("gif", "preview.gif", data)
	spec.Source.ETag = strings.Repeat("e", 5000)
	u := begin(t, s, spec)
	put(t, u, 1, data)
	finish(t, u, data)
}

// partSize is the one of an asset whose length is not known.
func partSize(t *testing.T, s *storage.Store) int64 {
	t.Helper()
	n, err := s.PartSize(-1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
