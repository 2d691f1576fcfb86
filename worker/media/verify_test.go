package media_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/media"
)

// wholes are the files of testdata that are what they should be, and how long they play.
func wholes() map[string]struct {
	asset   string
	seconds float64
} {
	return map[string]struct {
		asset   string
		seconds float64
	}{
		"index_first.mp4": {"video", 2},
		"index_last.mp4":  {"captioned_video", 2},
		"fragmented.mp4":  {"video", 0},
		"quicktime.mov":   {"video", 2},
		"video.webm":      {"video", 2},
		"live.webm":       {"video", 0},
		"picture.jpeg":    {"thumbnail", 0},
		"picture.png":     {"thumbnail", 0},
		"picture.webp":    {"thumbnail", 0},
		"animation.gif":   {"gif", 0},
	}
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verify(t testing.TB, asset string, b []byte, seconds float64) error {
	t.Helper()
	return media.Verify(t.Context(), asset, bytes.NewReader(b), int64(len(b)), seconds)
}

func wantDamage(t *testing.T, err error, word string) {
	t.Helper()
	var damaged *media.DamagedError
	if !errors.As(err, &damaged) {
		t.Fatalf("Verify = %v, want a *DamagedError", err)
	}
	if !strings.Contains(err.Error(), word) {
		t.Errorf("Verify = %q, want it to speak of %q", err, word)
	}
	if damaged.Hint() == "" {
		t.Error("the error doesn't say what to do")
	}
}

func TestWholeFilesPass(t *testing.T) {
	t.Parallel()
	for name, w := range wholes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := verify(t, w.asset, load(t, name), w.seconds); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFileCutAtAnyByteIsFound(t *testing.T) {
	t.Parallel()
	for name, w := range wholes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := load(t, name)
			// Formats made for live use may end after any complete piece. Nobody can tell.
			open := map[int]bool{}
			switch name {
			case "fragmented.mp4":
				open = boundaries(b)
			case "live.webm":
				b = b[:bytes.Index(b, []byte("\x1f\x43\xb6\x75"))]
			}
			for n := range b {
				err := verify(t, w.asset, b[:n], 0)
				var wrong *media.WrongTypeError
				var damaged *media.DamagedError
				if !errors.As(err, &wrong) && !errors.As(err, &damaged) && !open[n] {
					t.Fatalf("cut at byte %d of %d: Verify = %v", n, len(b), err)
				}
			}
		})
	}
}

// boundaries are the places between the boxes of an MP4.
func boundaries(b []byte) map[int]bool {
	found := map[int]bool{}
	for off := 0; off+8 <= len(b); {
		off += int(binary.BigEndian.Uint32(b[off:]))
		for zeros := range 4 { // the next size begins with zeros, and those may be padding
			found[off+zeros] = true
		}
	}
	return found
}

func TestAFileShorterThanAnnouncedIsFound(t *testing.T) {
	t.Parallel()
	for name, w := range wholes() {
		if name == "index_first.mp4" {
			continue // its last byte is media data, which is not read; the store's own size stands for it
		}
		b := load(t, name)
		err := media.Verify(t.Context(), w.asset, bytes.NewReader(b[:len(b)-1]), int64(len(b)), 0)
		if err == nil {
			t.Errorf("%s: one byte is missing and nobody noticed", name)
		}
	}
}

func TestAnHTMLPageIsNoAsset(t *testing.T) {
	t.Parallel()
	page := []byte("<!DOCTYPE html><html><body>Sign in</body></html>")
	for _, asset := range []string{"video", "thumbnail", "gif", "captions", "captioned_video"} {
		var wrong *media.WrongTypeError
		if err := verify(t, asset, page, 0); !errors.As(err, &wrong) || wrong.Got != "an HTML page" {
			t.Errorf("%s: Verify = %v, want an HTML page refused", asset, err)
		}
		if err := verify(t, asset, nil, 0); !errors.As(err, &wrong) || wrong.Got != "an empty file" {
			t.Errorf("%s: Verify = %v, want an empty file refused", asset, err)
		}
	}
}

func TestTheSimulatorsMediaPass(t *testing.T) {
	t.Parallel()
	sim := simulator(t)
	for _, v := range heygensim.Sample() {
		sim.Add(v)
		for asset := range v.Assets {
			r, size := sim.Open(v.ID, asset)
			if err := media.Verify(t.Context(), asset, r, size, v.Duration); err != nil {
				t.Errorf("%s: %v", v.Title, err)
			}
		}
	}
}

func TestMadeUpVideosOfAnySizePass(t *testing.T) {
	t.Parallel()
	sim := simulator(t)
	for _, size := range []int64{heygensim.MinSize, heygensim.MinSize + 1, 99_999, 8 << 20, 5<<20 + 1, 3 << 30, 5 << 30, 1 << 40} {
		sim.Add(heygensim.Video{ID: "v", Assets: map[string]heygensim.Asset{"video": {Size: size}}})
		r, got := sim.Open("v", "video")
		counted := &counter{ReaderAt: r}
		if err := media.Verify(t.Context(), "video", counted, got, 0); err != nil || got != size {
			t.Errorf("a video of %d bytes: Verify = %v, size %d", size, err, got)
		}
		// Each read is a request to the store.
		if counted.reads > 3 || counted.bytes > 16<<10 {
			t.Errorf("a video of %d bytes took %d reads of %d bytes", size, counted.reads, counted.bytes)
		}
	}
}

func simulator(t *testing.T) *heygensim.Sim {
	t.Helper()
	sim, err := heygensim.New(heygensim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

type counter struct {
	io.ReaderAt
	reads, bytes int
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.reads, c.bytes = c.reads+1, c.bytes+len(p)
	return c.ReaderAt.ReadAt(p, off)
}

func TestTheIndexAtTheEndCostsFewReads(t *testing.T) {
	t.Parallel()
	// As a camera writes it: 50 MB of media data, then the index.
	b := load(t, "index_last.mp4")
	at := bytes.Index(b, []byte("mdat")) - 4
	const more = 50 << 20
	big := slices.Concat(b[:at], binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(b[at:])+more), b[at+4:at+8],
		make([]byte, more), b[at+8:])
	c := &counter{ReaderAt: bytes.NewReader(big)}
	if err := media.Verify(t.Context(), "video", c, int64(len(big)), 2); err != nil {
		t.Fatal(err)
	}
	if c.reads > 3 {
		t.Errorf("took %d reads", c.reads)
	}
}

func TestTheDurationMustBeNearWhatHeyGenSays(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"index_first.mp4", "video.webm"} {
		b := load(t, name)
		for _, near := range []float64{0, 2, 3.9, 0.1} {
			if err := verify(t, "video", b, near); err != nil {
				t.Errorf("%s plays 2 s where HeyGen says %v: %v", name, near, err)
			}
		}
		for _, far := range []float64{4.5, 42.5, 3600} {
			var odd *media.DurationError
			if err := verify(t, "video", b, far); !errors.As(err, &odd) || odd.Says != far || !strings.Contains(err.Error(), "2.0 s where HeyGen says") {
				t.Errorf("%s where HeyGen says %v: %v", name, far, err)
			}
		}
	}
}

func TestAStoreOutOfReachIsNotADamagedFile(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	b := load(t, "index_last.mp4")
	for healthy := range 2 {
		r := &flaky{r: bytes.NewReader(b), left: healthy, err: down}
		err := media.Verify(t.Context(), "video", r, int64(len(b))+1<<20, 0)
		var damaged *media.DamagedError
		var wrong *media.WrongTypeError
		if !errors.Is(err, down) || errors.As(err, &damaged) || errors.As(err, &wrong) {
			t.Errorf("after %d reads: Verify = %v, want the reader's own error", healthy, err)
		}
		b = append(slices.Clone(split(b)["ftyp"]), box("free", make([]byte, 64<<10))...)
	}
}

// flaky fails after some reads.
type flaky struct {
	r    io.ReaderAt
	left int
	err  error
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	f.left--
	return f.r.ReadAt(p, off)
}

func TestACancelledVerifySaysWhy(t *testing.T) {
	t.Parallel()
	why := errors.New("the worker drains")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	b := load(t, "index_first.mp4")
	if err := media.Verify(ctx, "video", bytes.NewReader(b), int64(len(b)), 0); !errors.Is(err, why) {
		t.Errorf("Verify = %v, want the cause", err)
	}
}

func TestAFileInMillionsOfPiecesEndsInTime(t *testing.T) {
	t.Parallel()
	started := time.Now()
	// A terabyte of boxes of 8 KiB, each in a read of its own.
	err := media.Verify(t.Context(), "video", pieces{}, 1<<40, 0)
	wantDamage(t, err, "pieces")
	if d := time.Since(started); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// pieces is an endless run of free boxes.
type pieces struct{}

func (pieces) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for i := range p {
		if at := (off + int64(i)) % (8 << 10); at < 8 {
			p[i] = "\x00\x00\x20\x00free"[at]
		}
	}
	return len(p), nil
}

func TestFlippedBytesNeverCrash(t *testing.T) {
	t.Parallel()
	for name, w := range wholes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := load(t, name)
			rng := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				other := slices.Clone(b)
				for range 1 + rng.IntN(4) {
					other[rng.IntN(len(other))] = byte(rng.Uint32())
				}
				_ = verify(t, w.asset, other, 2)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	for name, w := range wholes() {
		f.Add(w.asset, load(f, name), 2.0)
	}
	for _, text := range captions() {
		f.Add("captions", []byte(text), 0.0)
	}
	f.Fuzz(func(t *testing.T, asset string, b []byte, seconds float64) {
		err := verify(t, asset, b, seconds)
		if err == nil && len(b) == 0 {
			t.Error("an empty file passed")
		}
	})
}
