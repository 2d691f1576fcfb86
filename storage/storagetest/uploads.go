package storagetest

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
)

func testSmallAsset(t *testing.T, b *bundle) {
	data := Bytes(1, 1234)
	o := b.storeAsset(t, "thumbnail", "thumbnail.jpeg", data)
	b.mustHold(t, "thumbnail.jpeg", data)
	got, err := b.other.Stat(t.Context(), b.key, "thumbnail.jpeg")
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != o.Size || got.ETag != o.ETag || got.ContentType != "video/mp4" {
		t.Errorf("Stat = %+v, want what Complete returned: %+v", got, o)
	}
	if _, err := b.store.Stat(t.Context(), b.key, "preview.gif"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Stat of nothing = %v, want ErrNotFound", err)
	}
}

func testEmptyAsset(t *testing.T, b *bundle) {
	o := b.storeAsset(t, "captions", "captions.srt", []byte{})
	if o.Size != 0 {
		t.Errorf("size %d", o.Size)
	}
	b.mustHold(t, "captions.srt", []byte{})
}

func testLargeAsset(t *testing.T, b *bundle) {
	data := Bytes(2, 2*b.part+77)
	u := b.open(t, b.store, Spec("video", "video.mp4", data))
	if u.Parts() != 3 || u.PartSize() != b.part || u.Resumed() {
		t.Fatalf("parts %d of %d, resumed %t", u.Parts(), u.PartSize(), u.Resumed())
	}
	if diff := cmp.Diff([]int{1, 2, 3}, PutMissing(t, u, data)); diff != "" {
		t.Errorf("parts asked for (-want +got):\n%s", diff)
	}
	first := complete(t, u, data)
	again := complete(t, u, data)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("Complete twice differs:\n%s", diff)
	}
	b.mustHold(t, "video.mp4", data)
}

func testUnknownLength(t *testing.T, b *bundle) {
	data := Bytes(3, 3000)
	spec := Spec("video", "video.mp4", data)
	spec.Size, spec.Source.Size = -1, -1
	u := b.open(t, b.store, spec)
	if u.Parts() != 0 {
		t.Errorf("Parts() = %d while the total is not known", u.Parts())
	}
	if diff := cmp.Diff([]int{1}, PutMissing(t, u, data)); diff != "" {
		t.Errorf("parts asked for (-want +got):\n%s", diff)
	}
	complete(t, u, data)
	b.mustHold(t, "video.mp4", data)
}

func testRanges(t *testing.T, b *bundle) {
	data := Bytes(4, 5000)
	b.storeAsset(t, "video", "video.mp4", data)
	for _, r := range [][2]int64{{0, 1}, {0, 5000}, {4999, 1}, {100, 4900}, {17, 0}} {
		body, err := b.store.Open(t.Context(), b.key, "video.mp4", r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data[r[0]:r[0]+r[1]]) {
			t.Errorf("range %v differs", r)
		}
	}
	if body, err := b.store.Open(t.Context(), b.key, "video.mp4", 4000, 5000); err == nil {
		body.Close()
		t.Error("a range beyond the end was read without an error")
	}
	at := b.store.ReaderAt(t.Context(), b.key, "video.mp4", 5000)
	buf := make([]byte, 100)
	if n, err := at.ReadAt(buf, 4950); n != 50 || !errors.Is(err, io.EOF) || !bytes.Equal(buf[:n], data[4950:]) {
		t.Errorf("ReadAt over the end = %d, %v", n, err)
	}
	if n, err := at.ReadAt(buf, 5000); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt behind the end = %d, %v", n, err)
	}
}

func testResume(t *testing.T, b *bundle) {
	data := Bytes(5, 3*b.part+9)
	dead := b.open(t, b.store, Spec("video", "video.mp4", data))
	b.putPart(t, dead, 1, data)
	b.putPart(t, dead, 2, data)

	u := b.open(t, b.other, Spec("video", "video.mp4", data))
	if !u.Resumed() || u.Stored() != 2*b.part {
		t.Fatalf("resumed %t with %d bytes, want two parts of the other worker", u.Resumed(), u.Stored())
	}
	if diff := cmp.Diff([]int{3, 4}, PutMissing(t, u, data)); diff != "" {
		t.Errorf("parts asked for (-want +got):\n%s", diff)
	}
	complete(t, u, data)
	b.mustHold(t, "video.mp4", data)
}

func testGap(t *testing.T, b *bundle) {
	data := Bytes(6, 3*b.part)
	dead := b.open(t, b.store, Spec("video", "video.mp4", data))
	b.putPart(t, dead, 1, data)
	b.putPart(t, dead, 3, data)

	u := b.open(t, b.other, Spec("video", "video.mp4", data))
	if diff := cmp.Diff([]storage.Part{{Number: 2, Offset: b.part, Size: b.part}}, u.Missing()); diff != "" {
		t.Errorf("missing parts (-want +got):\n%s", diff)
	}
	PutMissing(t, u, data)
	complete(t, u, data)
	b.mustHold(t, "video.mp4", data)
}

func testAborted(t *testing.T, b *bundle) {
	data := Bytes(7, 2*b.part)
	stale := b.open(t, b.store, Spec("video", "video.mp4", data))
	b.putPart(t, stale, 1, data)
	if err := b.open(t, b.other, Spec("video", "video.mp4", data)).Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stale.Put(t.Context(), 2, data[b.part:]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Put into an aborted upload = %v, want ErrUploadGone", err)
	}
	u := b.open(t, b.store, Spec("video", "video.mp4", data))
	if u.Resumed() {
		t.Error("an aborted upload was resumed")
	}
	PutMissing(t, u, data)
	complete(t, u, data)
}

func testChangedSource(t *testing.T, b *bundle) {
	old, data := Bytes(8, 2*b.part), Bytes(9, 2*b.part)
	stale := b.open(t, b.store, Spec("video", "video.mp4", old))
	b.putPart(t, stale, 1, old)

	u := b.open(t, b.other, Spec("video", "video.mp4", data))
	if u.Resumed() {
		t.Fatal("parts of another version were taken over")
	}
	PutMissing(t, u, data)
	if err := stale.Put(t.Context(), 2, old[b.part:]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("the stale worker's Put = %v, want ErrUploadGone", err)
	}
	complete(t, u, data)
	b.mustHold(t, "video.mp4", data)
}

func testNoValidator(t *testing.T, b *bundle) {
	data := Bytes(10, 2*b.part)
	spec := Spec("video", "video.mp4", data)
	spec.Source.ETag = ""
	b.putPart(t, b.open(t, b.store, spec), 1, data)
	if u := b.open(t, b.other, spec); u.Resumed() {
		t.Error("parts were taken over although nothing tells their version")
	}
}

func testShared(t *testing.T, b *bundle) {
	data := Bytes(11, 3*b.part-1)
	spec := Spec("video", "video.mp4", data)
	one, two := b.open(t, b.store, spec), b.open(t, b.other, spec)
	b.putPart(t, one, 1, data)
	b.putPart(t, two, 1, data)
	b.putPart(t, two, 2, data)
	b.putPart(t, one, 2, data)
	b.putPart(t, one, 3, data)
	b.putPart(t, two, 3, data)
	first := complete(t, one, data)
	if second := complete(t, two, data); second.ETag != first.ETag {
		t.Errorf("the two made two objects: %s and %s", first.ETag, second.ETag)
	}
	b.mustHold(t, "video.mp4", data)
}

func testAdopted(t *testing.T, b *bundle) {
	data := Bytes(12, 2*b.part+5)
	first := b.storeAsset(t, "video", "video.mp4", data)
	u := b.open(t, b.other, Spec("video", "video.mp4", data))
	if part, _, _, ok := u.Next(); ok {
		t.Errorf("part %d is asked for although the object is there", part)
	}
	if !u.Resumed() || u.Stored() != int64(len(data)) {
		t.Errorf("resumed %t, stored %d", u.Resumed(), u.Stored())
	}
	if second := complete(t, u, data); second.ETag != first.ETag {
		t.Errorf("ETag %s, want the first worker's %s", second.ETag, first.ETag)
	}
}

func testIncomplete(t *testing.T, b *bundle) {
	data := Bytes(13, 2*b.part)
	u := b.open(t, b.store, Spec("video", "video.mp4", data))
	if _, err := u.Complete(t.Context()); err == nil {
		t.Error("an upload without parts was completed")
	}
	b.putPart(t, u, 2, data)
	if _, err := u.Complete(t.Context()); err == nil {
		t.Error("an upload without its first part was completed")
	}
	if _, err := b.store.Stat(t.Context(), b.key, "video.mp4"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Stat = %v, want ErrNotFound", err)
	}
	if err := u.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}

func testWrongSizes(t *testing.T, b *bundle) {
	data := Bytes(14, 2*b.part+10)
	u := b.open(t, b.store, Spec("video", "video.mp4", data))
	for _, c := range []struct {
		part int
		n    int64
	}{{1, b.part - 1}, {1, b.part + 1}, {3, 9}, {3, 11}, {4, 1}, {0, b.part}, {-1, 1}} {
		if err := u.Put(t.Context(), c.part, make([]byte, c.n)); err == nil {
			t.Errorf("part %d with %d bytes was taken", c.part, c.n)
		}
	}
	small := b.open(t, b.store, Spec("gif", "preview.gif", data[:100]))
	if err := small.Put(t.Context(), 1, data[:99]); err == nil {
		t.Error("a short single part was taken")
	}
}
