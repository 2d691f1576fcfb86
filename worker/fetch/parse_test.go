package fetch

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"
)

func TestContentRangeIsReadStrictly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]contentRange{
		"bytes 0-99/100":       {0, 100, 100},
		" Bytes  0-0/1 ":       {0, 1, 1},
		"bytes 5-9/*":          {5, 10, -1},
		"bytes */7":            {-1, -1, 7},
		"bytes 0-9/0000000010": {0, 10, 10},
		"bytes 0-9223372036854775805/9223372036854775807": {0, math.MaxInt64 - 1, math.MaxInt64},
	} {
		if got, err := parseContentRange(in); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "bytes", "bytes ", "bytes 0-99", "bytes */*", "bytes 0-99/99", "bytes 9-0/100", "bytes -1-5/100", "items 0-1/2",
		"bytes=0-1/2", "bytes +0-1/2", "bytes 0-1/2/3", "bytes 0-1-2/3", "bytes 0x0-1/2", "bytes 0-1/2, 0-1/2", "bytes -/2",
		"bytes 0-9223372036854775807/*", "bytes 0-99999999999999999999/*", "bytes 0-1/-1", "bytes */", "bytes 1_0-2_0/100",
	} {
		if got, err := parseContentRange(in); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func FuzzContentRangeNeverDescribesAnImpossibleRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-99/100", "bytes */100", "bytes 0-0/*", "bytes 9-1/2", "bytes 0-9223372036854775807/*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := parseContentRange(in)
		switch {
		case err != nil:
			return
		case r.start == -1 && r.end == -1 && r.total >= 0:
			in = fmt.Sprintf("bytes */%d", r.total)
		case r.start < 0 || r.end <= r.start || (r.total != -1 && r.total < r.end):
			t.Fatalf("%q: impossible %+v", in, r)
		case r.total == -1:
			in = fmt.Sprintf("bytes %d-%d/*", r.start, r.end-1)
		default:
			in = fmt.Sprintf("bytes %d-%d/%d", r.start, r.end-1, r.total)
		}
		if again, err := parseContentRange(in); err != nil || again != r {
			t.Fatalf("%q: %+v then %+v, %v", in, r, again, err)
		}
	})
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		" 7 ":                           7 * time.Second,
		"3600":                          time.Hour,
		"99999999999999999999":          longestRetryAfter,
		"9223372036854775807":           longestRetryAfter,
		"-1":                            0,
		"1.5":                           0,
		"soon":                          0,
		now.Format(http.TimeFormat):     0,
		"Mon, 23 Nov 2026 10:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 09:00:00 GMT": 0,
		"Mon, 23 Nov 9999 09:00:00 GMT": longestRetryAfter,
	} {
		if got := parseRetryAfter(in, now); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

func FuzzRetryAfterIsNeverNegativeNorEndless(f *testing.F) {
	for _, seed := range []string{"", "120", "-3", "Mon, 23 Nov 2026 10:00:30 GMT", "99999999999999999999999"} {
		f.Add(seed)
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, in string) {
		if got := parseRetryAfter(in, now); got < 0 || got > longestRetryAfter {
			t.Errorf("%q: %v", in, got)
		}
	})
}
