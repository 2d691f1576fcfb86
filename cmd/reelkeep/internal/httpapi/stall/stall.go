// Package stall bounds a request by progress and not by length: a film on a slow line takes hours, an upload of
// gigabytes too, and neither is a failure while bytes move.
//
// A server's own limits (http.Server.ReadTimeout and WriteTimeout) count from the start of a request.
package stall

import (
	"io"
	"net/http"
	"time"
)

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
}

// Unwrap lets http.ResponseController through.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Write(b []byte) (int, error) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.limit))
	return w.ResponseWriter.Write(b)
}

type reader struct {
	io.ReadCloser
	w *writer
}

// Read leaves no deadline behind: at the end of a body net/http takes it away, to notice when the other side leaves.
func (r *reader) Read(b []byte) (int, error) {
	_ = r.w.conn.SetReadDeadline(time.Now().Add(r.w.limit))
	return r.ReadCloser.Read(b)
}
