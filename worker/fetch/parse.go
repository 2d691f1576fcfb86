package fetch

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var errContentRange = errors.New("malformed Content-Range")

// contentRange is what a Content-Range header says. In an answer 416 there is only a total, and start is -1.
type contentRange struct {
	start, end int64 // end is the first byte no longer in the range, as everywhere in this package
	total      int64 // -1: the host does not know
}

// parseContentRange takes exactly the three forms of RFC 9110: "bytes 0-99/100", "bytes 0-99/*", "bytes */100".
func parseContentRange(s string) (contentRange, error) {
	unit, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return contentRange{}, errContentRange
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return contentRange{}, errContentRange
	}
	total, ok := digits(size)
	switch {
	case span == "*" && ok:
		return contentRange{start: -1, end: -1, total: total}, nil
	case size == "*":
		total = -1
	case !ok:
		return contentRange{}, errContentRange
	}
	first, last, ok := strings.Cut(span, "-")
	start, okStart := digits(first)
	end, okEnd := digits(last)
	if !ok || !okStart || !okEnd || start > end || end == math.MaxInt64 || (total >= 0 && end >= total) {
		return contentRange{}, errContentRange
	}
	return contentRange{start: start, end: end + 1, total: total}, nil
}

// digits is ParseInt without signs, underscores and other kindnesses.
func digits(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// longestRetryAfter keeps absurd values from overflowing; Retry.Longest cuts further.
const longestRetryAfter = 24 * time.Hour

// parseRetryAfter reads seconds or a date; anything else, and a date that has passed, is no wish at all: 0.
func parseRetryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "0123456789") == "" && s != "" {
		seconds, ok := digits(s)
		if !ok || seconds > int64(longestRetryAfter/time.Second) {
			return longestRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestRetryAfter)
}
