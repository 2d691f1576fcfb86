package media

import (
	"bytes"
	"context"
	"encoding/binary"
)

// jpeg walks the segments to the picture data and asks for the end marker behind it. A marker before that
// doesn't count: cameras put a whole small JPEG into the header of a large one.
func (f *file) jpeg(ctx context.Context) error {
	off := int64(2)
	for {
		if f.size-off < 4 {
			return f.damaged("it ends before the picture begins")
		}
		b, err := f.at(ctx, off, 4)
		if err != nil {
			return err
		}
		length := int64(binary.BigEndian.Uint16(b[2:]))
		switch {
		case b[0] != 0xff:
			return f.damaged("there is no segment at byte %d", off)
		case b[1] == 0xff: // any number of these may stand before a marker
			off++
			continue
		case b[1] == 0xd9:
			return f.damaged("it ends before the picture begins")
		case length < 2 || off+2+length > f.size:
			return f.damaged("it ends inside of the segment at byte %d", off)
		}
		off += 2 + length
		if b[1] == 0xda {
			break
		}
	}
	n := min(f.size-off, windowSize)
	tail, err := f.tail(ctx, n)
	if err != nil {
		return err
	}
	// Some writers append bytes of their own, so the marker need not be the last thing.
	if !bytes.Contains(tail, []byte{0xff, 0xd9}) {
		return f.damaged("it has no end marker, so it was cut off")
	}
	return nil
}

// png asks for the last chunk.
func (f *file) png(ctx context.Context) error {
	tail, err := f.tail(ctx, windowSize)
	if err != nil {
		return err
	}
	if !bytes.Contains(tail, []byte("\x00\x00\x00\x00IEND\xae\x42\x60\x82")) {
		return f.damaged("it has no end chunk, so it was cut off")
	}
	return nil
}

// gif walks the blocks to the trailer. The trailer alone proves nothing: it is a semicolon, and picture data
// is full of them. What stands behind it is nobody's concern.
func (f *file) gif(ctx context.Context) error {
	f.step = gifWindow
	off := int64(6 + 7)
	b, err := f.gifAt(ctx, 6, 7)
	if err != nil {
		return err
	}
	off += colors(b[4])
	for {
		b, err := f.gifAt(ctx, off, 1)
		if err != nil {
			return err
		}
		switch b[0] {
		case ';':
			return nil
		case '!': // an extension: its kind, then blocks
			off += 2
		case ',': // a picture: place and size, perhaps its own colors, the code size, then blocks
			if b, err = f.gifAt(ctx, off, 10); err != nil {
				return err
			}
			off += 10 + colors(b[9]) + 1
		default:
			return f.damaged("there is no block at byte %d", off)
		}
		if off, err = f.gifBlocks(ctx, off); err != nil {
			return err
		}
	}
}

// gifBlocks returns where a list of blocks ends: each says its length, and one of none is the last.
func (f *file) gifBlocks(ctx context.Context, off int64) (int64, error) {
	for {
		b, err := f.gifAt(ctx, off, 1)
		if err != nil {
			return 0, err
		}
		off += 1 + int64(b[0])
		if b[0] == 0 {
			return off, nil
		}
	}
}

func (f *file) gifAt(ctx context.Context, off, n int64) ([]byte, error) {
	if off+n > f.size {
		return nil, f.damaged("it has no trailer, so it was cut off")
	}
	return f.at(ctx, off, n)
}

// colors is how many bytes a color table takes, by the flags in front of it.
func colors(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (1 + flags&7)
}

// webp compares the size in the header with the size of the file.
func (f *file) webp(ctx context.Context) error {
	b, err := f.at(ctx, 4, 4)
	if err != nil {
		return err
	}
	if said := int64(binary.LittleEndian.Uint32(b)) + 8; said > f.size || said < 20 {
		return f.damaged("its header speaks of %d bytes, there are %d", said, f.size)
	}
	return nil
}
