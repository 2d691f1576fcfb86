package heygen

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// fields is a JSON object whose values are read only when asked for, so that one value of an unexpected type
// costs that value and not the whole answer.
type fields map[string]json.RawMessage

// object reads raw as a JSON object. Null and every other type are no object.
func object(raw []byte) (fields, bool) {
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, false
	}
	return f, f != nil
}

// has says whether the name is there and not null.
func (f fields) has(name string) bool {
	raw := bytes.TrimSpace(f[name])
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// text returns the first of the names that holds text. A number counts as its own digits: HeyGen's codes come both ways.
func (f fields) text(names ...string) string {
	for _, name := range names {
		if s := text(f[name]); s != "" {
			return s
		}
	}
	return ""
}

func text(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch b := raw[0]; {
	case b == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return strings.TrimSpace(s)
	case b == '-', '0' <= b && b <= '9':
		return string(raw)
	}
	return ""
}

// number returns the first of the names that holds a finite number, written as a number or as a string.
func (f fields) number(names ...string) (float64, bool) {
	for _, name := range names {
		n, err := strconv.ParseFloat(f.text(name), 64)
		if err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			return n, true
		}
	}
	return 0, false
}

// time returns the first of the names that holds a moment: Unix seconds (whole or not), milliseconds, or ISO 8601.
// Zero means unknown, as do 0 and dates outside the years in which HeyGen can have made a video.
func (f fields) time(names ...string) time.Time {
	for _, name := range names {
		t, ok := f.moment(name)
		if ok && t.Year() >= 2000 && t.Year() < 2200 {
			return t
		}
	}
	return time.Time{}
}

// milliseconds is the bound above which a number of seconds would lie beyond the year 5000.
const milliseconds = 1e11

func (f fields) moment(name string) (time.Time, bool) {
	if n, ok := f.number(name); ok {
		if n >= milliseconds {
			n /= 1000
		}
		if n <= 0 || n >= milliseconds {
			return time.Time{}, false
		}
		whole, part := math.Modf(n)
		// Floats carry noise below the microsecond; keeping it would make equal moments differ.
		return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC(), true
	}
	s := f.text(name)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
