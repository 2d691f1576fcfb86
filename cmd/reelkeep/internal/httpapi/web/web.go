package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/live"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/queue"
)

// Videos is the in-tray; queue.Client is one.
type Videos interface {
	StatusIn(ctx context.Context, account, videoID string) (queue.Status, error)
	StatusMany(ctx context.Context, account string, videoIDs []string) ([]queue.StatusResult, error)
	CountsByAccount(ctx context.Context) (map[string]map[queue.State]int64, error)
	// Recent is a page of sealed videos, newest first.
	Recent(ctx context.Context, f queue.Filter, cursor string, limit int) (queue.Page, error)
	Page(ctx context.Context, f queue.Filter, cursor string, limit int) (queue.Page, error)
	// Urgent is what matters most of what is not sealed yet.
	Urgent(ctx context.Context, account string, limit int) ([]queue.Status, error)
	Troubled(ctx context.Context) ([]queue.Status, error)
	Retry(ctx context.Context, account, videoID string) (queue.Receipt, error)
	Cancel(ctx context.Context, account, videoID string) error
}

// Links makes links to what is archived.
type Links interface {
	// Permalink is "" where nobody has said how we are reached.
	Permalink(account, videoID, asset string) string
	// Share's errors may be a *problem.Problem.
	Share(ctx context.Context, account, videoID string, assets []string, ttl time.Duration) (map[string]string, error)
}

// Deps is what the page needs.
type Deps struct {
	Guard     *auth.Guard
	Videos    Videos
	Manifests manifests.Source
	Links     Links
	// Accounts are those of the fleet; nil: there is but the default one.
	Accounts func(ctx context.Context) ([]string, error)
	// Origin is where permalinks redirect to, so that the page may show what is there; nil: they don't.
	Origin func(ctx context.Context) string

	Share   bool   // share links can be made
	Version string // shown at the foot of the page
	Now     func() time.Time
	Log     *slog.Logger
}

// Handler serves the page.
type Handler struct {
	Deps

	assets assets
	pages  map[string]*template.Template
	live   *live.Hub

	searching chan struct{} // bounds how many search at a time
}

// New returns the page. Close ends its streams.
func New(d Deps) (*Handler, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{Deps: d, searching: make(chan struct{}, 4)}
	var err error
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.pages, err = parsePages(h.assets); err != nil {
		return nil, err
	}
	h.live = live.New(func() live.Watcher { return &watch{h, map[string]*view{}} })
	return h, nil
}

// Close ends the streams of events, so that a service that stops need not wait for them, and asks for nothing any more when it
// returns.
func (h *Handler) Close() { h.live.Close() }

// Mounts is what the page answers, by pattern of net/http.ServeMux.
func (h *Handler) Mounts() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /{$}":                     h.inside(h.home),
		"GET /videos/{id}":             h.inside(h.video),
		"POST /videos/{id}/retry":      h.inside(h.retry),
		"POST /videos/{id}/cancel":     h.inside(h.cancel),
		"POST /videos/{id}/share":      h.inside(h.share),
		"GET /events":                  http.HandlerFunc(h.events),
		"POST /signin":                 http.HandlerFunc(h.signIn),
		"POST /signout":                http.HandlerFunc(h.signOut),
		"GET /assets/{version}/{file}": h.assets,
		"GET /favicon.ico":             http.HandlerFunc(h.assets.icon),
	}
}

// patience is how long the in-tray and the store may take for one page.
const patience = 20 * time.Second

// inside admits those who may see anything at all, and shows the others the door.
func (h *Handler) inside(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth.Of(r.Context()).None() {
			h.door(w, r, http.StatusOK, "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		next(w, r.WithContext(ctx))
	})
}
