package media

import (
	"context"
	"encoding/binary"
	"math"
	mathbits "math/bits"
)

// The elements of WebM that matter, by their ids.
const (
	ebmlHeader   = 0x1A45DFA3
	ebmlSegment  = 0x18538067
	ebmlInfo     = 0x1549A966
	ebmlTracks   = 0x1654AE6B
	ebmlCluster  = 0x1F43B675
	ebmlScale    = 0x2AD7B1
	ebmlDuration = 0x4489
)

// element is the head of an EBML element.
type element struct {
	id         uint64
	body, end  int64 // where its body begins and ends
	unknownEnd bool  // a live recording: it goes on as far as it goes
}

// webm verifies the header, the segment, and that its parts fill it.
func (f *file) webm(ctx context.Context, duration float64) error {
	head, err := f.element(ctx, 0, f.size)
	if err != nil {
		return err
	}
	segment := head
	for segment.id != ebmlSegment {
		if segment.unknownEnd || segment.end >= f.size {
			return f.damaged("it has no segment")
		}
		if segment, err = f.element(ctx, segment.end, f.size); err != nil {
			return err
		}
	}
	var plays float64
	var tracks, pictures bool
	for off := segment.body; off < segment.end; {
		e, err := f.element(ctx, off, segment.end)
		if err != nil {
			return err
		}
		tracks = tracks || e.id == ebmlTracks
		pictures = pictures || e.id == ebmlCluster
		if e.id == ebmlInfo && e.end-e.body <= windowSize {
			if plays, err = f.webmInfo(ctx, e); err != nil {
				return err
			}
		}
		if e.unknownEnd { // nothing behind it can be told apart from it
			break
		}
		off = e.end
	}
	if !tracks || !pictures {
		return f.damaged("it has no tracks or no pictures, so it was cut off")
	}
	return f.plays(plays, duration)
}

// webmInfo reads the duration; 0 where there is none.
func (f *file) webmInfo(ctx context.Context, info element) (float64, error) {
	scale, ticks := 1e6, 0.0 // nanoseconds a tick, unless it says something else
	for off := info.body; off < info.end; {
		e, err := f.element(ctx, off, info.end)
		if err != nil {
			return 0, err
		}
		size := e.end - e.body
		if (e.id == ebmlScale || e.id == ebmlDuration) && size <= 8 {
			b, err := f.at(ctx, e.body, size)
			if err != nil {
				return 0, err
			}
			switch {
			case e.id == ebmlScale:
				scale = float64(unsigned(b))
			case size == 4:
				ticks = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
			case size == 8:
				ticks = math.Float64frombits(binary.BigEndian.Uint64(b))
			}
		}
		off = e.end
	}
	return ticks * scale / 1e9, nil
}

// element reads the head of the element at off, which must end within limit.
func (f *file) element(ctx context.Context, off, limit int64) (element, error) {
	const longest = 12 // 4 bytes of id, 8 of size
	b, err := f.at(ctx, off, min(limit-off, longest))
	if err != nil {
		return element{}, err
	}
	id, n := vint(b, false)
	size, m := uint64(0), 0
	if n > 0 && n <= 4 {
		size, m = vint(b[n:], true)
	}
	if m == 0 {
		return element{}, f.damaged("there is no element at byte %d", off)
	}
	e := element{id: id, body: off + int64(n+m)}
	left := limit - e.body
	switch {
	case size == 1<<(7*m)-1:
		e.unknownEnd, e.end = true, limit
	case size > uint64(left):
		return element{}, f.damaged("the element at byte %d should have %d bytes, only %d are there", off, size, left)
	default:
		e.end = e.body + int64(size)
	}
	return e, nil
}

// vint reads EBML's integer of variable length and how many bytes it took, 0 if there is none. The marker bit
// that tells the length belongs to an id and not to a size.
func vint(b []byte, strip bool) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = mathbits.LeadingZeros8(b[0]) + 1
	if n > len(b) {
		return 0, 0
	}
	v = unsigned(b[:n])
	if strip {
		v &= 1<<(7*n) - 1
	}
	return v, n
}

func unsigned(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
