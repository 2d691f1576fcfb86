package media_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker/media"
)

const (
	ass = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\n\n[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:00.00,0:00:02.00,Hello\n"
	srt = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"
	vtt = "WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"
)

// captions is captions as they come, by what is odd about them.
func captions() map[string]string {
	return map[string]string{
		"ass": ass, "srt": srt, "vtt": vtt,
		"ass with a mark":        "\ufeff" + ass,
		"ass with CRLF":          strings.ReplaceAll(ass, "\n", "\r\n"),
		"ass without words":      ass[:strings.Index(ass, "Dialogue")],
		"srt with CR only":       strings.ReplaceAll(srt, "\n", "\r"),
		"srt with a mark":        "\ufeff" + srt,
		"srt after blank lines":  "\n\n" + srt,
		"srt with dots":          strings.ReplaceAll(srt, ",", "."),
		"srt in latin-1":         srt + "na\xefve\n",
		"srt little endian":      utf16Text(srt, binary.LittleEndian, true),
		"srt big endian":         utf16Text(srt, binary.BigEndian, true),
		"srt big endian no mark": utf16Text(srt, binary.BigEndian, false),
		"ass little no mark":     utf16Text(ass, binary.LittleEndian, false),
		"vtt without cues":       "WEBVTT - nobody speaks\n",
	}
}

func utf16Text(s string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestTheBytesDecideWhatAFileIs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]media.Type{
		"index_first.mp4": {Ext: "mp4", ContentType: "video/mp4"},
		"quicktime.mov":   {Ext: "mp4", ContentType: "video/mp4"},
		"video.webm":      {Ext: "webm", ContentType: "video/webm"},
		"picture.jpeg":    {Ext: "jpeg", ContentType: "image/jpeg"},
		"picture.png":     {Ext: "png", ContentType: "image/png"},
		"picture.webp":    {Ext: "webp", ContentType: "image/webp"},
		"animation.gif":   {Ext: "gif", ContentType: "image/gif"},
	} {
		b := load(t, name)
		asset := "thumbnail"
		if strings.HasPrefix(want.ContentType, "video/") {
			asset = "video"
		}
		// What the host says and what the link is called can be wrong; real hosts are.
		for _, claim := range []string{"", "application/octet-stream", "text/html"} {
			got, err := media.Sniff(asset, b[:min(len(b), 4096)], claim, "/x/y.HTML")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s said to be %q: %v\n%s", name, claim, err, diff)
			}
		}
	}
	for name, text := range captions() {
		got, err := media.Sniff("captions", []byte(text), "binary/octet-stream", "/caption/x")
		if err != nil || got.Ext != name[:3] {
			t.Errorf("%s: Sniff = %v, %v", name, got, err)
		}
		if err := verify(t, "captions", []byte(text), 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLinkDecidesOnlyAmongTexts(t *testing.T) {
	t.Parallel()
	// Four kilobytes of comments before anything that tells the format.
	head := []byte(strings.Repeat("; a remark\n", 400))
	for _, c := range []struct{ contentType, path, ext string }{
		{"", "/a/b.SRT", "srt"},
		{"", "/a/b.ass", "ass"},
		{"", "/a/b.ssa", "ass"},
		{"text/plain", "/a/b.vtt", "vtt"},
		{"Text/VTT; charset=utf-8", "/a/b", "vtt"},
		{"application/x-subrip", "/a/b", "srt"},
		{"text/x-ssa", "/a/b", "ass"},
	} {
		got, err := media.Sniff("captions", head, c.contentType, c.path)
		if err != nil || got.Ext != c.ext {
			t.Errorf("%v: Sniff = %v, %v", c, got, err)
		}
	}
	for _, page := range []string{"<!DOCTYPE html>", "<?xml version='1.0'?><Error/>", `{"error":"x"}`, "\x00\x01\x02"} {
		if got, err := media.Sniff("captions", []byte(page), "text/vtt", "/a/b.srt"); err == nil {
			t.Errorf("%q behind a link to an SRT: Sniff = %v", page, got)
		}
	}
	if got, err := media.Sniff("captions", head, "text/plain", "/a/b"); err == nil {
		t.Errorf("text of no format: Sniff = %v", got)
	}
	if got, err := media.Sniff("video", head, "video/mp4", "/a/b.mp4"); err == nil {
		t.Errorf("text called an MP4: Sniff = %v", got)
	}
}

func TestWhatCameInsteadIsNamed(t *testing.T) {
	t.Parallel()
	const denied = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>token=TOPSECRET</Message></Error>`
	gzip := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xca\x48\xcd"
	for body, want := range map[string]string{
		"":                             "an empty file",
		"<!DOCTYPE html><html></html>": "an HTML page",
		"\n\n  <html>":                 "an HTML page",
		"\ufeff<HTML><head>":           "an HTML page",
		`<?xml version="1.0"?><html xmlns="x"></html>`: "an HTML page",
		denied:                              "an XML document",
		"<Error><Code>NoSuchKey</Code>":     "an XML document",
		`{"error":{"code":"unauthorized"}}`: "a JSON document",
		`[{"a":1}]`:                         "a JSON document",
		gzip:                                "a gzip stream",
		"Forbidden":                         "plain text",
		"\x00\x01\x02\x03\x04\x05\x06\x07":  "bytes of no known kind",
		"%PDF-1.7\n":                        "a file of type application/pdf",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic": "a file of type image/heic",
		"\x00\x00\x00\x18ftyp":                             "bytes of no known kind",
	} {
		for _, asset := range []string{"video", "thumbnail", "gif", "captions", "captioned_video"} {
			_, err := media.Sniff(asset, []byte(body), "video/mp4", "/a.mp4")
			var wrong *media.WrongTypeError
			if !errors.As(err, &wrong) {
				t.Errorf("%s, %.20q: Sniff = %v, want a *WrongTypeError", asset, body, err)
				continue
			}
			if wrong.Got != want || !strings.Contains(err.Error(), want) || wrong.Hint() == "" {
				t.Errorf("%s, %.20q: %v, want it to speak of %s", asset, body, err, want)
			}
			if strings.Contains(err.Error(), "TOPSECRET") {
				t.Errorf("the error quotes foreign bytes: %v", err)
			}
		}
	}
}

func TestAnAssetOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ asset, file string }{
		{"video", "picture.jpeg"},
		{"video", "matroska.mkv"},
		{"video", "animation.gif"},
		{"thumbnail", "index_first.mp4"},
		{"gif", "picture.jpeg"},
		{"captions", "index_first.mp4"},
		{"captions", "picture.png"},
	} {
		b := load(t, c.file)
		var wrong *media.WrongTypeError
		if _, err := media.Sniff(c.asset, b, "", "/a.srt"); !errors.As(err, &wrong) || wrong.Asset != c.asset {
			t.Errorf("%s as %s: Sniff = %v", c.file, c.asset, err)
		}
		if err := verify(t, c.asset, b, 0); !errors.As(err, &wrong) {
			t.Errorf("%s as %s: Verify = %v", c.file, c.asset, err)
		}
	}
	if _, err := media.Sniff("soundtrack", []byte("x"), "", ""); err == nil {
		t.Error("an asset nobody knows was accepted")
	}
}

func TestBrokenCaptionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"only blanks":        " \r\n\t\n",
		"a sentence":         "Rate limit exceeded, come back later.",
		"zeros in the lines": srt + strings.Repeat("\x00", 100),
		"styles and no more": ass[:strings.Index(ass, "[Events]")],
		"half a cue":         srt + "\n2\n00:00:03,000 -->",
		"a mark and no more": "\ufeff",
		"markup":             "<tt xmlns='http://www.w3.org/ns/ttml'></tt>",
		"far too long":       srt + strings.Repeat(" ", 17<<20),
	} {
		if err := verify(t, "captions", []byte(text), 0); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func FuzzSniff(f *testing.F) {
	for name := range wholes() {
		f.Add("video", load(f, name), "video/mp4", "/a.mp4")
		f.Add("thumbnail", load(f, name), "", "/a")
	}
	for _, text := range captions() {
		f.Add("captions", []byte(text), "text/plain", "/a.srt")
	}
	f.Fuzz(func(t *testing.T, asset string, head []byte, contentType, path string) {
		got, err := media.Sniff(asset, head, contentType, path)
		if (err == nil) != (got.Ext != "" && got.ContentType != "") {
			t.Errorf("Sniff = %v, %v", got, err)
		}
		if err == nil && len(head) == 0 {
			t.Error("an empty file has a type")
		}
	})
}
