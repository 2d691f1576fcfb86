package storage

import (
	"errors"
	"fmt"
	"strings"
)

// location is where the shelf stands. prefix is empty or ends in "/".
type location struct{ bucket, prefix string }

func (l location) String() string {
	return "s3://" + l.bucket + "/" + strings.TrimSuffix(l.prefix, "/")
}

// parseLocation reads s3://bucket/prefix. Two spellings of one place give the same location, because the fingerprint
// of a fleet is made of it.
func parseLocation(raw string) (location, error) {
	rest, ok := strings.CutPrefix(raw, "s3://")
	if !ok {
		return location{}, errors.New("REELKEEP_STORE: want s3://bucket/prefix")
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !validBucket(bucket) {
		// The text is not repeated: people paste keys into addresses (s3://KEY:SECRET@bucket).
		return location{}, errors.New("REELKEEP_STORE: want a bucket name of 3 to 63 letters, digits, dots and hyphens after s3:// (keys belong into AWS_ACCESS_KEY_ID)")
	}
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return location{bucket: bucket}, nil
	}
	for segment := range strings.SplitSeq(prefix, "/") {
		if !validSegment(segment) {
			return location{}, fmt.Errorf("REELKEEP_STORE: the prefix behind bucket %s may hold letters, digits and . _ - = + @ between single slashes, without \"..\"", bucket)
		}
	}
	if len(prefix) > 512 {
		return location{}, errors.New("REELKEEP_STORE: the prefix is longer than 512 characters; S3 keys end at 1,024")
	}
	return location{bucket: bucket, prefix: prefix + "/"}, nil
}

// validBucket is a little wider than AWS's rule: older and other stores know upper case and underscores.
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 || !isAlnum(name[0]) || strings.Contains(name, "..") {
		return false
	}
	return only(name, ".-_")
}

// validSegment accepts one step of a key that needs no escaping anywhere and cannot climb.
func validSegment(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 200 && only(s, ".-_=+@")
}

func only(s, extra string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
