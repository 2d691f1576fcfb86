package fetch

import (
	"net/http"
	"strings"
	"time"
)

// answer is a response whose status is 200, 206 or 416, with a body that nobody has judged yet.
type answer struct {
	status int
	header http.Header
	length int64 // -1: not announced
	marked bool  // chunked: the end is marked
	took   time.Duration
	body   *body
}

// read holds an answer against the question, sets where its body stands, and returns what it says about the file.
func (a *answer) read(q question) (Pin, error) {
	seen := pinOf(a.header, -1)
	switch a.status {
	case http.StatusPartialContent:
		return a.readRange(q, seen)
	case http.StatusRequestedRangeNotSatisfiable:
		if r, err := parseContentRange(a.header.Get("Content-Range")); err == nil && r.start < 0 {
			seen.Size = r.total
		}
		if q.off < 0 {
			return seen, wrongAnswer("status 416 although no range was asked for")
		}
		return seen, nil
	}
	if a.length < 0 && !a.marked {
		return seen, wrongAnswer("the answer has neither a length nor a marked end, so a cut would look like the end")
	}
	seen.Size = a.length
	a.body.pos, a.body.end, a.body.measured = 0, a.length, a.length >= 0
	return seen, nil
}

func (a *answer) readRange(q question, seen Pin) (Pin, error) {
	ranges := a.header.Values("Content-Range")
	if len(ranges) != 1 {
		return seen, wrongAnswer("status 206 with %d Content-Range headers", len(ranges))
	}
	r, err := parseContentRange(ranges[0])
	if err != nil || r.start < 0 {
		return seen, wrongAnswer("status 206 with Content-Range %q", brief(ranges[0]))
	}
	seen.Size = r.total
	if q.off < 0 || r.start != q.off || (q.end >= 0 && r.end > q.end) {
		return seen, wrongAnswer("asked for bytes %d to %d, got Content-Range %q", q.off, q.end-1, brief(ranges[0]))
	}
	if a.length >= 0 && a.length != r.end-r.start {
		return seen, wrongAnswer("Content-Range %q with Content-Length %d", brief(ranges[0]), a.length)
	}
	a.body.pos, a.body.end, a.body.measured = r.start, r.end, a.length >= 0
	return seen, nil
}

// packed refuses a content coding: its bytes are not the file's, nor is its length.
func (a *answer) packed() error {
	if coding := a.header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return wrongAnswer("the answer is packed (Content-Encoding %q) although that was not asked for", brief(coding))
	}
	return nil
}

// page says whether the answer is a web page: proxies and captive portals send those with status 200.
func (a *answer) page() bool {
	return a.status == http.StatusOK && isPage(a.header.Get("Content-Type"))
}

func isPage(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(contentType), "text/html")
}
