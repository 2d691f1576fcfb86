// Package secret holds the one type that links and keys travel in.
//
// A HeyGen link is a bearer credential: whoever reads its query can fetch the file. The type prints as
// "https://host/path" for a link and as "[secret]" for anything else, whichever way it is printed
// (fmt with any verb, slog, encoding/json, encoding/text, errors), so that a careless log line cannot leak it.
// Reveal is the only way out; it is called where the bytes go on the wire and nowhere else.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
)

const hidden = "[secret]"

// String is a value that must not be printed: an API key, a password, or a link whose query is a signature.
// The zero value means "none". Values are comparable.
type String struct{ raw string }

// New wraps raw.
func New(raw string) String { return String{raw} }

// Reveal returns the value as it is. Call it only where the value is put on the wire.
func (s String) Reveal() string { return s.raw }

// IsZero says whether there is no value.
func (s String) IsZero() bool { return s.raw == "" }

// String returns what may be shown: scheme, host and path of a link, "[secret]" for anything else, "" for none.
func (s String) String() string {
	if s.raw == "" {
		return ""
	}
	u, err := url.Parse(s.raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return hidden
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// Host returns the host of a link without its port, or "".
func (s String) Host() string { return s.part(func(u *url.URL) string { return u.Hostname() }) }

// Path returns the path of a link as it is spelled, or "".
func (s String) Path() string { return s.part((*url.URL).EscapedPath) }

func (s String) part(get func(*url.URL) string) string {
	u, err := url.Parse(s.raw)
	if err != nil {
		return ""
	}
	return get(u)
}

// Format keeps every fmt verb, %#v and %x included, from reaching the value.
func (s String) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue is what slog records.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes what may be shown.
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText writes what may be shown.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// query matches the query of any link inside a text: from the "?" behind an http(s) address to the next
// character that cannot stand in a URL.
var query = regexp.MustCompile(`(https?://[^\s"'<>?#]+)[?#][^\s"'<>]*`)

// userinfo matches the credentials of any address inside a text, such as redis://user:pass@host.
var userinfo = regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^\s/@"']*@`)

// Scrub removes the queries and credentials of all addresses in a text. It is for text that others wrote:
// errors of net/http carry the full URL.
func Scrub(text string) string {
	return userinfo.ReplaceAllString(query.ReplaceAllString(text, "$1"), "$1")
}
