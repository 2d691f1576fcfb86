package media

import (
	"context"
	"encoding/binary"
	"math"
)

// boxes is what the walk over the top level of an MP4 found.
type boxes struct {
	moov      []byte // the body of the index
	moovLen   int64
	hasMoov   bool
	media     int64 // bytes of media data
	hasMedia  bool
	fragments int
}

// mp4 verifies a file of boxes: they add up to its size, the index is among them and agrees with the rest.
func (f *file) mp4(ctx context.Context, duration float64) error {
	found, err := f.walk(ctx)
	if err != nil {
		return err
	}
	switch {
	case !found.hasMoov:
		return f.damaged("it has no index (moov), so it was cut off or never finished")
	case !found.hasMedia:
		return f.damaged("it has no media data (mdat)")
	case found.moov == nil: // larger than maxIndex
		return nil
	}
	return f.index(found, duration)
}

// walk goes from box to box, reads the headers, and the index once.
func (f *file) walk(ctx context.Context) (boxes, error) {
	var found boxes
	for off := int64(0); off < f.size; {
		b, err := f.box(ctx, off)
		if err != nil {
			return found, err
		}
		if b.name == padding {
			if !found.hasMoov || !found.hasMedia {
				return found, f.damaged("from byte %d on there are only zeros", off)
			}
			return found, nil
		}
		body := b.size - b.header
		switch b.name {
		case "mdat":
			found.hasMedia = true
			found.media += body
		case "moof":
			found.fragments++
		case "moov":
			if found.hasMoov {
				return found, f.damaged("it has two indexes (moov)")
			}
			found.hasMoov, found.moovLen = true, body
			if body <= maxIndex {
				if found.moov, err = f.at(ctx, off+b.header, body); err != nil {
					return found, err
				}
			}
		}
		off += b.size
	}
	return found, nil
}

// header is the header of one box at the top level.
type header struct {
	name         string
	size, header int64
}

// padding is the name of what isn't a box: zeros that some writers leave at the end.
const padding = "\x00\x00\x00\x00"

// box reads one header and checks that its box lies within the file.
func (f *file) box(ctx context.Context, off int64) (header, error) {
	left := f.size - off
	b, err := f.at(ctx, off, min(left, 16))
	if err != nil {
		return header{}, err
	}
	if left < 8 {
		for _, c := range b {
			if c != 0 {
				return header{}, f.damaged("it ends inside of a box header at byte %d", off)
			}
		}
		return header{name: padding}, nil
	}
	h := header{name: string(b[4:8]), size: int64(binary.BigEndian.Uint32(b)), header: 8}
	if h.name == padding && h.size == 0 {
		return h, nil
	}
	for _, c := range b[4:8] {
		if (c < ' ' || c > '~') && c != 0xa9 {
			return header{}, f.damaged("there is no box at byte %d", off)
		}
	}
	switch h.size {
	case 0: // up to the end of the file
		h.size = left
	case 1: // the true size follows, in 64 bits
		if left < 16 {
			return header{}, f.damaged("it ends inside of a box header at byte %d", off)
		}
		h.header = 16
		h.size = int64(min(binary.BigEndian.Uint64(b[8:]), math.MaxInt64))
	}
	switch {
	case h.size < h.header:
		return header{}, f.damaged("box %s at byte %d is shorter than its header", h.name, off)
	case h.size > left:
		return header{}, f.damaged("box %s at byte %d should have %d bytes, only %d are there", h.name, off, h.size, left)
	}
	return h, nil
}
