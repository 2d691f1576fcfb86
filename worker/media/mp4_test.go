package media_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

func box(name string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), []byte(name), body)
}

// split takes an MP4 apart into its boxes at the top level.
func split(b []byte) map[string][]byte {
	found := map[string][]byte{}
	for off := 0; off+8 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[off:]))
		found[string(b[off+4:off+8])] = b[off : off+n]
		off += n
	}
	return found
}

// patch changes four bytes at a place behind the first mark.
func patch(b []byte, mark string, at int, v uint32) []byte {
	other := slices.Clone(b)
	i := bytes.Index(other, []byte(mark)) + len(mark) + at
	binary.BigEndian.PutUint32(other[i:], v)
	return other
}

func TestAnOpenEndedMediaBoxIsCheckedByTheIndex(t *testing.T) {
	t.Parallel()
	// "Up to the end of the file" is a size that a cut file has as well. Only the index knows better.
	b := patch(load(t, "index_first.mp4"), "free", 0, 0) // the size of the mdat that follows
	at := bytes.Index(b, []byte("mdat")) - 4
	if binary.BigEndian.Uint32(b[at:]) != 0 {
		t.Fatal("the patch didn't meet the mdat box")
	}
	if err := verify(t, "video", b, 2); err != nil {
		t.Fatalf("whole: %v", err)
	}
	for n := at + 9; n < len(b); n++ {
		if err := verify(t, "video", b[:n], 2); err == nil {
			t.Fatalf("cut at byte %d of %d: nobody noticed", n, len(b))
		}
	}
}

func TestOddButHealthyVideosPass(t *testing.T) {
	t.Parallel()
	whole := load(t, "index_last.mp4")
	parts := split(whole)
	large := slices.Concat(binary.BigEndian.AppendUint32(nil, 1), []byte("free"), binary.BigEndian.AppendUint64(nil, 16+5), make([]byte, 5))
	for name, b := range map[string][]byte{
		"a box nobody knows behind":      slices.Concat(whole, box("zzzz", []byte("whatever"))),
		"a box with a copyright sign":    slices.Concat(whole, box("\xa9abc")),
		"a free box with a 64-bit size":  slices.Concat(whole, large),
		"zeros at the end":               slices.Concat(whole, make([]byte, 100)),
		"three zeros at the end":         slices.Concat(whole, make([]byte, 3)),
		"two media boxes":                slices.Concat(whole, box("mdat", []byte("more"))),
		"an odd metadata box":            slices.Concat(whole[:len(whole)-len(parts["moov"])], box("moov", parts["moov"][8:], box("meta", []byte("\xff\xff\xff\xffjunk")))),
		"an index that ends in zeros":    slices.Concat(whole[:len(whole)-len(parts["moov"])], box("moov", parts["moov"][8:], make([]byte, 4))),
		"an index of nothing":            slices.Concat(parts["ftyp"], box("moov"), parts["mdat"]),
		"only sound":                     load(t, "sound_only.mp4"),
		"an unknown duration":            patch(whole, "mvhd", 16, 0xffffffff),
		"a duration of zero in the head": patch(whole, "mvhd", 16, 0),
	} {
		if err := verify(t, "video", b, 2); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenVideosAreNamed(t *testing.T) {
	t.Parallel()
	whole := load(t, "index_last.mp4")
	parts := split(whole)
	for name, c := range map[string]struct {
		b    []byte
		word string
	}{
		"no index":                   {slices.Concat(parts["ftyp"], parts["mdat"]), "no index"},
		"no media data":              {slices.Concat(parts["ftyp"], parts["moov"]), "no media data"},
		"two indexes":                {slices.Concat(whole, parts["moov"]), "two indexes"},
		"fragments without any":      {box0(parts, box("mvex")), "no picture"},
		"zeros in place of the rest": {slices.Concat(parts["ftyp"], make([]byte, 5000)), "only zeros"},
		"junk behind a box":          {slices.Concat(whole, []byte("\x00\x00\x00\x10\x01\x02\x03\x04 no box ")), "no box at byte"},
		"half a header at the end":   {slices.Concat(whole, []byte("junk")), "inside of a box header"},
		"a box below its header":     {slices.Concat(whole, []byte("\x00\x00\x00\x07free")), "shorter than its header"},
		"a 64-bit size beyond all":   {slices.Concat(whole, []byte("\x00\x00\x00\x01free\xff\xff\xff\xff\xff\xff\xff\xff")), "only 16 are there"},
		"a 64-bit size below 16":     {slices.Concat(whole, []byte("\x00\x00\x00\x01free\x00\x00\x00\x00\x00\x00\x00\x0f")), "shorter than its header"},
		"a chunk behind the end":     {patch(whole, "stco", 8, 0xfffffff0), "behind the end"},
		"a chunk table cut off":      {patch(whole, "stco", 4, 0xffffffff), "table of chunks is cut off"},
		"a sample table cut off":     {patch(whole, "stsz", 8, 0xffffffff), "table of samples is cut off"},
		"a sample larger than all":   {patch(whole, "stsz", 12, 0x7fffffff), "bytes of media data"},
		"uniform samples too many":   {patch(patch(whole, "stsz", 4, 0xffffffff), "stsz", 8, 0xffffffff), "bytes of media data"},
		"an index inside out":        {patch(whole, "trak", 0, 0x7fffffff), "not readable"},
		"a movie header cut off":     {slices.Concat(parts["ftyp"], parts["mdat"], box("moov", box("mvhd", make([]byte, 5)))), "not readable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantDamage(t, verify(t, "video", c.b, 2), c.word)
		})
	}
}

// box0 is an MP4 whose index has no samples and one box more.
func box0(parts map[string][]byte, extra []byte) []byte {
	moov := patch(parts["moov"], "stco", 4, 0)
	// Both tracks have a table of chunks; empty the second as well.
	i := bytes.LastIndex(moov, []byte("stco"))
	binary.BigEndian.PutUint32(moov[i+8:], 0)
	return slices.Concat(parts["ftyp"], box("moov", moov[8:], extra), parts["mdat"])
}
