package heygensim

import (
	"bytes"
	"slices"
	"time"
)

// The kinds of Fault.
const (
	// These strike where the body reaches At. At > 0 is a position in the file: an answer that begins before
	// it and ends after it is hit there. At < 0 counts from where each answer begins. At 0 is right after
	// the headers.

	FaultDrop     = "drop"     // the connection is reset
	FaultStall    = "stall"    // nothing more comes: for Delay, or where that is 0 until the client gives up
	FaultShort    = "short"    // the connection is closed in good order, before the announced length
	FaultReplaced = "replaced" // cut, and from now on other bytes of the same length under another ETag; At 0 does not cut
	FaultRetagged = "retagged" // cut, and from now on the same bytes under another ETag; At 0 does not cut

	// These change the whole answer of a request that begins at At or later.

	FaultWrongRange  = "wrong_range"  // 206 with another range than the one asked for
	FaultNoRanges    = "no_ranges"    // 200 and the whole file, whatever was asked
	FaultHTML        = "html"         // 200 and an HTML page
	FaultForbidden   = "forbidden"    // 403 although the link is fresh
	FaultNotFound    = "not_found"    // 404
	FaultServerError = "server_error" // 503
	FaultTooMany     = "too_many"     // 429 with Retry-After: 1
	FaultGzip        = "gzip"         // Content-Encoding: gzip that nobody asked for
	FaultRedirect    = "redirect"     // 302 to another path of the same host, which works
	FaultChunked     = "chunked"      // 200, the whole file without a length
	FaultWrongLength = "wrong_length" // Content-Length and body one byte less than there is
	FaultLonger      = "longer"       // the file is said to be 1000 bytes longer than it is
	FaultNodes       = "nodes"        // the file, under an ETag that no other answer has
	FaultShorter     = "shorter"      // the file is said to be 1000 bytes shorter than it is, and ends there
)

// Fault is what goes wrong while an asset is fetched.
type Fault struct {
	Kind string

	// At is where; see the kinds.
	At int64

	// Times is how often it happens; 0 means always.
	Times int

	// Delay is how long a stall lasts; before all other kinds it is a wait. With Kind "" it is all there is.
	Delay time.Duration

	// Body is what "replaced" serves; where nil, the original with some of its inner bytes changed.
	Body []byte
}

// cuts says whether the kind strikes at a position of the body.
func (f *Fault) cuts() bool {
	return f.Kind == FaultDrop || f.Kind == FaultStall || f.Kind == FaultShort || f.replaces()
}

// replaces says whether the kind puts another version of the file in the place of the first.
func (f *Fault) replaces() bool {
	return f != nil && (f.Kind == FaultReplaced || f.Kind == FaultRetagged)
}

// strike decides whether the fault hits an answer that carries the bytes from off to end of the file, counts
// it, and says at which position it cuts (-1: not at all).
func (s *Sim) strike(o *object, off, end int64) (f *Fault, cut int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = o.spec.Fault
	if f == nil || (f.Times > 0 && o.wear.faulted >= f.Times) || o.wear.replaced {
		return nil, -1
	}
	cut = -1
	switch {
	case !f.cuts():
		if off < f.At {
			return nil, -1
		}
	case f.At > 0:
		cut = f.At
		if off >= cut || cut >= end {
			return nil, -1
		}
	case f.At < 0:
		if cut = off - f.At; cut >= end {
			return nil, -1
		}
	case !f.replaces():
		cut = off
	}
	o.wear.faulted++
	o.wear.replaced = f.replaces()
	return f, cut
}

// replaced is what the fault of that name puts in the place of a Body: the same length and structure, other
// bytes in the middle, so that a splice of both is neither.
func replaced(spec Asset) []byte {
	if spec.Fault == nil || spec.Fault.Kind != FaultReplaced {
		return spec.Body
	}
	if spec.Fault.Body != nil {
		return spec.Fault.Body
	}
	other := slices.Clone(spec.Body)
	from, to := len(other)/4, len(other)*3/4
	if at := bytes.Index(other, []byte("mdat")); at > 0 {
		from, to = min(at+16, len(other)), len(other)
	}
	if at := bytes.Index(other, []byte("mvhd")); at > 0 && at+12 < len(other) {
		other[at+11] ^= 1 // the time it was made: a cut within a long index must show as well
	}
	const every = 97 // few enough that text stays text, close enough that no part is the same
	for i := from; i < to; i += every {
		other[i] ^= 1
	}
	return other
}
