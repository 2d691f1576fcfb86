package heygensim

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// span is the part of a file that an answer carries, from off up to but not including end.
type span struct {
	off, end int64
	status   int
}

// asked reads the Range header as S3 does: one range only, anything else is answered with the whole file;
// If-Range with another validator than ours as well.
func (a *answer) asked() span {
	whole := span{end: a.data.size, status: http.StatusOK}
	header := a.r.Header.Get("Range")
	if condition := a.r.Header.Get("If-Range"); header == "" || (condition != "" && !a.matches(condition)) {
		return whole
	}
	s, ok := parseRange(header, a.data.size)
	if !ok {
		return whole
	}
	return s
}

// matches compares an If-Range validator. A weak ETag never matches: HTTP says so.
func (a *answer) matches(condition string) bool {
	if strings.HasPrefix(condition, `"`) {
		return condition == a.data.etag
	}
	return condition == a.modified().UTC().Format(http.TimeFormat)
}

// parseRange reads "bytes=a-b", "bytes=a-" and "bytes=-n".
func parseRange(header string, size int64) (span, bool) {
	set, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(set, "-")
	if !ok || !dash || strings.Contains(set, ",") {
		return span{}, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return span{}, false
		}
		return satisfied(max(size-int64(n), 0), size, size), true
	}
	off, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return span{}, false
	}
	end := uint64(size)
	if last != "" {
		if end, err = strconv.ParseUint(last, 10, 63); err != nil || end < off {
			return span{}, false
		}
		end++
	}
	return satisfied(int64(off), int64(min(end, uint64(size))), size), true
}

func satisfied(off, end, size int64) span {
	if off >= size || off >= end {
		return span{status: http.StatusRequestedRangeNotSatisfiable}
	}
	return span{off: off, end: end, status: http.StatusPartialContent}
}

// within is what is left of the span in a file that is shorter.
func (s span) within(size int64) span {
	if s.status != http.StatusOK && s.off >= size {
		return span{status: http.StatusRequestedRangeNotSatisfiable}
	}
	s.end = min(s.end, size)
	return s
}

// shifted is another range of the same file: one byte further on, or where there is no room one byte earlier
// or shorter.
func (s span) shifted(size int64) span {
	switch {
	case s.status != http.StatusPartialContent:
		return s
	case s.end < size:
		return span{s.off + 1, s.end + 1, s.status}
	case s.off > 0:
		return span{s.off - 1, s.end - 1, s.status}
	case s.end > 1:
		return span{0, s.end - 1, s.status}
	}
	return s
}

// reset takes the connection away from net/http and ends it with a TCP reset, as a network does that drops it.
func (a *answer) reset() {
	conn, _, err := http.NewResponseController(a.w).Hijack()
	if err != nil {
		return // returning early closes it as well, less rudely
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
