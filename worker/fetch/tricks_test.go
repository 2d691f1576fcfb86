package fetch_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// span reads the Range header that fetch sends; whole is true if there is none.
func span(r *http.Request) (off, end int64, whole bool) {
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &off, &end); err != nil {
		return 0, 0, true
	}
	return off, end + 1, false
}

// raw sends exactly this text and closes the connection.
func raw(w http.ResponseWriter, head string, body []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = conn.Write(append([]byte(strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"), body...))
}

// head206 is an honest head for the range that was asked for, within a file of size.
func head206(r *http.Request, size int) (text string, off, end int64) {
	off, end, _ = span(r)
	end = min(end, int64(size))
	return fmt.Sprintf("HTTP/1.1 206 Partial Content\nETag: \"v1\"\nContent-Range: bytes %d-%d/%d", off, end-1, size), off, end
}

// cutAfter sends n bytes of the right answer and ends the connection.
func (s *source) cutAfter(n int64) trick {
	return func(w http.ResponseWriter, r *http.Request) bool {
		head, off, end := head206(r, len(s.file))
		raw(w, fmt.Sprintf("%s\nContent-Length: %d", head, end-off), s.file[off:min(off+n, end)])
		return true
	}
}

// resetAfter does the same with a TCP reset.
func (s *source) resetAfter(n int64) trick {
	return func(w http.ResponseWriter, r *http.Request) bool {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		head, off, end := head206(r, len(s.file))
		fmt.Fprintf(conn, "%s\r\nContent-Length: %d\r\n\r\n", strings.ReplaceAll(head, "\n", "\r\n"), end-off)
		_, _ = conn.Write(s.file[off:min(off+n, end)])
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
		return true
	}
}

// stallAfter sends n bytes and then nothing, until the client hangs up.
func (s *source) stallAfter(n int64) trick {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, off, end := head206(r, len(s.file))
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, end-1, len(s.file)))
		w.Header().Set("Content-Length", fmt.Sprint(end-off))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(s.file[off : off+n])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
}

// chunked sends n bytes of the answer in chunks, well ended, whatever was announced.
func (s *source) chunked(n int64) trick {
	return func(w http.ResponseWriter, r *http.Request) bool {
		head, off, end := head206(r, len(s.file))
		payload := s.file[off:min(off+n, int64(len(s.file)))]
		if n > end-off && int64(len(payload)) < n {
			payload = append(append([]byte(nil), payload...), make([]byte, n-int64(len(payload)))...)
		}
		body := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(payload), payload)
		raw(w, head+"\nTransfer-Encoding: chunked", []byte(body))
		return true
	}
}

// answers sends this head with an empty body.
func answers(format string, args ...any) trick {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		raw(w, fmt.Sprintf(format, args...)+"\nContent-Length: 0", nil)
		return true
	}
}

// status answers with an S3 error page.
func status(code int) trick {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(code)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Resource>?Signature=TOPSECRET</Resource></Error>")
		return true
	}
}

// whole answers with the file as it is, no ranges.
func (s *source) whole(w http.ResponseWriter, r *http.Request) bool {
	r.Header.Del("Range")
	s.honest(w, r)
	return true
}

// play sets what happens to the next requests.
func (s *source) play(tricks ...trick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tricks = tricks
}

// playAlways sets what happens to all requests after the list.
func (s *source) playAlways(t trick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = t
}
