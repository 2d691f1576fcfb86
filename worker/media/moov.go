package media

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// track is what matters of one track. The tables are kept as they are in the file: a hostile count costs nothing
// as long as nobody allocates for it.
type track struct {
	handler              string
	seconds              float64
	stsz, stsc, stco     []byte
	wide                 bool // the chunk offsets are of 64 bits
	hasSizes, hasOffsets bool
}

// movie is what matters of an index.
type movie struct {
	seconds    float64
	fragmented bool
	tracks     []*track
}

// index verifies the body of the moov box against the file around it.
func (f *file) index(found boxes, duration float64) error {
	m := &movie{}
	// mp4ff decodes boxes of foreign origin; whatever it trips over must not end the process.
	if err := guarded(func() error { return m.read(found.moov) }); err != nil {
		return f.damaged("its index (moov) is not readable: %v", err)
	}
	samples := false
	for _, t := range m.tracks {
		some, damage := t.check(f.size, found.media)
		if damage != "" {
			return f.damaged("%s", damage)
		}
		samples = samples || some
	}
	// What is served whole is kept, however odd: an index without pictures is HeyGen's business. But an index that
	// promises fragments where none follow shows a cut.
	if m.fragmented && !samples && found.fragments == 0 {
		return f.damaged("there is no picture in it")
	}
	seconds := m.seconds
	for _, t := range m.tracks {
		if m.seconds == 0 {
			seconds = max(seconds, t.seconds)
		}
	}
	return f.plays(seconds, duration)
}

// read walks the index. Boxes it doesn't need are passed over unread: players don't stumble over an odd metadata
// box, and neither must this.
func (m *movie) read(moov []byte) error {
	return children(moov, func(name string, body []byte) error {
		switch name {
		case "mvhd":
			h, err := leaf[*mp4.MvhdBox](name, body, mp4.DecodeMvhdSR)
			if err != nil {
				return err
			}
			m.seconds = seconds(h.Duration, h.Timescale, h.Version)
		case "mvex":
			m.fragmented = true
		case "trak":
			t := &track{}
			m.tracks = append(m.tracks, t)
			return t.read(body)
		}
		return nil
	})
}

func (t *track) read(box []byte) error {
	return children(box, func(name string, body []byte) error {
		switch name {
		case "mdia", "minf", "stbl":
			return t.read(body)
		case "mdhd":
			h, err := leaf[*mp4.MdhdBox](name, body, mp4.DecodeMdhdSR)
			if err != nil {
				return err
			}
			t.seconds = seconds(h.Duration, h.Timescale, h.Version)
		case "hdlr":
			// The data handler inside of minf has the same box; the first is the one of the media.
			if t.handler != "" {
				return nil
			}
			if len(body) < 12 {
				return fmt.Errorf("box hdlr has %d bytes", len(body))
			}
			t.handler = string(body[8:12])
		case "stsz":
			t.stsz, t.hasSizes = body, true
		case "stsc":
			t.stsc = body
		case "stco", "co64":
			t.stco, t.hasOffsets, t.wide = body, true, name == "co64"
		}
		return nil
	})
}

// children calls visit for each box in a body. The rest of the body after the last is ignored where it is
// zero or too short for a box: QuickTime ends some lists with four zero bytes.
func children(body []byte, visit func(name string, body []byte) error) error {
	for len(body) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(body)), uint64(8)
		name := string(body[4:8])
		switch {
		case size == 0 && name == padding:
			return nil
		case size == 0:
			size = uint64(len(body))
		case size == 1 && len(body) >= 16:
			size, head = binary.BigEndian.Uint64(body[8:]), 16
		}
		if size < head || size > uint64(len(body)) {
			return fmt.Errorf("box %q has a size of %d where %d bytes are left", name, size, len(body))
		}
		if err := visit(name, body[head:size]); err != nil {
			return err
		}
		body = body[size:]
	}
	return nil
}

// leaf lets mp4ff decode one box of fixed layout.
func leaf[T any](name string, body []byte, decode func(mp4.BoxHeader, uint64, bits.SliceReader) (mp4.Box, error)) (T, error) {
	var none T
	b, err := decode(mp4.BoxHeader{Name: name, Size: uint64(len(body)) + 8, Hdrlen: 8}, 0, bits.NewFixedSliceReader(body))
	if err != nil {
		return none, fmt.Errorf("box %s: %w", name, err)
	}
	t, ok := b.(T)
	if !ok {
		return none, fmt.Errorf("box %s: decoded as %T", name, b)
	}
	return t, nil
}

// seconds is 0 where the duration is unknown, which is spelled as all ones.
func seconds(duration uint64, timescale uint32, version byte) float64 {
	unknown := uint64(math.MaxUint32)
	if version == 1 {
		unknown = math.MaxUint64
	}
	if timescale == 0 || duration == unknown {
		return 0
	}
	return float64(duration) / float64(timescale)
}
