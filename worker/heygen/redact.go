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

// longestRead is how much of a text is looked at to find longestText of it behind links and control characters.
const longestRead = 8 << 10

// signature matches the value of a signing parameter, wherever it stands and even if it was escaped on the way.
var signature = regexp.MustCompile(`(?i)((?:signature|x-amz-[a-z-]+|x-goog-[a-z-]+|key-pair-id|policy)(?:=|%3d))[^\s&"'<>]+`)

// delimiters end an address in a text. They are those of secret.Scrub.
const delimiters = "\t\n\f\r \"'<>"

// scrub removes every query of a link, every signature and the API key from foreign text. It goes further than secret.Scrub:
// addresses in capitals, without a scheme or with escaped slashes, and signatures without an address, are found too.
//
// It walks over words, because a pattern run over all of a page of 100 videos costs most of a second of CPU.
func (c *Client) scrub(s string) string {
	if !strings.ContainsAny(s, "?#=@%") {
		return c.hideKey(s) // no query, no signature and no password can be in it
	}
	var out strings.Builder
	for s != "" {
		end := strings.IndexAny(s, delimiters)
		if end < 0 {
			out.WriteString(scrubWord(s))
			break
		}
		out.WriteString(scrubWord(s[:end]))
		out.WriteByte(s[end])
		s = s[end+1:]
	}
	return c.hideKey(out.String())
}

// longestWord is the longest word that is searched by pattern. Nothing honest is longer once its query is gone;
// what is longer is left out rather than searched.
const longestWord = 16 << 10

func scrubWord(w string) string {
	if at := addressStart(w); at >= 0 {
		if q := strings.IndexAny(w[at:], "?#"); q >= 0 {
			w = w[:at+q]
		}
	}
	signed, password := mayBeSigned(w), strings.Contains(w, "@")
	if !signed && !password {
		return w
	}
	if len(w) > longestWord {
		return "[removed]"
	}
	if password {
		w = secret.Scrub(w)
	}
	if !signed {
		return w
	}
	if q := strings.IndexByte(w, '?'); q >= 0 {
		w = w[:q] // a query that carries a signature behind a path without a host
	}
	return signature.ReplaceAllString(w, "$1")
}

// addressStart finds where an address begins in a word: at its two slashes, plain or escaped as in JSON. -1: nowhere.
func addressStart(w string) int {
	plain, escaped := strings.Index(w, "//"), strings.Index(w, `\/\/`)
	if plain < 0 || (escaped >= 0 && escaped < plain) {
		return escaped
	}
	return plain
}

// mayBeSigned says whether a word names a signing parameter and has something like a value.
func mayBeSigned(w string) bool {
	if !strings.ContainsAny(w, "=%") {
		return false
	}
	w = strings.ToLower(w)
	for _, name := range []string{"signature", "x-amz-", "x-goog-", "key-pair-id", "policy"} {
		if strings.Contains(w, name) {
			return true
		}
	}
	return false
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
	s = c.hideKey(s) // before the cut: half a key would not be recognised
	if len(s) > longestRead {
		s = s[:longestRead]
	}
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
			end := StringEnd(raw, i)
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

// StringEnd returns the index behind the string literal of JSON that starts at i; len(raw) if it has no end.
func StringEnd(raw []byte, i int) int {
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
