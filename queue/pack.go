package queue

import (
	"fmt"
	"strconv"
	"strings"
)

// pack shortens what is long and leaves out what unpack can tell from the rest. What older versions wrote holds all of
// it, and unpack takes it as it is; of what we write, older versions understand the state, which is what matters in
// the middle of an upgrade.
func (r record) pack() record {
	r.Times = packTimes(r.Settled, r.Accepted, r.Sealed, r.Deadline)
	r.Settled, r.Accepted, r.Sealed, r.Deadline = 0, 0, 0, 0
	if r.Bytes == storedBytes(r.Files) {
		r.Bytes = 0
	}
	return r
}

func (r *record) unpack() error {
	if r.Bytes == 0 {
		r.Bytes = storedBytes(r.Files)
	}
	if r.Times == "" {
		return nil
	}
	return unpackTimes(r.Times, &r.Settled, &r.Accepted, &r.Sealed, &r.Deadline)
}

// packBase is the base of packed numbers: the highest that strconv knows.
const packBase = 36

// packTimes writes times as "first.distance.distance": the distances to the first are small. An unknown time is empty.
func packTimes(first int64, others ...int64) string {
	var b strings.Builder
	b.WriteString(strconv.FormatInt(first, packBase))
	for _, t := range others {
		b.WriteByte('.')
		if t != 0 {
			b.WriteString(strconv.FormatInt(t-first, packBase))
		}
	}
	return b.String()
}

func unpackTimes(packed string, first *int64, others ...*int64) error {
	parts := strings.Split(packed, ".")
	if len(parts) < 1+len(others) {
		return fmt.Errorf("%d times instead of %d", len(parts), 1+len(others))
	}
	var err error
	if *first, err = strconv.ParseInt(parts[0], packBase, 64); err != nil {
		return fmt.Errorf("read a time: %w", err)
	}
	for i, t := range others {
		if parts[i+1] == "" {
			continue
		}
		distance, err := strconv.ParseInt(parts[i+1], packBase, 64)
		if err != nil {
			return fmt.Errorf("read a time: %w", err)
		}
		*t = *first + distance
	}
	return nil
}

// shortAssets are the assets that nearly every video has, by one letter.
func shortAssets() map[string]string {
	return map[string]string{"video": "v", "thumbnail": "t", "gif": "g", "captions": "c", "captioned_video": "k"}
}

// packFiles writes "v=iq7uo,g=-": a number is stored, "-" is absent. Older versions wrote "video:31457280,gif:-".
func packFiles(assets []AssetStatus) string {
	short := shortAssets()
	var parts []string
	for _, a := range assets {
		name := a.Asset
		if s, ok := short[name]; ok {
			name = s
		}
		switch a.State {
		case AssetStored:
			parts = append(parts, name+"="+strconv.FormatInt(a.Bytes, packBase))
		case AssetAbsent:
			parts = append(parts, name+"=-")
		}
	}
	return strings.Join(parts, ",")
}

func unpackFiles(files string) []AssetStatus {
	if files == "" {
		return nil
	}
	long := map[string]string{}
	for name, s := range shortAssets() {
		long[s] = name
	}
	var out []AssetStatus
	for _, part := range strings.Split(files, ",") {
		base := packBase
		name, size, ok := strings.Cut(part, "=")
		if !ok {
			base = 10
			name, size, ok = strings.Cut(part, ":")
		}
		if !ok {
			continue
		}
		if full, ok := long[name]; ok {
			name = full
		}
		if size == "-" {
			out = append(out, AssetStatus{Asset: name, State: AssetAbsent})
			continue
		}
		n, err := strconv.ParseInt(size, base, 64)
		if err != nil {
			continue
		}
		out = append(out, AssetStatus{Asset: name, State: AssetStored, Bytes: n, Total: &n})
	}
	return out
}

func storedBytes(files string) int64 {
	var n int64
	for _, a := range unpackFiles(files) {
		n += a.Bytes
	}
	return n
}
