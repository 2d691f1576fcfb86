package fetch

import (
	"net/http"
	"strings"
)

// Pin says which bytes a File stands for. It is kept with an upload, so that another worker can prove that it
// reads the same file.
type Pin struct {
	Size         int64 // -1 unknown
	ETag         string
	LastModified string
}

// strong says whether an ETag promises equal bytes. Weak ones only promise the same meaning.
func strong(etag string) bool { return len(etag) > 2 && etag[0] == '"' && etag[len(etag)-1] == '"' }

// holds says whether what was seen can be the pinned file. Strong ETags decide; without them the modification
// time does; what one side does not know does not count against the other, but something has to speak for it.
func (p Pin) holds(seen Pin) bool {
	sized := p.Size >= 0 && seen.Size >= 0
	if sized && p.Size != seen.Size {
		return false
	}
	if same, known := p.sameVersion(seen); known {
		return same
	}
	return sized
}

// sameVersion compares the validators alone; known is false where the two have none in common.
func (p Pin) sameVersion(seen Pin) (same, known bool) {
	switch {
	case strong(p.ETag) && strong(seen.ETag):
		return p.ETag == seen.ETag, true
	case p.LastModified != "" && seen.LastModified != "":
		return p.LastModified == seen.LastModified, true
	case p.ETag != "" && seen.ETag != "":
		return strings.TrimPrefix(p.ETag, "W/") == strings.TrimPrefix(seen.ETag, "W/"), true
	}
	return false, false
}

// versioned says whether there is a validator at all.
func (p Pin) versioned() bool { return p.ETag != "" || p.LastModified != "" }

// provable says whether a later answer could be told from one for other bytes.
func (p Pin) provable() bool { return p.Size >= 0 || p.versioned() }

// filled adds what p does not know.
func (p Pin) filled(seen Pin) Pin {
	if p.Size < 0 {
		p.Size = seen.Size
	}
	if p.ETag == "" {
		p.ETag = seen.ETag
	}
	if p.LastModified == "" {
		p.LastModified = seen.LastModified
	}
	return p
}

// pinOf reads the validators of an answer; the size is for the caller to say, since 200 and 206 hold it in
// different places.
func pinOf(h http.Header, size int64) Pin {
	return Pin{Size: size, ETag: validator(h, "ETag"), LastModified: validator(h, "Last-Modified")}
}

// longestValidator is far above what any host uses. A Pin is kept with every upload and in every manifest.
const longestValidator = 1 << 10

// validator takes an absurdly long one for none.
func validator(h http.Header, name string) string {
	v := h.Get(name)
	if len(v) > longestValidator {
		return ""
	}
	return v
}
