package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// Videos is the in-tray; queue.Client is one.
type Videos interface {
	EnqueueMany(ctx context.Context, jobs []queue.Job) ([]queue.Result, error)
	StatusIn(ctx context.Context, account, videoID string) (queue.Status, error)
	Page(ctx context.Context, f queue.Filter, cursor string, limit int) (queue.Page, error)
	Retry(ctx context.Context, account, videoID string) (queue.Receipt, error)
	Cancel(ctx context.Context, account, videoID string) error
}

// Archive knows what the in-tray may have forgotten; storage.Store is one.
type Archive interface {
	Manifest(ctx context.Context, k storage.VideoKey) (*storage.Manifest, error)
}

// Links makes links to what is archived.
type Links interface {
	// Permalink is the address of an asset for those who may see the video anyway; "" if there is none.
	Permalink(account, videoID, asset string) string
	// Share returns a link to each of the assets, by asset, that needs nothing else to be opened, for ttl; 0 is for ever.
	// No asset named means all that are stored. An error that is a *problem.Problem is the answer as it is.
	Share(ctx context.Context, account, videoID string, assets []string, ttl time.Duration) (map[string]string, error)
}

// Deps is what the door needs.
type Deps struct {
	Guard    *auth.Guard
	Videos   Videos
	Archive  Archive
	Accounts func(context.Context) ([]string, error) // those for which the fleet has a key; nil: nobody knows
	Links    Links                                   // nil: there are none
	Mounts   map[string]http.Handler                 // by pattern of net/http.ServeMux; see the package comment

	PublicURL string // our own address; "" if it is not known
	Version   string
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger
}

// New returns everything that is served.
func New(d Deps) (http.Handler, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	inner := mux{http.NewServeMux()}
	document, err := json.MarshalIndent(newAPI(d, inner.ServeMux).OpenAPI(), "", " ")
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	page, err := docsPage(document)
	if err != nil {
		return nil, err
	}
	m := mux{http.NewServeMux()}
	m.Handle("/api/", d.Guard.Require(inner))
	m.Handle("GET /openapi.json", static("application/json", document))
	m.Handle("GET /docs", static("text/html; charset=utf-8", page))
	for pattern, h := range d.Mounts {
		m.Handle(pattern, h)
	}
	return safe(d.Guard.Identify(m)), nil
}

// api is the REST API.
type api struct{ Deps }

// newAPI registers the routes with m.
func newAPI(d Deps, m *http.ServeMux) huma.API {
	a := &api{d}
	h := huma.NewAPI(apiConfig(d), humago.NewAdapter(m, ""))
	huma.Register(h, enqueueOperation(), a.enqueue)
	huma.Register(h, listOperation(), a.list)
	huma.Register(h, getOperation(), a.get)
	huma.Register(h, retryOperation(), a.retry)
	huma.Register(h, cancelOperation(), a.cancel)
	huma.Register(h, shareOperation(), a.share)
	polish(h.OpenAPI())
	return h
}

func static(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(body) // whoever asked may be gone
	})
}
