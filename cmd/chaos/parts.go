package main

import (
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// parts is what the proxies have seen of parts that MinIO took. What is stored must not be fetched again, by whomever: that
// is what a resume is.
type parts struct {
	mu  sync.Mutex
	ids map[string]map[int64]time.Time // by video and number, since when
}

func newParts() *parts { return &parts{ids: map[string]map[int64]time.Time{}} }

func (p *parts) note(r *http.Request, status int) {
	n, err := strconv.ParseInt(r.URL.Query().Get("partNumber"), 10, 64)
	if status != http.StatusOK || err != nil {
		return
	}
	id := path.Base(path.Dir(r.URL.Path))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids[id] == nil {
		p.ids[id] = map[int64]time.Time{}
	}
	if _, known := p.ids[id][n]; !known {
		p.ids[id][n] = time.Now()
	}
}

// again returns how many bytes of an answer were of parts that had been stored before it was asked for.
func (p *parts) again(r heygensim.Request) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for off := r.Offset; off < r.Offset+r.Bytes; {
		number := off/partSize + 1
		end := min(number*partSize, r.Offset+r.Bytes)
		if since, stored := p.ids[r.VideoID][number]; stored && since.Before(r.At) {
			n += end - off
		}
		off = end
	}
	return n
}

// A window is a time in which a worker that woke may not know yet what others have done.
type window struct{ from, to time.Time }

func within(all []window, at time.Time) bool {
	for _, w := range all {
		if at.After(w.from) && at.Before(w.to) {
			return true
		}
	}
	return false
}

// fetchedAgain sums up what was fetched of parts that were stored: by workers that had just woken, and otherwise, by video. Videos
// whose source takes back what it said, or has no ranges, are left out: there is nothing to go on with.
func (p *parts) fetchedAgain(journal []heygensim.Request, steady map[string]bool, wakings []window) (woken int64, otherwise map[string]int64) {
	otherwise = map[string]int64{}
	for _, r := range journal {
		if r.Host != "asset" || r.Asset != "video" || r.ETag == "" || !steady[r.VideoID] || r.Header.Get("Range") == "bytes=0-0" {
			continue
		}
		n := p.again(r)
		if within(wakings, r.At) {
			woken += n
		} else if n > 0 {
			otherwise[r.VideoID] += n
		}
	}
	return woken, otherwise
}

// steady says whether the source of the video serves one version of it, in ranges.
func (v *video) steady() bool {
	f := v.Assets["video"].Fault
	if f == nil {
		return true
	}
	switch f.Kind {
	case heygensim.FaultReplaced, heygensim.FaultRetagged, heygensim.FaultLonger, heygensim.FaultShorter, heygensim.FaultWrongRange, heygensim.FaultWrongLength:
		return false
	}
	return !v.InOrder
}
