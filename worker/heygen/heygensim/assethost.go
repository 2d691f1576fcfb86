package heygensim

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	bufferSize = 128 << 10

	lie = 1000 // bytes by which FaultLonger and FaultShorter are wrong about a file's length

	// aliasPrefix is where FaultRedirect leads: the same file, without the fault.
	aliasPrefix = "/elsewhere"

	s3Denied = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>SIM0000REQ</RequestId><HostId>SIMHOSTID=</HostId></Error>`
	s3NoKey = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>SIM0000REQ</RequestId><HostId>SIMHOSTID=</HostId></Error>`
	s3SlowDown = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>SIM0000REQ</RequestId></Error>`
	s3BadRange = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Error><Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message><ActualObjectSize>%d</ActualObjectSize></Error>`
	signIn = `<!DOCTYPE html><html><head><title>HeyGen</title></head><body>Sign in</body></html>`
)

// answer is one answer of the asset host while it is put together.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	log    *Request
	sim    *Sim
	object *object
	data   content
	span   span
	fault  *Fault
	cut    int64 // where the fault cuts, or -1
	end    func()
}

// serveAsset is the asset host: signature, object, range, fault, body.
func (s *Sim) serveAsset(w http.ResponseWriter, r *http.Request) {
	now := s.opt.Now()
	a := &answer{w: w, r: r, sim: s, log: s.journal.open("asset", r, now), cut: -1, end: s.journal.begin()}
	defer a.end()
	path, query, signed := strings.Cut(r.RequestURI, "?")
	path, alias := strings.CutPrefix(path, aliasPrefix)

	h := w.Header()
	h.Set("Server", "CloudFront")
	h.Set("Via", "1.1 00000000000000000000000000000000.cloudfront.net (CloudFront)")
	o, late := s.lookup(path, now)
	if signed || o == nil || o.open != path {
		if code, message := s.signer.check(path, query, now); code != "" {
			h.Set("X-Cache", "Error from cloudfront")
			a.text(http.StatusForbidden, "text/xml", `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>`+message+`</Message></Error>`)
			return
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.text(http.StatusMethodNotAllowed, "text/xml", s3Denied)
		return
	}
	if o == nil || late {
		a.text(http.StatusNotFound, "application/xml", s3NoKey)
		return
	}
	a.object = o
	s.mu.Lock()
	a.data = o.current()
	s.mu.Unlock()
	s.journal.note(func() { a.log.VideoID, a.log.Asset = o.video, o.asset })
	a.span = a.asked()
	if !alias {
		a.fault, a.cut = s.strike(o, a.span.off, a.span.end)
	}
	a.serve()
}

// lookup finds the object behind a path, and whether its time has not come yet.
func (s *Sim) lookup(path string, now time.Time) (o *object, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.paths[path]
	if o == nil {
		return nil, false
	}
	return o, s.videos[o.video].offered(o.asset, now) == nil
}

// serve writes the answer, fault included.
func (a *answer) serve() {
	kind := ""
	if a.fault != nil {
		kind = a.fault.Kind
		a.sim.journal.note(func() { a.log.Fault = kind })
		if kind != FaultStall && !a.wait(a.fault.Delay) {
			return
		}
	}
	switch kind {
	case FaultHTML:
		a.text(http.StatusOK, "text/html; charset=utf-8", signIn)
	case FaultForbidden:
		a.text(http.StatusForbidden, "application/xml", s3Denied)
	case FaultNotFound:
		a.text(http.StatusNotFound, "application/xml", s3NoKey)
	case FaultServerError:
		a.text(http.StatusServiceUnavailable, "application/xml", s3SlowDown)
	case FaultTooMany:
		a.w.Header().Set("Retry-After", "1")
		a.text(http.StatusTooManyRequests, "application/xml", s3SlowDown)
	case FaultRedirect:
		a.w.Header().Set("Location", a.sim.fileURL+aliasPrefix+a.r.RequestURI)
		a.text(http.StatusFound, "text/plain", "")
	case FaultGzip:
		a.gzip()
	default:
		a.file(kind)
	}
}

// file writes the headers of the file and the bytes asked for.
func (a *answer) file(kind string) {
	h := a.w.Header()
	h.Set("Content-Type", a.object.contentType())
	if !a.object.spec.Bare {
		h.Set("Last-Modified", a.modified().UTC().Format(http.TimeFormat))
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Cache", "Miss from cloudfront")
	if kind == FaultNodes {
		a.data.etag = `"` + randomHex(16) + `"`
	}
	if a.data.etag != "" && !a.object.spec.Bare {
		h.Set("ETag", a.data.etag)
	}
	total := a.data.size
	switch kind {
	case FaultNoRanges, FaultChunked:
		h.Del("Accept-Ranges")
		a.span = span{end: a.data.size, status: http.StatusOK}
	case FaultLonger:
		total += lie
	case FaultShorter:
		total = max(total-lie, 0)
		a.span = a.span.within(total)
	case FaultWrongRange:
		a.span = a.span.shifted(a.data.size)
	case FaultWrongLength:
		a.span.end = max(a.span.end-1, a.span.off)
	}
	switch a.span.status {
	case http.StatusRequestedRangeNotSatisfiable:
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", total))
		a.text(a.span.status, "application/xml", fmt.Sprintf(s3BadRange, total))
		return
	case http.StatusPartialContent:
		last := a.span.end - 1
		if kind == FaultWrongLength {
			last++ // what was asked for, though not what comes
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", a.span.off, last, total))
	}
	switch {
	case kind == FaultChunked:
	case kind == FaultLonger && a.span.status == http.StatusOK:
		h.Set("Content-Length", strconv.FormatInt(total, 10)) // more than comes
	default:
		h.Set("Content-Length", strconv.FormatInt(a.span.end-a.span.off, 10))
	}
	a.sim.journal.note(func() { a.log.Offset, a.log.ETag = a.span.off, a.data.etag })
	a.status(a.span.status)
	if a.r.Method == http.MethodHead {
		return
	}
	a.body(kind)
}

// body sends the span, and does at the cut what the fault does.
func (a *answer) body(kind string) {
	if a.cut < 0 {
		a.send(a.span.off, a.span.end)
		if kind == FaultChunked {
			_ = http.NewResponseController(a.w).Flush() // else a short body would get a length after all
		}
		return
	}
	if !a.send(a.span.off, a.cut) {
		return
	}
	_ = http.NewResponseController(a.w).Flush() // fails only where the client has gone
	switch kind {
	case FaultDrop, FaultReplaced, FaultRetagged:
		a.reset()
	case FaultStall:
		if a.fault.Delay > 0 && a.wait(a.fault.Delay) {
			a.send(a.cut, a.span.end)
			return
		}
		select {
		case <-a.r.Context().Done():
		case <-a.sim.done:
		}
	}
	// FaultShort needs nothing: net/http closes a connection whose answer stayed below its length.
}

// send writes the bytes from off to end, and says whether the client took them.
func (a *answer) send(off, end int64) bool {
	buf := a.sim.buffers.Get().(*[bufferSize]byte)
	defer a.sim.buffers.Put(buf)
	started, sent := time.Now(), int64(0) // of the wire, not of Options.Now
	piece, limit := int64(bufferSize), a.sim.opt.Bandwidth
	if limit > 0 {
		piece = min(piece, limit/20+1) // twenty pieces a second look smooth
	}
	for off < end {
		n, err := a.data.ReadAt(buf[:min(piece, end-off)], off)
		if n == 0 && err != nil {
			return false
		}
		a.sim.journal.sent(a.log, n)
		if off+int64(n) == end {
			a.end() // once these are there the client may ask for the next ones
		}
		if _, err := a.w.Write(buf[:n]); err != nil {
			return false
		}
		off, sent = off+int64(n), sent+int64(n)
		if limit > 0 {
			_ = http.NewResponseController(a.w).Flush()
			if !a.wait(time.Duration(float64(sent)/float64(limit)*float64(time.Second)) - time.Since(started)) {
				return false
			}
		}
	}
	return true
}

// wait sleeps, and says whether the client is still there.
func (a *answer) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.r.Context().Done():
	case <-a.sim.done:
	}
	return false
}

func (a *answer) gzip() {
	h := a.w.Header()
	h.Set("Content-Type", a.object.contentType())
	h.Set("Content-Encoding", "gzip")
	if a.data.etag != "" {
		h.Set("ETag", a.data.etag)
	}
	a.status(http.StatusOK)
	z := gzip.NewWriter(a.w)
	if _, err := io.Copy(z, io.NewSectionReader(a.data, 0, a.data.size)); err == nil {
		_ = z.Close()
	}
}

func (a *answer) text(status int, contentType, body string) {
	a.w.Header().Set("Content-Type", contentType)
	a.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	a.status(status)
	a.sim.journal.sent(a.log, len(body))
	_, _ = io.WriteString(a.w, body) // fails only where the client has gone
}

func (a *answer) status(code int) {
	a.sim.journal.note(func() { a.log.Status = code })
	a.w.WriteHeader(code)
}

// modified is when the file was finished.
func (a *answer) modified() time.Time {
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	e := a.sim.videos[a.object.video]
	if e == nil {
		return a.sim.opt.Now()
	}
	_, at := e.status(a.sim.opt.Now())
	return at.Add(a.object.spec.After)
}
