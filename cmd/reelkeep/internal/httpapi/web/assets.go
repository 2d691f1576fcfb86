package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
)

//go:embed assets templates
var files embed.FS

// assets are style, scripts and picture. Their addresses change with what they hold, so they may be kept for ever.
type assets struct {
	address map[string]string // by name
	held    map[string]held   // by the last part of the address
}

type held struct {
	contentType string
	body        []byte
}

func loadAssets() (*assets, error) {
	a := &assets{address: map[string]string{}, held: map[string]held{}}
	for _, name := range []string{"app.css", "app.js", "htmx.min.js", "icon.svg"} {
		body, err := fs.ReadFile(files, "assets/"+name)
		if err != nil {
			return nil, fmt.Errorf("read what the page is made of: %w", err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		file := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.address[name], a.held[file] = "assets/"+file, held{mime.TypeByExtension(ext), body}
	}
	return a, nil
}

// ServeHTTP answers for one file.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.held[r.PathValue("file")]
	if !ok {
		problem.Write(w, http.StatusNotFound, "no_such_route", "there is nothing here", "load the page again: it names the files of this version")
		return
	}
	f.send(w, "public, max-age=31536000, immutable")
}

// icon is what browsers ask for at its old address where they show no page.
func (a *assets) icon(w http.ResponseWriter, _ *http.Request) {
	a.held[path.Base(a.address["icon.svg"])].send(w, "public, max-age=86400")
}

func (f held) send(w http.ResponseWriter, cache string) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", cache)
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(f.body) // whoever asked may be gone
}
