package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	windowSize  = 4 << 10  // one read for the header of a box and what stands around it
	gifWindow   = 1 << 20  // a GIF has to be read through: its blocks are of 255 bytes at most
	maxReads    = 20_000   // each is a request to the store; a file in more pieces was made to be a nuisance
	maxCaptions = 16 << 20 // far above any subtitle
	maxIndex    = 64 << 20 // an index larger than this is left unread; half an hour at 4K has about 2 MiB
)

// Verify looks whether an asset of the given size is whole, by its structure. duration is what the API says
// in seconds, 0 for unknown; a video that plays much longer or shorter is not the one that was asked for.
//
// It returns nil, a *WrongTypeError, a *DamagedError or, if nothing else is wrong, a *DurationError for the file's fault, or the error of r or ctx. Reads
// are few and small; see the package comment.
func Verify(ctx context.Context, asset string, r io.ReaderAt, size int64, duration float64) error {
	if formats(asset) == nil {
		return fmt.Errorf("verify %q: no asset has that name", asset)
	}
	f := &file{asset: asset, r: r, size: size, step: windowSize}
	if size <= 0 {
		return &WrongTypeError{Asset: asset, Got: "an empty file"}
	}
	head, err := f.at(ctx, 0, min(size, windowSize))
	if err != nil {
		return err
	}
	// A captions file whose format the head doesn't show is judged below by all of it.
	kind, err := Sniff(asset, head, "", ".srt")
	if err != nil {
		return err
	}
	switch kind.Ext {
	case "mp4":
		return f.mp4(ctx, duration)
	case "webm":
		return f.webm(ctx, duration)
	case "jpeg":
		return f.jpeg(ctx)
	case "png":
		return f.png(ctx)
	case "gif":
		return f.gif(ctx)
	case "webp":
		return f.webp(ctx)
	}
	if size > maxCaptions {
		return f.damaged("%d bytes are too many for captions", size)
	}
	all, err := f.at(ctx, 0, size)
	if err != nil {
		return err
	}
	return verifyText(asset, all)
}

// file is an asset under examination.
type file struct {
	asset string
	r     io.ReaderAt
	size  int64

	step   int64  // how much is read at once
	window []byte // the bytes of the last read
	start  int64  // where they stand
	reads  int
}

// at returns n bytes at off, which must lie within the size. They are good until the next call.
func (f *file) at(ctx context.Context, off, n int64) ([]byte, error) {
	if off >= f.start && off+n <= f.start+int64(len(f.window)) {
		return f.window[off-f.start:][:n], nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("verify %s: %w", f.asset, context.Cause(ctx))
	}
	if f.reads++; f.reads > maxReads {
		return nil, f.damaged("it is in more than %d pieces", maxReads)
	}
	f.window, f.start = make([]byte, min(max(n, f.step), f.size-off)), off
	got, err := f.r.ReadAt(f.window, off)
	if got == len(f.window) {
		return f.window[:n], nil // io.EOF beside a full read is no error
	}
	f.window = nil
	if err == nil || errors.Is(err, io.EOF) {
		return nil, f.damaged("it should have %d bytes and ends at byte %d", f.size, off+int64(got))
	}
	return nil, fmt.Errorf("verify %s: read at byte %d: %w", f.asset, off, err)
}

// tail returns the last bytes, up to n.
func (f *file) tail(ctx context.Context, n int64) ([]byte, error) {
	n = min(n, f.size)
	return f.at(ctx, f.size-n, n)
}

func (f *file) damaged(format string, args ...any) error {
	return &DamagedError{Asset: f.asset, Damage: fmt.Sprintf(format, args...)}
}

// plays compares how long a video says it plays with what the API says. Zero means unknown on either side.
// Encoders round to frames and the API to its own taste, so the tolerance is wide: two seconds or a fifth.
func (f *file) plays(got, want float64) error {
	if got <= 0 || want <= 0 || math.IsInf(got, 0) || math.IsNaN(got) || math.IsNaN(want) {
		return nil
	}
	if math.Abs(got-want) > max(2, want/5) {
		return &DurationError{Asset: f.asset, Plays: got, Says: want}
	}
	return nil
}
