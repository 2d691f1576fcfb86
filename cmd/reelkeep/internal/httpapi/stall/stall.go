// Package stall bounds a request by progress and not by length: a film on a slow line takes hours, an upload of
// gigabytes too, and neither is a failure while bytes move.
//
// A server's own limits (http.Server.ReadTimeout and WriteTimeout) count from the start of a request.
package stall

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A side that keeps us waiting has to be faster than floor, counted over each window of such waiting: else a byte every
// minute would hold a connection for ever. It is far below what a film or an upload needs.
const (
	floor  = 4 << 10 // bytes a second
	window = time.Minute
)

var errSlow = errors.New("the other side is too slow")

// pace measures one side.
type pace struct {
	waited time.Duration
	moved  int64
}

// slow takes note of n bytes for which the other side was waited for.
func (p *pace) slow(n int, waited time.Duration) bool {
	p.waited += waited
	p.moved += int64(n)
	if p.waited < window {
		return false
	}
	slow := float64(p.moved) < floor*p.waited.Seconds()
	*p = pace{}
	return slow
}

// Unread lets an answer go out although the body of its request has not been read: net/http would read it first.
func Unread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// Guard returns the two sides of a request, both without any limit but this: what waits for longer than limit for its next
// byte is cut.
func Guard(w http.ResponseWriter, r *http.Request, limit time.Duration) (http.ResponseWriter, *http.Request) {
	out := &writer{ResponseWriter: w, conn: http.NewResponseController(w), limit: limit}
	// Where there are no deadlines (a recorder in a test) there is none to lift; so it is with the other errors here.
	_ = out.conn.SetWriteDeadline(time.Time{})
	if r.Body == nil || r.Body == http.NoBody {
		return out, r
	}
	in := *r
	in.Body = &reader{ReadCloser: r.Body, w: out}
	return out, &in
}

type writer struct {
	http.ResponseWriter
	conn  *http.ResponseController
	limit time.Duration
	pace  pace
}

// Unwrap lets http.ResponseController through.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Write(b []byte) (int, error) {
	begun := time.Now()
	_ = w.conn.SetWriteDeadline(begun.Add(w.limit))
	n, err := w.ResponseWriter.Write(b)
	if err == nil && w.pace.slow(n, time.Since(begun)) {
		err = errSlow
	}
	return n, err
}

type reader struct {
	io.ReadCloser
	w    *writer
	pace pace
}

// Read leaves no deadline behind: at the end of a body net/http takes it away, to notice when the other side leaves.
func (r *reader) Read(b []byte) (int, error) {
	begun := time.Now()
	_ = r.w.conn.SetReadDeadline(begun.Add(r.w.limit))
	n, err := r.ReadCloser.Read(b)
	if err == nil && r.pace.slow(n, time.Since(begun)) {
		err = errSlow
	}
	return n, err
}
