package storage_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

func keys(t *testing.T, s *storage.Store) []string {
	t.Helper()
	all, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// The store stumbles, or the worker dies, just when the manifest is to be written.
func TestASealThatFailsCostsNothing(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(1, 3*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	u := begin(t, s, spec)
	storagetest.PutMissing(t, u, data)
	m := sealable2(finish(t, u, data))
	refuse(p, 1, http.MethodPut, "/vid_1/manifest.json")
	if err := s.Seal(t.Context(), m); err == nil {
		t.Fatal("sealed; the test needs a seal that fails")
	}
	left, err := s.Leftovers(t.Context(), listFolder(t, s), nil, 1)
	if err != nil || left["video"].Offset != int64(len(data)) {
		t.Errorf("left: %+v, %v; want the whole video", left, err)
	}
	next := begin(t, s, spec)
	if n, _, _, ok := next.Next(); ok {
		t.Errorf("part %d is fetched again though the object is whole", n)
	}
	if err := s.Seal(t.Context(), sealable2(finish(t, next, data))); err != nil {
		t.Fatal(err)
	}
	if n := p.Count("GET", "/video.mp4", "x-id=GetObject"); n > 0 {
		t.Errorf("read back %d times", n)
	}
	if diff := cmp.Diff([]string{"vid_1/manifest.json", "vid_1/video.mp4"}, keys(t, s)); diff != "" {
		t.Errorf("in the store (-want +got):\n%s", diff)
	}
}

// A worker that is killed right behind the seal leaves a record. Whoever comes to the video again takes it away.
func TestARecordBehindASealIsHarmlessAndGoesLater(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(2, 3*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	m := sealable2(finish(t, u, data))
	refuse(p, 1, http.MethodDelete, "/vid_1/.upload/video.json")
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s); !slices.Contains(left, "vid_1/.upload/video.json") {
		t.Fatalf("in the store: %v; the test needs a record", left)
	}
	next := begin(t, s, storagetest.Spec("captioned_video", "g2/captioned_video.mp4", data))
	put(t, next, 1, data)
	for range 2 {
		if err := s.Tidy(t.Context(), listFolder(t, s), m); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"vid_1/.upload/captioned_video.json", "vid_1/manifest.json", "vid_1/video.mp4"}
	if diff := cmp.Diff(want, keys(t, s)); diff != "" {
		t.Errorf("in the store (-want +got):\n%s", diff)
	}
	if !next.UploadLives(t.Context()) {
		t.Error("what is on its way for the next generation was ended")
	}
}

// Another worker seals first. What this one has begun is of no use to anybody.
func TestTheLoserOfASealLeavesNoRecord(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	m := sealable(t, s)
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	data := storagetest.Bytes(3, 2*part)
	late := begin(t, s, storagetest.Spec("captioned_video", "captioned_video.mp4", data))
	put(t, late, 1, data)
	rival := *m
	rival.Video.Title = "theirs"
	if err := s.Seal(t.Context(), &rival); !errors.Is(err, storage.ErrExists) {
		t.Errorf("Seal = %v, want ErrExists", err)
	}
	if diff := cmp.Diff([]string{"vid_1/manifest.json", "vid_1/video.mp4"}, keys(t, s)); diff != "" {
		t.Errorf("in the store (-want +got):\n%s", diff)
	}
	if late.UploadLives(t.Context()) {
		t.Error("its parts stay and cost money")
	}
}

// A worker is frozen just before it seals. Until it wakes, another one has sealed the video, and the next generation has begun.
func TestTheLoserOfASealLeavesTheNextGenerationAlone(t *testing.T) {
	t.Parallel()
	frozen, p := broken(t)
	data := storagetest.Bytes(4, 3*part)
	u := begin(t, frozen, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	m := sealable2(finish(t, u, data))
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "/vid_1/manifest.json"), Times: 1, Before: func(*http.Request) {
		theirs := *m
		theirs.Video.Title = "theirs"
		if err := frozen.Seal(t.Context(), &theirs); err != nil {
			t.Errorf("the other worker: %v", err)
		}
		next := begin(t, frozen, storagetest.Spec("video", "g2/video.mp4", data))
		put(t, next, 1, data)
	}})
	if err := frozen.Seal(t.Context(), m); !errors.Is(err, storage.ErrExists) {
		t.Errorf("Seal = %v, want ErrExists", err)
	}
	if left := keys(t, frozen); !slices.Contains(left, "vid_1/.upload/video.json") {
		t.Errorf("in the store: %v; the record of the next generation is gone", left)
	}
	if again := begin(t, frozen, storagetest.Spec("video", "g2/video.mp4", data)); again.Stored() != part {
		t.Errorf("%d bytes of the next generation are taken over, want one part", again.Stored())
	}
}

// An abandoned second generation had kept the first before that was complete.
func TestBothManifestsOfAGenerationAreKept(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	m := sealable(t, s)
	m.State, m.Absent = storage.StatePartial, []storage.Absent{{Asset: "gif", Reason: storage.AbsentLate}}
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	partial := m.Bytes()
	if err := s.ArchiveGeneration(t.Context(), video, m); err != nil {
		t.Fatal(err)
	}
	m.State, m.Absent = storage.StateArchived, nil
	if err := s.Reseal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.ArchiveGeneration(t.Context(), video, m); err != nil {
			t.Fatal(err)
		}
	}
	var kept []string
	for _, key := range keys(t, s) {
		if strings.HasPrefix(key, "vid_1/manifest.g1.") {
			raw, err := s.Raw(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, string(raw))
		}
	}
	want := []string{string(m.Bytes()), string(partial)}
	slices.Sort(kept)
	slices.Sort(want)
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// What earlier generations hold is sealed: it is neither read nor does it hide what was stored of the next one.
func TestOnlyTheWantedGenerationIsLookedAt(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	var sealed *storage.Manifest
	for n, name := range []string{"video.mp4", "g2/video.mp4", "g3/video.mp4"} {
		data := storagetest.Bytes(uint64(n), 1000)
		u := begin(t, s, storagetest.Spec("video", name, data))
		put(t, u, 1, data)
		m := sealable2(finish(t, u, data))
		switch n {
		case 0:
			if err := s.Seal(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			sealed = m
		case 1:
			sealed.Generation, sealed.Assets = 2, m.Assets
			if err := s.Reseal(t.Context(), sealed); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := len(p.Seen())
	left, err := s.Leftovers(t.Context(), listFolder(t, s), sealed, 3)
	if err != nil || left["video"].Name != "g3/video.mp4" {
		t.Errorf("left: %+v, %v", left, err)
	}
	for _, line := range p.Seen()[before:] {
		if strings.Contains(line, "/vid_1/") && !strings.Contains(line, "/g3/") {
			t.Errorf("asked for %s", line)
		}
	}
}

func TestARecordThatCannotBeReadGoesOnlyWithItsUpload(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(5, 2*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	newer := begin(t, s, spec)
	put(t, newer, 1, data)
	const key = "vid_1/.upload/video.json"
	raw, err := s.Raw(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw = []byte(strings.Replace(string(raw), "reelkeep.upload/1", "reelkeep.upload/2", 1))
	for name, record := range map[string][]byte{"of a newer schema": raw, "cut": raw[:20]} {
		if err := s.Plant(context.WithoutCancel(t.Context()), key, record); err != nil {
			t.Fatal(err)
		}
		if left, err := s.Leftovers(t.Context(), listFolder(t, s), nil, 1); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
		if got, err := s.Raw(t.Context(), key); err != nil || string(got) != string(record) {
			t.Errorf("%s: a look has changed it: %q, %v", name, got, err)
		}
		if fmt.Sprint(keys(t, s)) != "["+key+"]" {
			t.Errorf("%s: in the store: %v", name, keys(t, s))
		}
		begin(t, s, spec)
		if newer.UploadLives(t.Context()) {
			t.Errorf("%s: the upload of which nobody knows any more stays and costs money", name)
		}
		if left := keys(t, s); len(left) > 0 {
			t.Errorf("%s: in the store: %v", name, left)
		}
		newer = begin(t, s, spec)
		put(t, newer, 1, data)
		if err := s.Uproot(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}
