package heygensim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one request that reached the simulator.
type Request struct {
	Host     string // "api" or "asset"
	Method   string
	Path     string // as spelled on the wire
	RawQuery string
	Header   http.Header
	VideoID  string // of an asset, where the path is one
	Asset    string
	Status   int    // 0 while nothing was answered, and for good where the connection was cut before
	Bytes    int64  // body bytes handed to the connection so far
	Offset   int64  // of the first of them in the file, where they are of the file
	ETag     string // of the version they are of, and "" where they are not of the file
	Fault    string // the fault that struck, or ""
	At       time.Time
}

// Counts sums up the requests.
type Counts struct {
	API, Asset int
	Bytes      int64 // body bytes of the asset host

	// AtOnce is the most answers of the asset host that were under way at the same time.
	AtOnce int

	// What of API went to the routes of one video, of a list and of many statuses.
	Detail, List, Statuses int
}

// journal counts the requests, and remembers them and the leaks.
type journal struct {
	key   string
	brief bool // only count

	mu       sync.Mutex
	counts   Counts
	underWay int
	requests []*Request
	leaks    []string
}

// open notes a request. The entry is filled in while the answer is written, by note.
func (j *journal) open(host string, r *http.Request, at time.Time) *Request {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	entry := &Request{Host: host, Method: r.Method, Path: path, RawQuery: query, Header: r.Header, At: at}
	if !j.brief {
		entry.Header = r.Header.Clone()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts.add(entry)
	if !j.brief {
		j.requests = append(j.requests, entry)
	}
	if host == "asset" {
		j.leaks = append(j.leaks, leaks(entry, j.key)...)
	}
	return entry
}

func (c *Counts) add(r *Request) {
	if r.Host == "asset" {
		c.Asset++
		return
	}
	c.API++
	switch r.Path {
	case "/v3/videos", "/v1/video.list":
		c.List++
	case "/v3/videos/statuses":
		c.Statuses++
	default:
		c.Detail++
	}
}

// begin counts an answer of the asset host, until the function it returns is called for the first time.
func (j *journal) begin() (end func()) {
	j.note(func() {
		j.underWay++
		j.counts.AtOnce = max(j.counts.AtOnce, j.underWay)
	})
	return sync.OnceFunc(func() { j.note(func() { j.underWay-- }) })
}

// sent notes body bytes of the asset host.
func (j *journal) sent(entry *Request, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Bytes += int64(n)
	j.counts.Bytes += int64(n)
}

// note changes an entry under the lock.
func (j *journal) note(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

// leaks names what a request to the asset host should not have carried. It does not repeat the secret.
func leaks(r *Request, key string) []string {
	var found []string
	for _, name := range []string{"X-Api-Key", "Authorization", "Proxy-Authorization", "Cookie", "Referer"} {
		if r.Header.Get(name) != "" {
			found = append(found, fmt.Sprintf("%s %s carries %s", r.Method, r.Path, name))
		}
	}
	for name, values := range r.Header {
		if name != "X-Api-Key" && strings.Contains(strings.Join(values, "\n"), key) {
			found = append(found, fmt.Sprintf("%s %s carries the API key in %s", r.Method, r.Path, name))
		}
	}
	if strings.Contains(r.RawQuery, key) || strings.Contains(r.Path, key) {
		found = append(found, fmt.Sprintf("%s: a link carries the API key", r.Method))
	}
	return found
}

// Requests returns every request so far, in the order of arrival; none where Options.CountOnly is set.
func (s *Sim) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	all := make([]Request, len(s.journal.requests))
	for i, r := range s.journal.requests {
		all[i] = *r
		all[i].Header = r.Header.Clone()
	}
	return all
}

// Forget empties the log of requests, so that what follows can be counted. Leaks stay.
func (s *Sim) Forget() {
	s.journal.note(func() { s.journal.requests, s.journal.counts = nil, Counts{} })
}

// Counts sums up the requests since the start or the last Forget.
func (s *Sim) Counts() Counts {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.counts
}

// Sent is how many bytes of one asset went out: more than its size means that something was fetched twice. It is
// always 0 where Options.CountOnly is set.
func (s *Sim) Sent(id, asset string) int64 {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	var n int64
	for _, r := range s.journal.requests {
		if r.VideoID == id && r.Asset == asset {
			n += r.Bytes
		}
	}
	return n
}

// Leaks lists what reached the asset host and should not have: an API key, a cookie, an Authorization, a
// Referer. Empty means that nothing leaked.
func (s *Sim) Leaks() []string {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return slices.Clone(s.journal.leaks)
}
