package web

import (
	"net/http"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
)

// mostForm is more than any form here has.
const mostForm = 16 << 10

// formValue reads a field of one of our forms. PostFormValue would also take multipart ones, and leave their files in $TMPDIR.
func formValue(r *http.Request, name string) string {
	if r.ParseForm() != nil {
		return ""
	}
	return r.PostForm.Get(name)
}

type doorPage struct {
	page

	Open   bool // no token is set: there is no signing in
	Failed string
	Next   string
	Again  bool
}

// door is what those see who may see nothing. Of what they send no more is read.
func (h *Handler) door(w http.ResponseWriter, r *http.Request, status int, failed string) {
	if r.PostForm == nil {
		stall.Unread(w, r)
	}
	d := doorPage{page: h.newPage(r, "Sign in"), Open: h.Guard.Tokens.Empty(), Failed: failed, Next: nextOf(r)}
	if d.Open {
		d.Title, status = "Not from here", http.StatusForbidden
	}
	// A browser that follows a link from elsewhere keeps a strict cookie to itself. Asked again by our own page, it sends it.
	d.Again = !d.Open && r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Refresh", "true") // the session has ended under a page that is open
	}
	h.show(w, r, status, "door", d)
}

// nextOf is where somebody wanted to go, as seen from /.
func nextOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return safeNext(r.PostForm.Get("next")) // where it was read
	}
	return safeNext(strings.TrimPrefix(r.URL.RequestURI(), "/"))
}

// safeNext lets only addresses of our own pages through, relative to /.
func safeNext(next string) string {
	if strings.HasPrefix(next, "?") || (strings.HasPrefix(next, "videos/") && !strings.ContainsAny(next, "\\\r\n:") && !strings.Contains(next, "..")) {
		return next
	}
	return ""
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	if auth.CrossSite(r) {
		h.door(w, r, http.StatusForbidden, "This came from another page. Sign in here.")
		return
	}
	if !h.Guard.SignIn(w, r, strings.TrimSpace(formValue(r, "token"))) {
		h.Log.Warn("somebody could not sign in: not one of our tokens")
		h.door(w, r, http.StatusForbidden, "This is not one of the tokens that are set.")
		return
	}
	seeOther(w, "./"+nextOf(r))
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	if !auth.CrossSite(r) {
		h.Guard.SignOut(w, r)
	}
	seeOther(w, "./")
}

// seeOther leads to an address as seen from this one. http.Redirect would make it absolute, and lose what an ingress has
// put in front.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
