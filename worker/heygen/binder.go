package heygen

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"time"
)

// The Desk's memory, an account: 6.5 MiB of entries, half a MiB of single answers, and some 100 bytes for each id of the
// directory; less than 10 MiB in all. Deflated, an entry takes 260 bytes for each signed link and 100 to 200 for the rest, so
// that 10,000 videos with two links find room, and the order in which they are asked for does not matter.
const (
	mostEntryBytes  = 13 << 19
	mostSingleBytes = 512 << 10
	mostIDs         = 16_000

	// blockSize is how many entries are deflated together: more would be smaller, but one is wanted at a time.
	blockSize = 10
)

// freshFor is how long an answer that nobody has used is as good as a new one. Video.AsOf says how old it is.
const freshFor = 10 * time.Minute

// binder remembers what HeyGen said lately: in sheets, pages of the list as they were read, and single answers. An answer
// is given once: who comes again has a reason to want a new one, such as a link that failed. When room
// is scarce, sheets lose their entries and stay as a directory: the page that an id is on can be read again by its token.
//
// It is guarded by Desk.mu.
type binder struct {
	sheets  map[string]*sheet // by the token that asks for them
	where   map[string]place  // by id
	singles map[string]single // by id
	bytes   int               // of entries, deflated
	single  int               // bytes of singles
	ids     int               // of all sheets
	uses    int64             // counts, so that the sheet which was not used for longest can be found
}

type place struct {
	sheet *sheet
	at    int
}

// single is the answer of a plain call that was made to see how far a video is.
type single struct {
	video *Video
	until time.Time
}

// sheet is one page of the list.
type sheet struct {
	token  string
	asOf   time.Time
	until  time.Time // when its entries are too old
	ids    []string
	usable []bool   // completed, with links, and not given away yet
	blocks [][]byte // nil: no room
	bytes  int
	used   int64
}

func newBinder() binder {
	return binder{sheets: map[string]*sheet{}, where: map[string]place{}, singles: map[string]single{}}
}

// newSheet takes from a page what it takes to find and to give its entries.
func newSheet(token string, asOf time.Time, items []json.RawMessage) *sheet {
	s := &sheet{token: token, asOf: asOf, until: asOf.Add(freshFor), ids: make([]string, len(items)), usable: make([]bool, len(items))}
	for i, raw := range items {
		f, _ := object(raw)
		id := f.text("id", "video_id")
		if !ValidID(id) {
			continue
		}
		s.ids[i] = id
		var links []Link
		for _, a := range Assets() {
			if l, ok := link(a, f); ok {
				links = append(links, l)
			}
		}
		until, good := goodUntil(asOf, status(f.text("status")), links)
		if s.usable[i] = good; good && until.Before(s.until) {
			s.until = until
		}
	}
	s.blocks = deflate(items)
	for _, b := range s.blocks {
		s.bytes += len(b)
	}
	return s
}

// goodUntil says how long an answer can serve a transfer, if it can at all: its video must be there, and not more than half
// of the life of any of its links may be over.
func goodUntil(asOf time.Time, st Status, links []Link) (until time.Time, good bool) {
	until = asOf.Add(freshFor)
	for _, l := range links {
		good = good || l.Asset == AssetVideo
		if life := l.Expires.Sub(asOf); !l.Expires.IsZero() && asOf.Add(life/2).Before(until) {
			until = asOf.Add(life / 2)
		}
	}
	return until, good && st == StatusCompleted && until.After(asOf)
}

// deflate packs entries in blocks. What links share is much, but a signature is as random as it looks.
func deflate(items []json.RawMessage) [][]byte {
	var out bytes.Buffer
	var ends []int
	z, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return nil
	}
	for from := 0; from < len(items); from += blockSize {
		var lines bytes.Buffer // an entry each: compact JSON has no line breaks
		for _, raw := range items[from:min(from+blockSize, len(items))] {
			if json.Compact(&lines, raw) != nil {
				return nil
			}
			lines.WriteByte('\n')
		}
		z.Reset(&out)
		if _, err := lines.WriteTo(z); err != nil || z.Close() != nil {
			return nil
		}
		ends = append(ends, out.Len())
	}
	all := bytes.Clone(out.Bytes()) // in one piece, which wastes less
	blocks := make([][]byte, len(ends))
	from := 0
	for i, end := range ends {
		blocks[i], from = all[from:end], end
	}
	return blocks
}

// inflate returns one entry of a block, or nil.
func inflate(block []byte, at int) json.RawMessage {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(block)))
	lines := bytes.Split(raw, []byte("\n"))
	if err != nil || at >= len(lines) {
		return nil
	}
	return json.RawMessage(lines[at])
}

// file puts a sheet in, in the place of the one of the same token. news says whether most of its ids were not known: new
// videos push older ones to the next page, so one or the other is new on every page.
func (b *binder) file(s *sheet, now time.Time) (news bool) {
	if len(s.ids) == 0 {
		return false
	}
	unknown := 0
	for _, id := range s.ids {
		if _, known := b.where[id]; !known {
			unknown++
		}
	}
	if old := b.sheets[s.token]; old != nil {
		b.drop(old)
	}
	b.sheets[s.token] = s
	b.ids += len(s.ids)
	b.bytes += s.bytes
	b.use(s)
	for i, id := range s.ids {
		if id != "" {
			b.where[id] = place{s, i}
		}
	}
	for _, old := range b.sheets {
		if !now.Before(old.until) {
			b.empty(old)
		}
	}
	for b.bytes > mostEntryBytes {
		b.empty(b.idlest(func(s *sheet) bool { return s.blocks != nil }))
	}
	for b.ids > mostIDs {
		b.drop(b.idlest(func(*sheet) bool { return true }))
	}
	return unknown > len(s.ids)/2
}

func (b *binder) use(s *sheet) {
	b.uses++
	s.used = b.uses
}

// idlest returns the sheet that was not used for longest among those that match; there must be one.
func (b *binder) idlest(match func(*sheet) bool) *sheet {
	var found *sheet
	for _, s := range b.sheets {
		if match(s) && (found == nil || s.used < found.used) {
			found = s
		}
	}
	return found
}

// empty makes room: what the sheet says is forgotten, where it is stays known.
func (b *binder) empty(s *sheet) {
	b.bytes -= s.bytes
	s.blocks, s.bytes = nil, 0
}

func (b *binder) drop(s *sheet) {
	b.empty(s)
	b.ids -= len(s.ids)
	delete(b.sheets, s.token)
	for _, id := range s.ids {
		if b.where[id].sheet == s {
			delete(b.where, id)
		}
	}
}

// fresh says whether the sheet still says what can be relied on.
func (s *sheet) fresh(now time.Time) bool { return s.blocks != nil && now.Before(s.until) }

// has says whether an answer about the video is at hand.
func (b *binder) has(id string, now time.Time) bool {
	if one, ok := b.singles[id]; ok && now.Before(one.until) {
		return true
	}
	p, ok := b.where[id]
	return ok && p.sheet.usable[p.at] && p.sheet.fresh(now)
}

// keep remembers the answer of a plain call, if a transfer could use it.
func (b *binder) keep(v *Video, now time.Time) {
	until, good := goodUntil(v.AsOf, v.Status, v.Links)
	if !good {
		return
	}
	b.forget(v.ID)
	b.singles[v.ID] = single{v, until}
	b.single += v.size()
	if b.single <= mostSingleBytes {
		return
	}
	for id, one := range b.singles {
		if !now.Before(one.until) {
			b.forget(id)
		}
	}
	for id := range b.singles {
		if b.single <= mostSingleBytes {
			return
		}
		b.forget(id)
	}
}

// tear forgets all sheets.
func (b *binder) tear() {
	for _, s := range b.sheets {
		b.drop(s)
	}
}

// forget drops a single answer.
func (b *binder) forget(id string) {
	if one, ok := b.singles[id]; ok {
		b.single -= one.video.size()
		delete(b.singles, id)
	}
}

// size is about what the video takes in memory.
func (v *Video) size() int {
	const fixed = 500
	n := fixed + len(v.Title) + len(v.Response)
	for _, l := range v.Links {
		n += len(l.URL.Reveal())
	}
	return n
}
