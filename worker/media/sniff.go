package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Type is what a file turned out to be: the extension it is stored under and the Content-Type it is given.
type Type struct {
	Ext         string // "mp4" "webm" "jpeg" "png" "webp" "gif" "ass" "srt" "vtt"
	ContentType string
}

// TypeOf is the Type for the extension of a file that was looked at before; a leading dot is ignored.
func TypeOf(ext string) Type {
	ext = strings.TrimPrefix(strings.ToLower(ext), ".")
	switch ext {
	case "jpg":
		ext = "jpeg"
	case "m4v":
		ext = "mp4"
	}
	return typeOf(ext)
}

// typeOf is the Type for an extension of ours.
func typeOf(ext string) Type {
	switch ext {
	case "mp4", "webm":
		return Type{ext, "video/" + ext}
	case "ass":
		return Type{ext, "text/x-ssa"}
	case "srt":
		return Type{ext, "application/x-subrip"}
	case "vtt":
		return Type{ext, "text/vtt"}
	}
	return Type{ext, "image/" + ext}
}

// formats lists what an asset may be; nil for a name that is no asset.
func formats(asset string) []string {
	switch asset {
	case "video", "captioned_video":
		return []string{"mp4", "webm"}
	case "thumbnail":
		return []string{"jpeg", "png", "webp", "gif"}
	case "gif":
		return []string{"gif", "webp"}
	case "captions":
		return []string{"ass", "srt", "vtt"}
	}
	return nil
}

// Sniff says what an asset is by its first bytes: at least 4 KiB of it, or all there is. contentType and linkPath
// are what the asset host said and the path of the link; they only help where captions begin with nothing
// that tells one text format from another. Anything an asset can't be is a *WrongTypeError.
func Sniff(asset string, head []byte, contentType, linkPath string) (Type, error) {
	allowed := formats(asset)
	if allowed == nil {
		return Type{}, fmt.Errorf("tell the type of %q: no asset has that name", asset)
	}
	ext := binaryFormat(head)
	if ext == "" && slices.Contains(allowed, "srt") {
		ext = textFormat(decodeText(head))
		if ext == "" && isText(head) && !isMarkup(decodeText(head)) {
			ext = claimedText(contentType, linkPath)
		}
	}
	if !slices.Contains(allowed, ext) {
		return Type{}, &WrongTypeError{Asset: asset, Got: describe(ext, head)}
	}
	return typeOf(ext), nil
}

// binaryFormat recognises the formats that have a signature; "" for the rest.
func binaryFormat(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "jpeg"
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return "png"
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "gif"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "webp"
	case bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")):
		// The same container holds Matroska, which browsers don't play; the header names which of them it is.
		if bytes.Contains(head[:min(len(head), 128)], []byte("webm")) {
			return "webm"
		}
	case isMP4(head):
		return "mp4"
	}
	return ""
}

// isMP4 accepts a file type box of any brand but those of still pictures, and the boxes that writers of
// older files put first.
func isMP4(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	size := binary.BigEndian.Uint32(head)
	switch string(head[4:8]) {
	case "ftyp":
		switch string(head[8:12]) {
		case "heic", "heix", "heif", "mif1", "msf1", "avif", "avis", "crx ", "jpx ", "jp2 ":
			return false
		}
		return size >= 16
	case "moov", "mdat", "free", "skip", "wide", "styp":
		return size == 0 || size == 1 || size >= 8
	}
	return false
}

// claimedText is what the link's path or the host says about a text.
func claimedText(contentType, name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".ass", ".ssa":
		return "ass"
	case ".srt":
		return "srt"
	case ".vtt":
		return "vtt"
	}
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch strings.TrimSpace(kind) {
	case "text/x-ssa", "text/x-ass", "application/x-ass":
		return "ass"
	case "application/x-subrip", "text/srt", "text/x-srt":
		return "srt"
	case "text/vtt":
		return "vtt"
	}
	return ""
}

// describe names what came instead, for an error. It never quotes the bytes: they are somebody else's and may
// hold anything.
func describe(ext string, head []byte) string {
	if len(head) == 0 {
		return "an empty file"
	}
	if ext == "" {
		ext = guess(head)
	}
	words := map[string]string{
		"jpeg": "a JPEG picture", "png": "a PNG picture", "gif": "a GIF", "webp": "a WebP picture",
		"mp4": "an MP4 video", "webm": "a WebM video",
		"ass": "ASS captions", "srt": "SRT captions", "vtt": "VTT captions",
		"text/html": "an HTML page", "text/xml": "an XML document", "application/json": "a JSON document",
		"text/plain": "plain text", "application/gzip": "a gzip stream", "application/octet-stream": "bytes of no known kind",
	}
	if word := words[ext]; word != "" {
		return word
	}
	return "a file of type " + ext
}

func guess(head []byte) string {
	text := decodeText(head)
	if ext := textFormat(text); ext != "" {
		return ext
	}
	if kind := markup(text); kind != "" && isText(head) {
		return kind
	}
	kind := "application/octet-stream"
	// A library that reads foreign bytes: a bug in it costs the word in the message, not the process.
	_ = guarded(func() error {
		kind, _, _ = strings.Cut(mimetype.Detect(head).String(), ";")
		return nil
	})
	return kind
}

// guarded runs code of a parser library and turns its panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("parser gave up: %v", p)
		}
	}()
	return f()
}
