package permalink

import (
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// longestName bounds the file name before its extension: file systems stop at 255 bytes, and four bytes may be one
// character.
const longestName = 50

// disposition is the Content-Disposition of a file, as RFC 6266 wants it: a plain name for every client, and the real
// one in RFC 5987's spelling where they differ. The title is whatever somebody typed at HeyGen.
func disposition(m *storage.Manifest, a storage.Asset, download bool) string {
	kind := "inline"
	if download {
		kind = "attachment"
	}
	ending := path.Ext(a.Key)
	if a.Asset != string(heygen.AssetVideo) {
		ending = "-" + a.Asset + ending
	}
	name := fileName(m.Video.Title)
	if name == "" {
		return kind + `; filename="` + m.VideoID + ending + `"`
	}
	plain := asciiName(name)
	if plain == name {
		return kind + `; filename="` + name + ending + `"`
	}
	if strings.Trim(plain, "_ .-") == "" {
		plain = m.VideoID
	}
	return kind + `; filename="` + plain + ending + `"; filename*=UTF-8''` + encodeExt(name+ending)
}

// fileName makes a title fit to be a file name everywhere: nothing that a file system, a shell or a header takes for
// more than text, nothing invisible (a mark that turns the direction of writing can dress one extension up as another),
// no dot at either end.
func fileName(title string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), r == unicode.ReplacementChar:
			return -1
		case strings.ContainsRune(`/\<>:"|?*%;`, r):
			return '_'
		}
		return r
	}, strings.ToValidUTF8(title, ""))
	name = strings.Trim(strings.Join(strings.Fields(name), " "), " .")
	if runes := []rune(name); len(runes) > longestName {
		name = strings.TrimRight(string(runes[:longestName]), " .")
	}
	return name
}

func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '_'
		}
		return r
	}, name)
}

// encodeExt is RFC 5987's ext-value. PathEscape leaves a few characters as they are that it does not allow.
func encodeExt(s string) string {
	return strings.NewReplacer("'", "%27", "(", "%28", ")", "%29", ",", "%2C", "=", "%3D", ":", "%3A", "@", "%40").Replace(url.PathEscape(s))
}
