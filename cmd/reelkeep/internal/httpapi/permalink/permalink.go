package permalink

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Files gives out what lies in the store.
type Files interface {
	Open(ctx context.Context, k storage.VideoKey, name string, off, n int64) (io.ReadCloser, error)
	PresignGet(ctx context.Context, k storage.VideoKey, name string, o storage.PresignOptions) (link string, expires time.Time, err error)
}

// Queue knows the videos that are not archived yet.
type Queue interface {
	// StatusIn answers queue.ErrUnknown for a video that was never handed in.
	StatusIn(ctx context.Context, account, videoID string) (queue.Status, error)
}

// When to ask again.
const (
	renderRetry   = 30 * time.Second
	transferRetry = 5 * time.Second
	lateRetry     = 15 * time.Second
)

// Deps is what the handler needs.
type Deps struct {
	Manifests manifests.Source
	Files     Files
	Queue     Queue
	Signer    *sharelink.Signer
}

// Config is how permalinks answer.
type Config struct {
	Proxy  bool // through us; else by a redirect to a presigned link
	Public bool // everybody may
	Now    func() time.Time
	Log    *slog.Logger
}

// Handler answers permalinks.
type Handler struct {
	cfg    Config
	deps   Deps
	bodies chan struct{} // holds a token for each body that goes through us
}

// New returns the handler.
func New(cfg Config, deps Deps) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{cfg, deps, make(chan struct{}, mostBodies)}
}

// Mounts is what the handler answers, by pattern of net/http.ServeMux. GET stands for HEAD too.
func (h *Handler) Mounts() map[string]http.Handler {
	preflight := http.HandlerFunc(h.preflight)
	return map[string]http.Handler{
		"GET /v/{id}": h, "GET /v/{id}/{asset}": h,
		"OPTIONS /v/{id}": preflight, "OPTIONS /v/{id}/{asset}": preflight,
	}
}

// preflight answers a browser that asks whether a page of another origin may send a Range to a link that opens itself. It is
// no answer to whether the link is good.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Allow", "GET, HEAD, OPTIONS")
	if h.cfg.Public || sharelink.Signed(r.URL.Query()) {
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Methods", "GET, HEAD")
		header.Set("Access-Control-Allow-Headers", "Range, If-Range, If-None-Match, If-Modified-Since")
		header.Set("Access-Control-Max-Age", "86400")
	}
	w.WriteHeader(http.StatusNoContent)
}

// ServeHTTP takes the video id and the asset from the path as the patterns of Mounts part it, and who asks from the
// request's context (auth.Of).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The query may be a signature, and whoever follows a link in a file must not hand it on.
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	query := r.URL.Query()
	f := sharelink.File{VideoID: r.PathValue("id"), Asset: r.PathValue("asset")}
	if f.Asset == "" {
		f.Asset = string(heygen.AssetVideo)
	}
	leave, no := h.admit(r, query, &f)
	if no != nil {
		no.ServeHTTP(w, r)
		return
	}
	s, no := h.find(r.Context(), f)
	if no != nil {
		no.ServeHTTP(w, r)
		return
	}
	s.leave = leave
	s.disposition = disposition(s.manifest, s.asset, query.Get("download") == "1")
	if h.cfg.Proxy {
		h.proxy(w, r, s)
		return
	}
	h.redirect(w, r, s)
}

// leave is what somebody who may see a file has been given.
type leave struct {
	until  time.Time // when it ends; zero: not
	anyone bool      // by a link that works for whoever has it, or because everybody may
}

// admit says whether the request may see the file, and fills in whose video it is. Nothing is looked up before.
func (h *Handler) admit(r *http.Request, query url.Values, f *sharelink.File) (leave, *problem.Problem) {
	f.Account = query.Get(sharelink.ParamAccount)
	var linkErr error
	if sharelink.Signed(query) {
		until, err := h.deps.Signer.Check(*f, query, h.cfg.Now())
		if err == nil {
			return leave{until: until, anyone: true}, nil
		}
		linkErr = err
	}
	access := auth.Of(r.Context())
	if f.Account == "" {
		f.Account = access.Account
	}
	if f.Account == "" {
		f.Account = sharelink.DefaultAccount
	}
	switch {
	case h.cfg.Public:
		return leave{anyone: true}, nil
	case access.Allows(f.Account):
		return leave{}, nil
	case !access.None():
		return leave{}, unknownVideo()
	}
	return leave{}, refused(linkErr)
}

// found is a file that somebody may see.
type found struct {
	key         storage.VideoKey
	manifest    *storage.Manifest
	asset       storage.Asset
	disposition string
	leave       leave
}

func (h *Handler) find(ctx context.Context, f sharelink.File) (*found, *problem.Problem) {
	k := storage.VideoKey{Account: f.Account, VideoID: f.VideoID}
	if !heygen.ValidID(f.VideoID) || k.Validate() != nil || !slices.Contains(heygen.Assets(), heygen.Asset(f.Asset)) {
		return nil, unknownVideo()
	}
	m, err := h.deps.Manifests.Manifest(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, h.notArchived(ctx, f)
	}
	if err != nil {
		h.trouble(ctx, "manifest not read", f, err)
		return nil, unavailable("the archive is out of reach at the moment")
	}
	if asset, ok := m.Asset(f.Asset); ok {
		return &found{key: k, manifest: m, asset: asset}, nil
	}
	for _, absent := range m.Absent {
		if absent.Asset == f.Asset && absent.Reason == storage.AbsentLate {
			return nil, notYet("HeyGen has not made this file yet; it may still come", lateRetry)
		}
	}
	return nil, missing("the video is archived, and HeyGen offered no such file of it")
}

// notArchived says what becomes of a video that has no manifest.
func (h *Handler) notArchived(ctx context.Context, f sharelink.File) *problem.Problem {
	s, err := h.deps.Queue.StatusIn(ctx, f.Account, f.VideoID)
	switch {
	case errors.Is(err, queue.ErrUnknown):
		return unknownVideo()
	case err != nil:
		h.trouble(ctx, "state not read", f, err)
		return unavailable("whether this video is on its way can't be told at the moment")
	}
	switch s.State {
	case queue.StateFailed, queue.StateGone, queue.StateCancelled:
		return missing("the video is not archived: it is " + string(s.State))
	case queue.StateTransferring, queue.StatePartial:
		return notYet("the video is being archived", transferRetry)
	case queue.StateArchived:
		// It was sealed, and its manifest is not there any more: somebody has removed it from the store.
		return missing("the video was archived once, and is not in the store any more")
	}
	return notYet("the video is accepted and not archived yet", renderRetry)
}

// trouble is not told to the log if it is only that the visitor has left.
func (h *Handler) trouble(ctx context.Context, what string, f sharelink.File, err error) {
	if ctx.Err() != nil {
		return
	}
	h.cfg.Log.Warn("permalink not served", "what", what, "video_id", f.VideoID, "asset", f.Asset, "err", err)
}
