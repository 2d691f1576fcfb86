package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
)

//go:embed assets templates
var files embed.FS

// assets are style, scripts and picture, in a folder whose name changes with what they hold: so they may be kept for ever.
type assets struct{ version string }

func loadAssets() (assets, error) {
	sum := sha256.New()
	for _, name := range []string{"app.css", "app.js", "htmx.min.js", "icon.svg"} {
		body, err := fs.ReadFile(files, "assets/"+name)
		if err != nil {
			return assets{}, fmt.Errorf("read what the page is made of: %w", err)
		}
		_, _ = sum.Write(body) // a hash takes everything
	}
	return assets{hex.EncodeToString(sum.Sum(nil)[:6])}, nil
}

func (a assets) address(name string) string { return "assets/" + a.version + "/" + name }

// ServeHTTP answers for one file.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("version") != a.version {
		problem.Write(w, http.StatusNotFound, "no_such_route", "there is nothing here", "load the page again: it names the files of this version")
		return
	}
	send(w, r, r.PathValue("file"), "public, max-age=31536000, immutable")
}

// icon is what browsers ask for at its old address where they show no page.
func (assets) icon(w http.ResponseWriter, r *http.Request) {
	send(w, r, "icon.svg", "public, max-age=86400")
}

func send(w http.ResponseWriter, r *http.Request, name, cache string) {
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeFileFS(w, r, files, "assets/"+name)
}
