package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
)

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
	Guard  *auth.Guard
	Links  Links                   // nil: no permalinks
	Mounts map[string]http.Handler // by pattern of net/http.ServeMux
	Log    *slog.Logger
}

// New returns everything that is served.
func New(d Deps) (http.Handler, error) {
	m := mux{http.NewServeMux()}
	for pattern, h := range d.Mounts {
		m.Handle(pattern, h)
	}
	return safe(d.Guard.Identify(m)), nil
}
