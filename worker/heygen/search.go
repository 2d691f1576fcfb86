package heygen

import "time"

const (
	// searchAge is when a search begins again at the newest page: videos may have been made since.
	searchAge = 2 * time.Minute
	// outlayAge is when what was spent in vain is forgotten.
	outlayAge = 10 * time.Minute
	// mostPages bounds what is spent at once, however many videos are wanted: it is about as many pages as the directory holds.
	mostPages = mostIDs / pageSize
)

// search is how far the list was read for videos whose page is not known. It goes from the newest page to older ones,
// and on where it stopped when the next unknown video is asked for. When it begins again it leaps, from the
// first page with hardly any news, to where it had come.
type search struct {
	begun time.Time
	next  string // token of the page to come
	over  bool   // there is none

	again      bool   // it has begun again and has not leapt yet
	deepest    string // next, of the furthest that it has come
	everything bool   // over, likewise
}

// plan says which page comes next.
func (s *search) plan(now time.Time) (page plan, worth bool) {
	if s.begun.IsZero() || now.Sub(s.begun) > searchAge {
		return plan{first: true}, true
	}
	return plan{token: s.next}, !s.over
}

// found notes what a page of the search led to.
func (s *search) found(page plan, next string, news bool, now time.Time) {
	switch {
	case page.first:
		*s = search{begun: now, again: !s.begun.IsZero(), deepest: s.deepest, everything: s.everything}
	case page.token != s.next:
		return
	}
	s.next, s.over = next, next == "" || next == page.token
	if s.again && !news {
		s.again, s.next, s.over = false, s.deepest, s.everything
	}
	if !s.again || s.over {
		s.deepest, s.everything = s.next, s.over
	}
}

// outlay counts pages that have not paid for themselves yet: each saves a call for every video that is served from it.
// However the list is sorted and whatever is asked for, no more than a tenth of what could be saved is spent in vain.
type outlay struct {
	pages int
	since time.Time
}

func (o *outlay) affords(wanted int, now time.Time) bool {
	return o.pages < min(wanted/10, mostPages) || now.Sub(o.since) > outlayAge
}

func (o *outlay) paid(now time.Time) {
	if now.Sub(o.since) > outlayAge {
		*o = outlay{since: now}
	}
	o.pages++
}

func (o *outlay) paidBack() { o.pages = max(o.pages-1, 0) }
