package heygensim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MinSize is the smallest MP4 that Asset.Size can ask for; less is raised to it.
const MinSize = 1024

const (
	frameRate   = 25
	frameTicks  = 512
	ticksPerSec = frameRate * frameTicks
	bytesPerSec = 500_000 // about what HeyGen's 1080p has; decides how long a file of a given size claims to play
)

// synthetic is a valid MP4 of exactly size bytes and its duration: index first, then media data that is a
// function of seed and position, so that any range of gigabytes can be made without the rest.
func synthetic(size int64, seed uint64) (content, float64) {
	size = max(size, MinSize)
	frames := frameRate * min(max(size/bytesPerSec, 1), 1800)
	head := mp4Head(size, frames)
	return content{
		ReaderAt: &noise{head: head, size: size, seed: seed},
		size:     size,
		etag:     fmt.Sprintf(`"%016x%016x"`, seed, uint64(size)),
	}, float64(frames) / frameRate
}

// mp4Head is everything before the media data. Its length depends on no number in it, so it can be made once
// to learn the length and again with the true offset.
func mp4Head(size, frames int64) []byte {
	headLen := int64(len(mp4Boxes(0, 0, frames, 0)))
	payload := size - headLen
	frames = min(frames, payload)
	return mp4Boxes(headLen, payload, frames, payload/frames)
}

func mp4Boxes(offset, payload, frames, frameSize int64) []byte {
	ticks := uint32(frames * frameTicks)
	sampleEntry := box("avc1", zeros(6), u16(1), zeros(16), u16(640), u16(360), u32(0x480000, 0x480000, 0), u16(1),
		zeros(32), u16(0x18), u16(0xffff),
		box("avcC", []byte{1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10},
			[]byte{0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70}, []byte{1, 0, 4, 0x68, 0xce, 0x3c, 0x80}))
	stbl := box("stbl",
		box("stsd", u32(0, 1), sampleEntry),
		box("stts", u32(0, 1, uint32(frames), frameTicks)),
		box("stsc", u32(0, 1, 1, uint32(frames), 1)),
		box("stsz", u32(0, uint32(frameSize), uint32(frames))),
		box("co64", u32(0, 1), u64(uint64(offset))))
	minf := box("minf", box("vmhd", u32(1, 0, 0)), box("dinf", box("dref", u32(0, 1), box("url ", u32(1)))), stbl)
	mdia := box("mdia",
		box("mdhd", u32(0, 0, 0, ticksPerSec, ticks), u16(0x55c4), u16(0)),
		box("hdlr", u32(0, 0), []byte("vide"), zeros(12), []byte("heygensim\x00")),
		minf)
	matrix := u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
	trak := box("trak",
		box("tkhd", u32(3, 0, 0, 1, 0, ticks, 0, 0), u16(0), u16(0), u16(0), u16(0), matrix, u32(640<<16, 360<<16)),
		mdia)
	moov := box("moov",
		box("mvhd", u32(0, 0, 0, ticksPerSec, ticks, 0x10000), u16(0x100), zeros(10), matrix, zeros(24), u32(2)),
		trak)
	ftyp := box("ftyp", []byte("isom"), u32(0x200), []byte("isomiso2avc1mp41"))
	// The 64-bit form of the length is used always: the header then has one size for a kilobyte and for a terabyte.
	return join(ftyp, moov, u32(1), []byte("mdat"), u64(uint64(payload+16)))
}

// noise is head followed by bytes that depend on seed and position only.
type noise struct {
	head []byte
	size int64
	seed uint64
}

// ReadAt makes the bytes asked for.
func (n *noise) ReadAt(p []byte, off int64) (int, error) {
	if err := checkOffset(off, n.size); err != nil {
		return 0, err
	}
	p, err := clip(p, off, n.size)
	done := 0
	if off < int64(len(n.head)) {
		done = copy(p, n.head[off:])
	}
	n.fill(p[done:], uint64(off)+uint64(done))
	return len(p), err
}

// fill works in words of eight bytes, since a 3 GiB file should cost seconds and not minutes.
func (n *noise) fill(p []byte, pos uint64) {
	if lead := pos % 8; lead != 0 && len(p) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], n.word(pos/8))
		done := copy(p, word[lead:])
		p, pos = p[done:], pos+uint64(done)
	}
	index := pos / 8
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, n.word(index))
		p, index = p[8:], index+1
	}
	if len(p) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], n.word(index))
		copy(p, word[:])
	}
}

func (n *noise) word(index uint64) uint64 {
	x := (n.seed + index) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>29
}

var errOffset = errors.New("read at a negative offset")

func checkOffset(off, size int64) error {
	switch {
	case off < 0:
		return errOffset
	case off >= size:
		return io.EOF
	}
	return nil
}

// clip cuts p to what lies before size and returns the error that goes with a short read.
func clip(p []byte, off, size int64) ([]byte, error) {
	if left := size - off; int64(len(p)) > left {
		return p[:left], io.EOF
	}
	return p, nil
}

func box(name string, parts ...[]byte) []byte {
	body := join(parts...)
	return join(u32(uint32(8+len(body))), []byte(name), body)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func zeros(n int) []byte { return make([]byte, n) }

func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func u32(values ...uint32) []byte {
	var all []byte
	for _, v := range values {
		all = binary.BigEndian.AppendUint32(all, v)
	}
	return all
}
