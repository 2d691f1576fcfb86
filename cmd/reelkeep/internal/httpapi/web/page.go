package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
)

// page is what every page shows; the rest is in what embeds it.
type page struct {
	Root   string // the way from this page to /
	Title  string
	Tab    string // the list that is shown; "" on other pages
	Query  string
	Counts *counts // nil: not known, or not to be told
	Member *member // nil: nobody is signed in, or there is no signing in
	Live   string  // where events come from; "" for a page on which nothing moves
	Poll   string  // where the page asks every two seconds whether it is still as it was; "": nowhere
	Notice *notice

	Version string
}

// member is somebody who has signed in.
type member struct{ Account string }

// notice says how something went.
type notice struct {
	Bad        bool
	Text, Hint string
	status     int
}

func parsePages(a assets) (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(template.FuncMap{
		"asset": a.address,
		"at":    func(root string, v any) placed { return placed{root, v} },
	}).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	pages := map[string]*template.Template{"parts": base}
	for _, name := range []string{"home", "video", "door"} {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
		pages[name] = t
	}
	return pages, nil
}

// placed is a part and the way from its page to /.
type placed struct {
	Root string
	V    any
}

// newPage is what is the same on all pages for one visitor.
func (h *Handler) newPage(r *http.Request, title string) page {
	p := page{Root: rootOf(r.URL.Path), Title: title, Version: h.Version}
	if access := auth.Of(r.Context()); !h.Guard.Tokens.Empty() && !access.None() {
		p.Member = &member{access.Account}
	}
	return p
}

// rootOf is the way from a path to /. In front of that there may be more, of which only the browser knows.
func rootOf(path string) string {
	if depth := strings.Count(path, "/") - 1; depth > 0 {
		return strings.Repeat("../", depth)
	}
	return "./"
}

// show answers with a page.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	body, err := h.render(name, "layout", data)
	if err != nil {
		h.Log.Error("a page could not be made", "page", name, "err", err)
		http.Error(w, "something is wrong with reelkeep itself; its log tells more", http.StatusInternalServerError)
		return
	}
	h.private(w, r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked may be gone
}

// unchanged has the page ask whether it is still right, and says whether one that asks is. Sign is of what it shows beside
// its notice.
func unchanged(r *http.Request, p *page, sign string) bool {
	if p.Notice != nil {
		sign += "." + p.Notice.Text
	}
	query := r.URL.Query()
	same := query.Get("seen") == sign && r.Method == http.MethodGet
	query.Set("seen", sign)
	p.Poll = p.Root + strings.TrimPrefix(r.URL.Path, "/") + "?" + query.Encode()
	return same
}

func (h *Handler) render(page, part string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := h.pages[page].ExecuteTemplate(&out, part, data); err != nil {
		return nil, fmt.Errorf("make %s: %w", part, err)
	}
	return out.Bytes(), nil
}

// private sets the headers of what is for one visitor only. Nothing that it names comes from elsewhere, but for what
// permalinks lead to.
func (h *Handler) private(w http.ResponseWriter, r *http.Request) {
	media := "'self'"
	if h.Origin != nil {
		if origin := h.Origin(r.Context()); origin != "" {
			media += " " + origin
		}
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "+media+"; media-src "+media+
		"; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	header.Set("Cache-Control", "private, no-store")
	header.Set("Vary", "Cookie, Authorization")
	header.Set("X-Frame-Options", "DENY")
	// With no-referrer a browser would also keep the origin of a form to itself, by which old ones are told apart.
	header.Set("Referrer-Policy", "same-origin")
}
