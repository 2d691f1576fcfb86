package media_test

import (
	"bytes"
	"slices"
	"testing"
)

func TestPicturesWithSomethingBehindThemPass(t *testing.T) {
	t.Parallel()
	for name, w := range wholes() {
		if w.asset != "thumbnail" && w.asset != "gif" {
			continue
		}
		if err := verify(t, w.asset, slices.Concat(load(t, name), make([]byte, 100)), 0); err != nil {
			t.Errorf("%s with zeros behind: %v", name, err)
		}
	}
	if err := verify(t, "thumbnail", slices.Concat(load(t, "picture.jpeg"), []byte("written by a camera")), 0); err != nil {
		t.Errorf("a JPEG with a remark behind: %v", err)
	}
}

func TestAPictureInsideThePictureDoesNotCount(t *testing.T) {
	t.Parallel()
	// Cameras keep a small JPEG with its own end marker in the header of the large one.
	whole := load(t, "picture.jpeg")
	exif := slices.Concat([]byte{0xff, 0xe1, byte((len(whole) + 2) >> 8), byte(len(whole) + 2)}, whole)
	b := slices.Concat(whole[:2], exif, whole[2:])
	if err := verify(t, "thumbnail", b, 0); err != nil {
		t.Fatalf("whole: %v", err)
	}
	wantDamage(t, verify(t, "thumbnail", b[:len(b)-200], 0), "no end marker")
}

func TestBrokenPicturesAreNamed(t *testing.T) {
	t.Parallel()
	jpeg := load(t, "picture.jpeg")
	scan := bytes.Index(jpeg, []byte{0xff, 0xda})
	for name, c := range map[string]struct {
		asset string
		b     []byte
		word  string
	}{
		"a JPEG without a picture":      {"thumbnail", slices.Concat(jpeg[:scan], []byte{0xff, 0xd9, 0, 0}), "before the picture"},
		"a JPEG with a lost segment":    {"thumbnail", slices.Concat(jpeg[:scan], []byte("junk"), jpeg[scan:]), "no segment"},
		"a JPEG with a segment too big": {"thumbnail", slices.Concat(jpeg[:2], []byte{0xff, 0xe1, 0xff, 0xff}, jpeg[2:]), "inside of the segment"},
		"a WebP of no size":             {"thumbnail", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), "its header speaks of"},
		"a GIF of a header":             {"gif", []byte("GIF89a\x01\x00\x01\x00\x00;"), "no trailer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantDamage(t, verify(t, c.asset, c.b, 0), c.word)
		})
	}
	filled := slices.Concat(jpeg[:2], bytes.Repeat([]byte{0xff}, 50), jpeg[2:])
	if err := verify(t, "thumbnail", filled, 0); err != nil {
		t.Errorf("fill bytes before a marker are legal: %v", err)
	}
}
