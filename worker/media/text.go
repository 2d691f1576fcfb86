package media

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeText turns a text in UTF-8 or UTF-16, with or without a byte order mark, into a string without one.
// Captions tools on Windows write UTF-16; a text in an older code page passes through as it is.
func decodeText(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return string(b[3:])
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return fromUTF16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return fromUTF16(b[2:], binary.BigEndian)
	case len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
		return fromUTF16(b, binary.LittleEndian)
	case len(b) >= 4 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0:
		return fromUTF16(b, binary.BigEndian)
	}
	return string(b)
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// isText says whether bytes can be a text: no control characters but those of layout.
func isText(b []byte) bool {
	text := decodeText(b)
	return strings.TrimSpace(text) != "" && strings.IndexFunc(text, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r)
	}) < 0
}

var (
	// timing is the line of an SRT or VTT cue: 00:00:00,000 --> 00:00:02,000, hours optional in VTT.
	timing = regexp.MustCompile(`(?m)^[ \t]*(?:\d{1,4}:)?\d{1,2}:\d{1,2}[,.]\d{1,3}[ \t]*-->[ \t]*(?:\d{1,4}:)?\d{1,2}:\d{1,2}[,.]\d{1,3}`)

	// section is what an ASS file consists of.
	section = regexp.MustCompile(`(?im)^[ \t]*\[(script info|v4\+? styles|events)\]`)

	events = regexp.MustCompile(`(?im)^[ \t]*\[events\]`)
)

// textFormat recognises captions by what stands in them; "" if nothing does.
func textFormat(text string) string {
	trimmed := strings.TrimLeft(text, " \t\r\n")
	if strings.HasPrefix(trimmed, "WEBVTT") {
		return "vtt"
	}
	if markup(trimmed) != "" {
		return ""
	}
	lines := strings.ReplaceAll(text, "\r", "\n")
	switch {
	case section.MatchString(lines):
		return "ass"
	case timing.MatchString(lines):
		return "srt"
	}
	return ""
}

// markup recognises what error pages are written in; "" for anything else.
func markup(text string) string {
	start := strings.TrimLeft(text, " \t\r\n")
	start = strings.ToLower(start[:min(len(start), 1024)])
	switch {
	case strings.HasPrefix(start, "<?xml") && !strings.Contains(start, "<html"), strings.HasPrefix(start, "<error"), strings.HasPrefix(start, "<tt"):
		return "text/xml"
	case strings.HasPrefix(start, "<"):
		return "text/html"
	case strings.HasPrefix(start, "{"), strings.HasPrefix(start, "[{"), strings.HasPrefix(start, `["`):
		return "application/json"
	}
	return ""
}

func isMarkup(text string) bool { return markup(text) != "" }

// verifyText reads a whole captions file. It asks for the frame of the format and not for cues: a video in
// which nobody speaks has ASS or VTT captions without any. An SRT has no frame, so it needs one.
func verifyText(asset string, b []byte) error {
	text := decodeText(b)
	switch {
	case strings.TrimSpace(text) == "":
		return &WrongTypeError{Asset: asset, Got: "an empty file"}
	case strings.ContainsRune(text, 0):
		return &DamagedError{Asset: asset, Damage: "there are zero bytes between its lines"}
	}
	switch format := textFormat(text); format {
	case "":
		return &WrongTypeError{Asset: asset, Got: describe("", b)}
	case "ass":
		if !events.MatchString(strings.ReplaceAll(text, "\r", "\n")) {
			return &DamagedError{Asset: asset, Damage: "it ends before its [Events]"}
		}
	}
	if utf8.ValidString(text) && strings.HasSuffix(text, "-->") {
		return &DamagedError{Asset: asset, Damage: "it ends in the middle of a cue"}
	}
	return nil
}
