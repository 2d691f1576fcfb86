package permalink

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/reelkeep/reelkeep/storage"
)

func TestATitleMakesASafeFileName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for title, want := range map[string]string{
		"Launch video":           `inline; filename="Launch video.mp4"`,
		"":                       `inline; filename="v1.mp4"`,
		"../../etc/passwd":       `inline; filename="_.._etc_passwd.mp4"`,
		"a\"; filename=\"b.exe":  `inline; filename="a__ filename=_b.exe.mp4"`,
		"a\r\nSet-Cookie: x=1":   `inline; filename="a Set-Cookie_ x=1.mp4"`,
		"...hidden":              `inline; filename="hidden.mp4"`,
		"fdp\u202egpj.exe":       `inline; filename="fdpgpj.exe.mp4"`,
		"100%41 \\ C:\\x | <b>?": `inline; filename="100_41 _ C__x _ _b__.mp4"`,
		"Größe":                  `inline; filename="Gr__e.mp4"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.mp4`,
		"Видео":                  `inline; filename="v1.mp4"; filename*=UTF-8''%D0%92%D0%B8%D0%B4%D0%B5%D0%BE.mp4`,
		"日本 (1) 'x'":             `inline; filename="__ (1) 'x'.mp4"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%281%29%20%27x%27.mp4`,
		"\xff\xfe bad":           `inline; filename="bad.mp4"`,
		" . ":                    `inline; filename="v1.mp4"`,
		long:                     `inline; filename="v1.mp4"; filename*=UTF-8''` + strings.Repeat("%C3%A9", longestName) + ".mp4",
	} {
		m := &storage.Manifest{VideoID: "v1", Video: storage.Video{Title: title}}
		if got := disposition(m, storage.Asset{Asset: "video", Key: "g2/video.mp4"}, false); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", title, got, want)
		}
	}
}

func FuzzAFileNameIsAlwaysReadable(f *testing.F) {
	for _, seed := range []string{"Launch", "\"\\\r\n", "ü*'()%", "\u202e", "日本"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, title string) {
		m := &storage.Manifest{VideoID: "v1", Video: storage.Video{Title: title}}
		d := disposition(m, storage.Asset{Asset: "gif", Key: "preview.gif"}, true)
		for _, c := range d {
			if c < ' ' || c > '~' {
				t.Fatalf("%q holds %q", d, c)
			}
		}
		kind, params, err := mime.ParseMediaType(d)
		name := params["filename"]
		if err != nil || kind != "attachment" || !strings.HasSuffix(name, "-gif.gif") || !utf8.ValidString(name) || strings.ContainsAny(name, `/\"`) || len(name) > 255 {
			t.Fatalf("%q: %q reads as %q %q, %v", title, d, kind, name, err)
		}
	})
}
