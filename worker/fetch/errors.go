package fetch

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

var (
	// ErrChanged: the link now serves other bytes than the pinned ones. Start the asset again.
	ErrChanged = errors.New("fetch: the file at the source is no longer the one that was begun")
	// ErrBlocked: a link or redirect points where we do not go. Only a setting changes that.
	ErrBlocked = errors.New("fetch: address not allowed")
	// ErrNotThere: an unexpired link has been denied for as long as FreshWait.
	ErrNotThere = errors.New("fetch: the source does not serve the file")
	// ErrInUse: a file without ranges can be read by one reader at a time.
	ErrInUse = errors.New("fetch: file can only be read in order and another range is still open; close that first")
)

// GiveUpError ends a read that no longer moves.
type GiveUpError struct {
	Link  secret.String
	Tries int           // in a row, without one new byte
	Wait  time.Duration // what the host asked for last, 0 if nothing
	Since time.Time     // when the first of the tries ended, or a trickle began
	Away  bool          // no connection, no answer in time, or one that asks to come later: not about this file, as far as one file can tell
	Cause error         // of the last try
}

func (e *GiveUpError) Error() string {
	return fmt.Sprintf("give up after %d tries without a new byte: %v", e.Tries, e.Cause)
}

func (e *GiveUpError) Unwrap() error { return e.Cause }

// Hint tells a person what to do.
func (e *GiveUpError) Hint() string {
	return "the source host " + e.Link.Host() + " is in trouble or out of reach; what is stored is kept, try again later"
}

// BlockedBy names the setting that keeps us from an address, or "" if the error is none of that kind: no setting makes a link
// good that is no web address, or leaves https.
func BlockedBy(err error) string {
	var d *detail
	if !errors.As(err, &d) || !errors.Is(d.kind, ErrBlocked) {
		return ""
	}
	for _, setting := range []string{"REELKEEP_SOURCE_HOSTS", "REELKEEP_PRIVATE_SOURCES"} {
		if strings.Contains(d.hint, setting) {
			return setting
		}
	}
	return ""
}

// away says that the host itself is in trouble, as far as one file can tell.
func (k kind) away() bool {
	return k == unreachable || k == busy || k == stalled || k == dropped
}

// detail is one of the sentinels above with what it is about and what to do.
type detail struct {
	kind       error
	text, hint string
}

func (e *detail) Error() string { return e.kind.Error() + ": " + e.text }
func (e *detail) Unwrap() error { return e.kind }

// Hint tells a person what to do.
func (e *detail) Hint() string { return e.hint }

const (
	// longestForeign is how much of a value that a host wrote is worth showing: headers may be 256 KiB long, and errors are
	// kept, and logged again and again.
	longestForeign = 200
	// longestText is how long a whole sentence about an answer may be.
	longestText = 1000
)

// brief cuts foreign text. It is scrubbed first: half an address may no longer be told for one.
func brief(text string) string { return cut(text, longestForeign) }

func cut(text string, most int) string {
	text = secret.Scrub(text)
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func blocked(hint, format string, args ...any) error {
	return &detail{ErrBlocked, cut(fmt.Sprintf(format, args...), longestText), hint}
}

func changed(link secret.String, pin, seen Pin) error {
	return &detail{
		ErrChanged,
		fmt.Sprintf("%s: had %d bytes, ETag %q, Last-Modified %q; now %d bytes, ETag %q, Last-Modified %q", brief(link.String()),
			pin.Size, brief(pin.ETag), brief(pin.LastModified), seen.Size, brief(seen.ETag), brief(seen.LastModified)),
		"the video was rendered again; fetch this asset from the start",
	}
}

// kind sorts what can go wrong with one request by what has to be done next.
type kind string

const (
	dropped     kind = "dropped"     // the connection ended before the answer did
	stalled     kind = "stalled"     // silence
	short       kind = "short"       // the host ended the answer in good order, but early
	unreachable kind = "unreachable" // no connection
	busy        kind = "busy"        // 429, 5xx: ask again later
	denied      kind = "denied"      // 4xx: the link is dead, or the file is not there (yet)
	wrong       kind = "wrong"       // an answer that must not be believed
)

// lostConnection says that an answer was under way, or about to be.
func (k kind) lostConnection() bool { return k == dropped || k == stalled || k == short }

// fault is one request gone wrong, and worth another.
type fault struct {
	kind   kind
	status int // denied, busy
	after  time.Duration
	text   string // scrubbed
}

func (e *fault) Error() string { return e.text }

func wrongAnswer(format string, args ...any) error {
	return &fault{kind: wrong, text: cut(fmt.Sprintf(format, args...), longestText)}
}

func notThere(link secret.String, waited time.Duration, last *fault) error {
	return &detail{
		ErrNotThere,
		fmt.Sprintf("%s: links that are not expired are denied since %s: %v", link, waited, last),
		"HeyGen names this file but does not serve it; try again later, or look at the video in HeyGen",
	}
}
