package permalink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
	"github.com/reelkeep/reelkeep/storage"
)

const (
	// redirectTTL is how long a presigned link lives. A player follows a redirect once and seeks with what it got, so it
	// must be longer than anybody watches.
	redirectTTL = 6 * time.Hour
	// cacheLife is the longest that a browser may keep an answer: a page with twenty thumbnails does not fetch all of them
	// again a minute later, and a permalink that ends to be public is soon asked for anew.
	cacheLife = 5 * time.Minute
	// stallLimit is for how long a visitor may take nothing. A paused player does that too; it comes back with a Range.
	stallLimit = 2 * time.Minute
	chunk      = 64 << 10 // of a copy
	// mostBodies is how many bodies go through us at once, each with a chunk of memory and a connection to the store.
	mostBodies = 1024
)

// cacheControl lets nobody hold an answer beyond the time it is good for. until is when that ends; zero: never.
func (h *Handler) cacheControl(l leave, until time.Time) string {
	life := cacheLife
	for _, end := range []time.Time{l.until, until} {
		if !end.IsZero() {
			life = min(life, end.Sub(h.cfg.Now())/2)
		}
	}
	scope := "private"
	if h.cfg.Public && l.until.IsZero() {
		scope = "public"
	}
	return scope + ", max-age=" + strconv.Itoa(int(max(0, life)/time.Second))
}

// allow lets pages of other origins read what opens without a token anyway. What needs one, or is open because we are asked
// on our own machine, they must not.
func (l leave) allow(header http.Header) {
	if l.anyone {
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range, ETag")
	}
}

// redirect sends the visitor to the store.
func (h *Handler) redirect(w http.ResponseWriter, r *http.Request, s *found) {
	ttl := redirectTTL
	if !s.leave.until.IsZero() {
		ttl = min(ttl, s.leave.until.Sub(h.cfg.Now()))
	}
	link, expires, err := h.deps.Files.PresignGet(r.Context(), s.key, s.asset.Key, storage.PresignOptions{
		TTL: max(ttl, time.Second), ContentType: contentType(s.asset), Disposition: s.disposition, Head: r.Method == http.MethodHead,
	})
	if err != nil {
		h.trouble(r.Context(), "link not signed", s.file(), err)
		unavailable("the archive gives no links at the moment").ServeHTTP(w, r)
		return
	}
	header := w.Header()
	header.Set("Location", link)
	header.Set("Cache-Control", h.cacheControl(s.leave, expires))
	header.Set("Content-Length", "0")
	s.leave.allow(header)
	w.WriteHeader(http.StatusFound)
}

func (s *found) file() sharelink.File {
	return sharelink.File{Account: s.key.Account, VideoID: s.key.VideoID, Asset: s.asset.Asset}
}

// contentType is that of the manifest. What it may be is a short list of ours; the charset is what subtitles are in.
func contentType(a storage.Asset) string {
	switch {
	case strings.HasPrefix(a.ContentType, "video/"), strings.HasPrefix(a.ContentType, "image/"), a.ContentType == "application/x-subrip":
		return a.ContentType
	case strings.HasPrefix(a.ContentType, "text/") && a.ContentType != "text/html":
		return a.ContentType + "; charset=utf-8"
	}
	return "application/octet-stream"
}

// proxy sends the bytes through us. net/http decides what is to be sent (Range, If-Range and the other conditions) and
// writes into a plan; the store is asked for exactly that range, and only once it has it are the headers sent, so that
// a store out of reach is a 503 and not half an answer.
func (h *Handler) proxy(w http.ResponseWriter, r *http.Request, s *found) {
	w, _ = stall.Guard(w, r, stallLimit)
	header := w.Header()
	header.Set("Content-Type", contentType(s.asset))
	header.Set("Content-Disposition", s.disposition)
	header.Set("ETag", `"`+s.asset.SHA256+`"`)
	header.Set("Cache-Control", h.cacheControl(s.leave, time.Time{}))
	if !strings.HasPrefix(s.asset.ContentType, "video/") && !strings.HasPrefix(s.asset.ContentType, "image/") {
		// Text of strangers on our own origin: whatever a browser takes it for, it may do nothing.
		header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	}
	s.leave.allow(header)
	p := &plan{header: header.Clone(), size: s.asset.Bytes}
	http.ServeContent(p, singleRange(r), "", s.asset.StoredAt, p)
	if !p.reading || r.Method == http.MethodHead {
		p.send(w)
		return
	}
	select {
	case h.bodies <- struct{}{}:
		defer func() { <-h.bodies }()
	default:
		notServed(w, errCrowded)
		return
	}
	n, err := strconv.ParseInt(p.header.Get("Content-Length"), 10, 64)
	if err != nil {
		n = s.asset.Bytes - p.off
	}
	body, err := h.deps.Files.Open(r.Context(), s.key, s.asset.Key, p.off, n)
	if err != nil {
		h.trouble(r.Context(), "file not opened", s.file(), err)
		notServed(w, err)
		return
	}
	defer body.Close()
	p.send(w)
	if err := copyBody(r.Context(), w, body); err != nil {
		// What was promised can't be kept; net/http cuts the connection when fewer bytes came than it has announced.
		h.trouble(r.Context(), "file not read to its end", s.file(), err)
	}
}

var errCrowded = errors.New("too many films go through this process at once (REELKEEP_PERMALINK_MODE=redirect sends players to the store)")

// notServed takes back what was said about the file: none of it holds for the error.
func notServed(w http.ResponseWriter, err error) {
	for _, name := range []string{"Content-Disposition", "Etag", "Content-Security-Policy", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"} {
		w.Header().Del(name)
	}
	no := unavailable("the archive is out of reach at the moment")
	switch {
	case errors.Is(err, errCrowded):
		no = unavailable(errCrowded.Error())
	case errors.Is(err, storage.ErrNotFound):
		no = damaged()
	}
	no.ServeHTTP(w, nil)
}

// singleRange leaves out a Range of several: each would be a request to the store, and RFC 9110 lets us send all of it. It
// wants one to be ignored whose unit is not known, and with every method but GET.
func singleRange(r *http.Request) *http.Request {
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	if unit == "bytes" && r.Method == http.MethodGet && !strings.Contains(ranges, ",") {
		return r
	}
	one := *r
	one.Header = r.Header.Clone()
	one.Header.Del("Range")
	return &one
}

// plan is what http.ServeContent wants to send: it stands for the file and for the visitor at once.
type plan struct {
	header  http.Header
	status  int
	text    bytes.Buffer // of an error
	size    int64
	off     int64
	reading bool // the file's bytes from off on are wanted
}

func (p *plan) Header() http.Header { return p.header }

func (p *plan) WriteHeader(status int) {
	p.status = status
	p.reading = status == http.StatusOK || status == http.StatusPartialContent
}

func (p *plan) Write(b []byte) (int, error) { return p.text.Write(b) }

func (p *plan) Read([]byte) (int, error) { return 0, io.EOF }

func (p *plan) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.off
	case io.SeekEnd:
		offset += p.size
	}
	p.off = offset
	return offset, nil
}

func (p *plan) send(w http.ResponseWriter) {
	header := w.Header()
	clear(header)
	for name, values := range p.header {
		header[name] = values
	}
	w.WriteHeader(p.status)
	if p.text.Len() > 0 {
		_, _ = w.Write(p.text.Bytes()) // whoever asked may be gone
	}
}

// copyBody returns only errors of reading: a visitor who has left is nobody's trouble.
func copyBody(ctx context.Context, w io.Writer, body io.Reader) error {
	buffer := make([]byte, chunk)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF), err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}
