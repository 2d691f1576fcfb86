package heygensim

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxPage   = 100
	notHere   = `<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>`
	sunset    = "Sat, 31 Oct 2026 00:00:00 GMT"
	jsonType  = "application/json"
	v3DocsURL = "https://developers.heygen.com/docs/error-codes#"
)

// apiFault answers for the API for a while.
type apiFault struct {
	status int
	body   string
	left   int // how often still; negative: for good
}

// APIFault makes the next answers of the API this one, before anything else is looked at. Several calls
// queue up. times 0 means for good, until APIFault(0, "", 0) takes all of them back; status 0 with times above 0 cuts the
// connection. 429 and 503 carry Retry-After: 1.
func (s *Sim) APIFault(status int, body string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 && times == 0 {
		s.faults = nil
		return
	}
	if times == 0 {
		times = -1
	}
	s.faults = append(s.faults, apiFault{status, body, times})
}

// outage is what the whole API answers until it is lifted.
type outage struct {
	apiFault
	retryAfter time.Duration
}

// APIOutage makes every answer of the API this one until lift is called: a status and a body, with a Retry-After
// where that is not 0. Status 0 cuts every connection. A second outage takes the place of the first.
func (s *Sim) APIOutage(status int, body string, retryAfter time.Duration) (lift func()) {
	o := &outage{apiFault{status: status, body: body}, retryAfter}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = o
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.outage == o {
			s.outage = nil
		}
	}
}

func (s *Sim) currentOutage() *outage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outage
}

func (s *Sim) nextAPIFault() (apiFault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return apiFault{}, false
	}
	f := s.faults[0]
	if f.left > 0 {
		if s.faults[0].left--; s.faults[0].left == 0 {
			s.faults = s.faults[1:]
		}
	}
	return f, true
}

// body is a JSON object of an answer.
type body map[string]any

// call is one call of the API.
type call struct {
	sim *Sim
	w   http.ResponseWriter
	r   *http.Request
	log *Request
	now time.Time
}

func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	now := s.opt.Now()
	c := &call{sim: s, w: w, r: r, now: now, log: s.journal.open("api", r, now)}
	w.Header().Set("X-Request-Id", "req_sim_"+randomHex(6))
	if o := s.currentOutage(); o != nil {
		c.fault(o.apiFault, o.retryAfter)
		return
	}
	if f, ok := s.nextAPIFault(); ok {
		var wait time.Duration
		if f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable {
			wait = time.Second
		}
		c.fault(f, wait)
		return
	}
	switch {
	case s.opt.V1 && r.Method == http.MethodPost && r.URL.Path == "/v2/video/generate":
		c.create(false)
	case s.opt.V3 && r.Method == http.MethodPost && r.URL.Path == "/v3/videos":
		c.create(true)
	case s.opt.V1 && strings.HasPrefix(r.URL.Path, "/v1/"):
		w.Header().Set("Deprecation", "true")
		w.Header().Set("Sunset", sunset)
		c.v1()
	case s.opt.V3 && strings.HasPrefix(r.URL.Path, "/v3/"):
		c.v3()
	default:
		c.raw(http.StatusNotFound, "text/html; charset=utf-8", notHere)
	}
}

// fault answers what APIFault or APIOutage was told.
func (c *call) fault(f apiFault, retryAfter time.Duration) {
	c.sim.journal.note(func() { c.log.Fault = "api" })
	if f.status == 0 {
		(&answer{w: c.w}).reset()
		return
	}
	if retryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	}
	contentType := jsonType
	if strings.HasPrefix(strings.TrimSpace(f.body), "<") {
		contentType = "text/html; charset=utf-8"
	}
	c.raw(f.status, contentType, f.body)
}

func (c *call) authorized() bool {
	got := c.r.Header.Get("X-Api-Key")
	return subtle.ConstantTimeCompare([]byte(got), []byte(c.sim.opt.Key)) == 1
}

func (c *call) raw(status int, contentType, body string) {
	c.w.Header().Set("Content-Type", contentType)
	c.sim.journal.note(func() { c.log.Status, c.log.Bytes = status, int64(len(body)) })
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, body) // fails only where the client has gone
}

// json writes an answer. It needs the lock to be free: a client that doesn't read must not hold up the rest.
func (c *call) json(status int, answer body) {
	if c.sim.opt.Messy && status == http.StatusOK {
		answer = messy(answer)
		answer["warning"] = body{"message": "This endpoint is deprecated.", "sunset_date": "2026-10-31"}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the "&" of a link stands as it is in HeyGen's answers
	if err := enc.Encode(answer); err != nil {
		c.raw(http.StatusInternalServerError, jsonType, "{}")
		return
	}
	c.raw(status, jsonType, b.String())
}

// messy is the same answer as a careless serialiser would write it.
func messy(in body) body {
	out := body{}
	for key, value := range in {
		switch v := value.(type) {
		case nil:
		case int64:
			out[key] = json.Number(fmt.Sprintf("%d.0", v))
		case int:
			out[key] = strconv.Itoa(v)
		case body:
			out[key] = messy(v)
		case []body:
			items := make([]body, len(v))
			for i, item := range v {
				items[i] = messy(item)
			}
			out[key] = items
		default:
			out[key] = v
		}
	}
	return out
}

// links is every link of a video now, under the names of that generation; nil for what isn't there.
func (c *call) links(e *entry, names map[string]string, v3 bool) body {
	out := body{}
	for asset, name := range names {
		out[name] = nil
		o := e.offered(asset, c.now)
		switch {
		case o == nil:
		case o.open != "" && (asset == assetGIF || !v3):
			out[name] = c.sim.fileURL + o.open
		default:
			out[name] = c.sim.link(o.paths[0], v3)
		}
	}
	return out
}

// limit reads the page size asked for.
func (c *call) limit(fallback int) (int, bool) {
	text := c.r.URL.Query().Get("limit")
	if text == "" {
		return min(fallback, c.sim.opt.PageSize), true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, false
	}
	return min(n, c.sim.opt.PageSize), true
}

func number(f float64) any {
	if f == 0 {
		return nil
	}
	return f
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
