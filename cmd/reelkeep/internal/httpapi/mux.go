package httpapi

import (
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
)

// mux is a ServeMux that says "no such route" by problem documents.
type mux struct{ *http.ServeMux }

func (m mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := m.Handler(r)
	if pattern != "" {
		m.ServeMux.ServeHTTP(w, r)
		return
	}
	// What ServeMux would say, without its words.
	verdict := &verdict{header: http.Header{}}
	h.ServeHTTP(verdict, r)
	if allow := verdict.header.Get("Allow"); verdict.status == http.StatusMethodNotAllowed {
		problem.NotAllowed(r.Method, allow).ServeHTTP(w, r)
		return
	}
	hint := "/docs lists what there is"
	if strings.HasPrefix(r.URL.Path, "/api/") {
		hint = "/docs and /openapi.json list what there is below /api/v1"
	}
	problem.Write(w, http.StatusNotFound, "no_such_route", "there is nothing here", hint)
}

// verdict takes an answer and keeps its status.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
func (v *verdict) WriteHeader(status int)      { v.status = status }

func stack() string {
	const enough = 4 << 10
	s := string(debug.Stack())
	return s[:min(len(s), enough)]
}

// safe sets what every answer needs against a browser that means it too well.
func safe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the address of a permalink may be a secret
		next.ServeHTTP(w, r)
	})
}
