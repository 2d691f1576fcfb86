package media

import (
	"encoding/binary"
	"fmt"
)

// check compares a track's tables with the file: no chunk may begin or end beyond it, and there can't be more
// samples than media data. That finds the cut that the box sizes can't show, where the last box is
// announced as "up to the end". some tells whether the track has samples at all; damage is "" if all is well.
func (t *track) check(size, media int64) (some bool, damage string) {
	chunks, offset, damage := t.chunks()
	if damage != "" || chunks == 0 {
		return false, damage
	}
	var last uint64
	for i := range chunks {
		if last = offset(i); last >= uint64(size) {
			return true, fmt.Sprintf("its index points to byte %d, behind the end at %d", last, size)
		}
	}
	if !t.hasSizes { // stz2, which nobody writes for video; the offsets have to do
		return true, ""
	}
	count, sizeOf, damage := t.sizes()
	if damage != "" {
		return true, damage
	}
	total := uint64(0)
	for i := range count {
		total += sizeOf(i)
	}
	if total > uint64(media) {
		return true, fmt.Sprintf("a track of it needs %d bytes of media data, there are %d", total, media)
	}
	end := last
	for i := count - min(count, t.lastChunk()); i < count; i++ {
		end += sizeOf(i)
	}
	if end > uint64(size) {
		return true, fmt.Sprintf("its last picture or sound ends at byte %d, behind the end at %d", end, size)
	}
	return true, ""
}

// chunks reads the table of chunk offsets in place.
func (t *track) chunks() (n int64, offset func(i int64) uint64, damage string) {
	if !t.hasOffsets {
		return 0, nil, ""
	}
	width := int64(4)
	if t.wide {
		width = 8
	}
	n, entries, ok := table(t.stco, 4, width)
	if !ok {
		return 0, nil, "its table of chunks is cut off"
	}
	if t.wide {
		return n, func(i int64) uint64 { return binary.BigEndian.Uint64(entries[i*8:]) }, ""
	}
	return n, func(i int64) uint64 { return uint64(binary.BigEndian.Uint32(entries[i*4:])) }, ""
}

// sizes reads the table of sample sizes in place. All samples may share one size, and then there is no table:
// the count alone is a claim of four bytes, so it is answered as one sample of that many bytes.
func (t *track) sizes() (n int64, sizeOf func(i int64) uint64, damage string) {
	if len(t.stsz) < 12 {
		return 0, nil, "its table of samples is cut off"
	}
	if uniform := uint64(binary.BigEndian.Uint32(t.stsz[4:])); uniform != 0 {
		count := uint64(binary.BigEndian.Uint32(t.stsz[8:]))
		return 1, func(int64) uint64 { return uniform * count }, ""
	}
	n, entries, ok := table(t.stsz, 8, 4)
	if !ok {
		return 0, nil, "its table of samples is cut off"
	}
	return n, func(i int64) uint64 { return uint64(binary.BigEndian.Uint32(entries[i*4:])) }, ""
}

// lastChunk is how many samples the last chunk has. 0 where the table doesn't tell or sizes are uniform.
func (t *track) lastChunk() int64 {
	n, entries, ok := table(t.stsc, 4, 12)
	if !ok || n == 0 || len(t.stsz) < 8 || binary.BigEndian.Uint32(t.stsz[4:]) != 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(entries[(n-1)*12+4:]))
}

// table reads the count at a place of a box and the entries behind it, if they are all there.
func table(box []byte, at int, width int64) (n int64, entries []byte, ok bool) {
	if len(box) < at+4 {
		return 0, nil, false
	}
	n = int64(binary.BigEndian.Uint32(box[at:]))
	entries = box[at+4:]
	return n, entries, n*width <= int64(len(entries))
}
