package heygensim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
)

// cursor is the place after a video in the order of a list. It is a place and not a count, so that videos which
// come or go while somebody pages shift nothing. It lies base64-coded in the token.
type cursor struct{ created, seq int64 }

func (e *entry) cursor() cursor { return cursor{e.CreatedAt.UnixNano(), e.seq} }

// order is newest first.
func order(a, b cursor) int {
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.seq, a.seq))
}

// page returns the videos after a token, and the token of the next page or "". It needs the lock.
func (s *Sim) page(token string, limit int) (page []*entry, next string, ok bool) {
	if s.sorted == nil {
		s.sorted = slices.SortedFunc(maps.Values(s.videos), func(a, b *entry) int { return order(a.cursor(), b.cursor()) })
	}
	all := s.sorted
	if token != "" {
		c, ok := parseToken(token)
		if !ok {
			return nil, "", false
		}
		at, there := slices.BinarySearchFunc(all, c, func(e *entry, c cursor) int { return order(e.cursor(), c) })
		if there {
			at++
		}
		all = all[at:]
	}
	if len(all) <= limit {
		return all, "", true
	}
	last := all[limit-1].cursor()
	return all[:limit], base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "after:%d:%d", last.created, last.seq)), true
}

func parseToken(token string) (cursor, bool) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return cursor{}, false
	}
	var c cursor
	_, err = fmt.Sscanf(string(raw), "after:%d:%d", &c.created, &c.seq)
	return c, err == nil
}
