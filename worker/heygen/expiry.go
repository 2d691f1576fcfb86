package heygen

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// latestExpiry is the end of the year 9999: a later moment can't be written in RFC 3339.
const latestExpiry = 253402300799

// Expiry reads from a signed link when it dies: CloudFront's Expires (Unix seconds), or the X-Amz-Date and
// X-Amz-Expires of an S3 signature; the earlier one if a link carries both. It reports false for a link that is not signed in
// one of these ways. Links are read and never rebuilt: a query put together again may be signed no more.
func Expiry(rawURL string) (time.Time, bool) {
	_, query, _ := strings.Cut(rawURL, "?")
	query, _, _ = strings.Cut(query, "#")
	var dead, signed time.Time
	var life time.Duration
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		switch strings.ToLower(name) {
		case "expires":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 && n <= latestExpiry {
				dead = time.Unix(n, 0).UTC()
			}
		case "x-amz-date":
			if t, err := time.Parse("20060102T150405Z", value); err == nil {
				signed = t
			}
		case "x-amz-expires":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil && n > 0 {
				life = time.Duration(n) * time.Second
			}
		}
	}
	if !signed.IsZero() && life > 0 {
		if end := signed.Add(life); end.Unix() <= latestExpiry && (dead.IsZero() || end.Before(dead)) {
			dead = end
		}
	}
	return dead, !dead.IsZero()
}
