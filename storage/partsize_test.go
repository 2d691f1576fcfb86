package storage_test

import (
	"errors"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// twoSizes are two workers of a fleet on the same bucket, the second with larger parts.
func twoSizes(t *testing.T) (small, large *storage.Store) {
	t.Helper()
	cfg := config(t)
	more := cfg
	more.PartSize = part + 1<<20
	return open(t, cfg), open(t, more)
}

// The source tells no length, so that every worker reads it from its start, in parts of its own size.
func TestAnotherPartSizeStartsAnUploadOfUnknownLengthAfresh(t *testing.T) {
	t.Parallel()
	small, large := twoSizes(t)
	for name, c := range map[string]struct{ before, after *storage.Store }{"larger": {small, large}, "smaller": {large, small}} {
		t.Run(name, func(t *testing.T) {
			data := storagetest.Bytes(1, 3*part)
			spec := storagetest.Spec("video", name+".mp4", data)
			spec.Size, spec.Source.Size = -1, -1
			old := begin(t, c.before, spec)
			put(t, old, 1, data)
			u := begin(t, c.after, spec)
			if want := partSize(t, c.after); u.PartSize() != want || u.Stored() != 0 {
				t.Errorf("%d bytes are taken over in parts of %d, want none and %d", u.Stored(), u.PartSize(), want)
			}
			if old.UploadLives(t.Context()) {
				t.Error("the upload in other parts stays and costs money")
			}
			for n := 1; int64(n-1)*u.PartSize() < int64(len(data)); n++ {
				put(t, u, n, data)
			}
			finish(t, u, data)
		})
	}
}

// A fleet is being deployed with another part size. The second to begin an upload must not write over the parts of the first.
func TestAWorkerWithAnotherPartSizeDoesNoHarm(t *testing.T) {
	t.Parallel()
	small, large := twoSizes(t)
	data := storagetest.Bytes(2, 3*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	second := begin(t, small, spec)
	first := begin(t, large, spec)
	put(t, first, 1, data)
	if err := second.Send(t.Context(), 1, data[:part]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Send = %v, want ErrUploadGone", err)
	}
	again := begin(t, small, spec)
	if again.PartSize() != first.PartSize() || again.Stored() != first.PartSize() {
		t.Errorf("%d bytes are taken over in parts of %d, want the part of %d", again.Stored(), again.PartSize(), first.PartSize())
	}
	put(t, first, 2, data)
	put(t, first, 3, data)
	finish(t, first, data)
}

// The memory was made smaller, and the parts with it. Nobody could ever read the parts that are missing of the old upload.
func TestAnUploadInPartsLargerThanTheMemoryStartsAfresh(t *testing.T) {
	t.Parallel()
	small, large := twoSizes(t)
	data := storagetest.Bytes(4, 3*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	old := begin(t, large, spec)
	put(t, old, 1, data)
	spec.MaxPart = old.PartSize()
	if u := begin(t, small, spec); u.Stored() != old.PartSize() {
		t.Errorf("%d bytes are taken over though there is room for such parts", u.Stored())
	}
	spec.MaxPart--
	if u := begin(t, large, spec); u.Stored() != old.PartSize() {
		t.Errorf("%d bytes are taken over though new parts would be as large", u.Stored())
	}
	u := begin(t, small, spec)
	if u.PartSize() != partSize(t, small) || u.Stored() != 0 {
		t.Errorf("%d bytes are taken over in parts of %d", u.Stored(), u.PartSize())
	}
	if old.UploadLives(t.Context()) {
		t.Error("the old upload stays and costs money")
	}
	storagetest.PutMissing(t, u, data)
	finish(t, u, data)
}

// Somebody has written a part of another size over ours. Nothing shorter than what was put is made of the rest.
func TestALostPartIsNotLeftOut(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	data := storagetest.Bytes(3, 2*part+100)
	spec := storagetest.Spec("video", "video.mp4", data)
	spec.Size, spec.Source.Size = -1, -1
	u, rival := begin(t, s, spec), begin(t, s, spec)
	for n := 1; n <= 3; n++ {
		put(t, u, n, data)
	}
	put(t, rival, 3, data[:2*part+50]) // it joins, and its answer ended sooner
	if o, err := u.Complete(t.Context()); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Complete = %+v, %v; want ErrUploadGone", o, err)
	}
	next := begin(t, s, spec)
	put(t, next, 3, data)
	finish(t, next, data)
}

func TestNoPartSizeForWhatS3DoesNotTake(t *testing.T) {
	t.Parallel()
	if n, err := open(t, config(t)).PartSize(48<<40 + 10_000<<30); err == nil {
		t.Errorf("parts of %d bytes", n)
	}
}
