package heygen

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// longestText bounds what we repeat of foreign text. It goes to logs, to Redis and to terminals.
const longestText = 300

// address matches what secret.Scrub leaves: addresses in capitals, without a scheme, or with escaped slashes.
// Everything behind the "?" goes.
var address = regexp.MustCompile(`(?i)((?:[a-z][a-z0-9+.-]*:)?(?:\\?/){2}[^\s"'<>?#]*)[?#][^\s"'<>]*`)

// query matches a query that carries a signature behind anything at all, such as a path without a host.
var query = regexp.MustCompile(`(?i)\?[^\s"'<>]*(?:signature|key-pair-id)(?:=|%3d)[^\s"'<>]*`)

// signature matches the value of a signing parameter, wherever it stands and even if it was escaped on the way.
var signature = regexp.MustCompile(`(?i)((?:signature|x-amz-[a-z-]+|x-goog-[a-z-]+|key-pair-id|policy)(?:=|%3d))[^\s&"'<>]+`)

// scrub removes every query of a link, every signature and the API key from foreign text.
func (c *Client) scrub(s string) string {
	s = secret.Scrub(s)
	s = address.ReplaceAllString(s, "$1")
	s = query.ReplaceAllString(s, "")
	s = signature.ReplaceAllString(s, "$1")
	return c.hideKey(s)
}

// shortKey is the length below which a key may be a common word; replacing it would maul honest text.
// HeyGen's keys have 32 characters and more.
const shortKey = 8

func (c *Client) hideKey(s string) string {
	if key := c.cfg.Key.Reveal(); len(key) >= shortKey {
		return strings.ReplaceAll(s, key, "[secret]")
	}
	return s
}

// clean makes foreign text fit to be shown in one line: no secrets, no control characters (a title or message
// could otherwise steer a terminal), not longer than longestText.
func (c *Client) clean(s string) string {
	s = c.scrub(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= longestText {
		return s
	}
	cut := longestText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// redact returns a JSON value with every string scrubbed, at any depth, names of members included. All else stays as it was
// written: order, unknown members, the digits of numbers. raw must be valid JSON.
func (c *Client) redact(raw []byte) json.RawMessage {
	var out bytes.Buffer
	for i := 0; i < len(raw); {
		switch b := raw[i]; b {
		case '"':
			end := stringEnd(raw, i)
			out.Write(c.redactString(raw[i:end]))
			i = end
		case ' ', '\t', '\r', '\n':
			i++
		default:
			out.WriteByte(b)
			i++
		}
	}
	return out.Bytes()
}

// stringEnd returns the index behind the string literal that starts at i.
func stringEnd(raw []byte, i int) int {
	for j := i + 1; j < len(raw); j++ {
		switch raw[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(raw)
}

func (c *Client) redactString(literal []byte) []byte {
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return []byte(`""`)
	}
	clean := c.scrub(s)
	if clean == s && utf8.Valid(literal) {
		return literal
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(clean) != nil {
		return []byte(`""`)
	}
	return bytes.TrimSpace(out.Bytes())
}
