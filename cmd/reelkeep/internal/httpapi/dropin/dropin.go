package dropin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	// lookTimeout is what a store that hangs may cost an answer, be it of one video or of a whole list. HeyGen's own is next.
	lookTimeout = 2 * time.Second
	// enqueueTimeout and mostEnqueues bound what a Redis that hangs costs; a sweep finds the video as well.
	enqueueTimeout = 5 * time.Second
	mostEnqueues   = 256
	// mostStrangers is how many requests of those whom we don't know are passed through at once.
	mostStrangers = 256
	// settleTimeout is how long what is to be enqueued is waited for at the end.
	settleTimeout = time.Second
	// stallLimit is for how long neither side may send a byte of a body.
	stallLimit = 2 * time.Minute
)

// Queue takes videos in. It leaves alone what has ended: an app that polls a failed video would revive it for ever.
type Queue interface {
	Offer(ctx context.Context, jobs []queue.Job) ([]queue.Result, error)
}

// Config is what the drop-in is like.
type Config struct {
	HeyGenURL string // HEYGEN_API_URL
	BaseURL   string // REELKEEP_PUBLIC_URL: what our links begin with
	Full      bool   // every route is passed through, not only the two of the status
	Log       *slog.Logger
}

// Deps is what the handler needs.
type Deps struct {
	Manifests manifests.Source
	Queue     Queue
	Signer    *sharelink.Signer
	Accounts  []Account
	Tokens    *auth.Tokens
}

// Handler answers HeyGen's routes.
type Handler struct {
	cfg     Config
	deps    Deps
	links   links
	callers *callers
	target  *url.URL

	lookTimeout time.Duration

	talk    talk.Limit
	strange chan struct{}         // holds a token for each request of a stranger
	sending chan struct{}         // holds a token for each video that is being enqueued
	proxy   httputil.ReverseProxy // what all requests have in common
}

// New returns the handler. Without a secret to sign links with, or an address to begin them with, there is no drop-in.
func New(cfg Config, deps Deps) (*Handler, error) {
	if !deps.Signer.Ready() {
		return nil, fmt.Errorf("answer HeyGen's routes (REELKEEP_DROPIN): %w", &sharelink.NoSecretError{})
	}
	if cfg.BaseURL == "" {
		return nil, errors.New("answer HeyGen's routes (REELKEEP_DROPIN): REELKEEP_PUBLIC_URL is not set: links need an address to begin with")
	}
	target, err := url.Parse(cfg.HeyGenURL)
	if err != nil || target.Host == "" {
		return nil, errors.New("answer HeyGen's routes (REELKEEP_DROPIN): HEYGEN_API_URL is no address")
	}
	if own, err := url.Parse(cfg.BaseURL); err == nil && sameOrigin(own, target) {
		return nil, errors.New("answer HeyGen's routes (REELKEEP_DROPIN): HEYGEN_API_URL leads to ourselves (REELKEEP_PUBLIC_URL); it must name HeyGen")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{cfg: cfg, deps: deps, links: links{cfg.BaseURL, deps.Signer}, callers: newCallers(deps.Accounts, deps.Tokens), target: target, lookTimeout: lookTimeout, strange: make(chan struct{}, mostStrangers), sending: make(chan struct{}, mostEnqueues)}
	h.proxy = httputil.ReverseProxy{
		Transport:     newTransport(),
		FlushInterval: -1, // what HeyGen sends now is wanted now
		ErrorHandler:  h.failed,
		ErrorLog:      slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return h, nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// Mounts is what the handler answers, by pattern of net/http.ServeMux. GET stands for HEAD too.
func (h *Handler) Mounts() map[string]http.Handler {
	mounts := map[string]http.Handler{
		"GET /v1/video_status.get": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.status(w, r, v1, r.URL.Query().Get("video_id"))
		}),
		"GET /v3/videos/{id}": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.status(w, r, v3, r.PathValue("id")) }),
	}
	if h.cfg.Full {
		for _, generation := range []string{"/v1/", "/v2/", "/v3/"} {
			mounts[generation] = http.HandlerFunc(h.pass)
		}
	}
	return mounts
}

// status answers where a video stands.
func (h *Handler) status(w http.ResponseWriter, r *http.Request, api, id string) {
	who := h.callers.of(r)
	if api == v3 && !h.cfg.Full && !heygen.ValidID(id) { // an id with a %2F in it would be any other route, with the account's key
		refuse(w, r, http.StatusNotFound, "there is no such video")
		return
	}
	if !who.known() || !isVideo(api, id) {
		h.pass(w, r)
		return
	}
	k := storage.VideoKey{Account: who.account.Name, VideoID: id}
	if m := h.sealed(r.Context(), k); m != nil {
		body, err := h.links.answer(m, api)
		if err == nil {
			writeJSON(w, http.StatusOK, body)
			return
		}
		h.cfg.Log.Warn("answer not made", "video_id", id, "account", who.account.Name, "err", err)
	}
	e := &errand{who: who, worth: true}
	// Also if whoever asked leaves in the middle of the answer, which ReverseProxy ends by a panic.
	defer func() { //nolint:contextcheck // the context is the request's
		if e.worth {
			h.enqueue(r.Context(), k)
		}
	}()
	h.forward(w, r, e)
}

// isVideo says whether an id is one of a video, and not of a list that stands beside the videos.
func isVideo(api, id string) bool {
	beside := api == v3 && (id == "statuses" || id == "batches")
	return heygen.ValidID(id) && !beside
}

// sealed is the manifest of a video, if there is one that can be read in time. A store out of reach makes us a pipe:
// HeyGen's answer is still better than none.
func (h *Handler) sealed(ctx context.Context, k storage.VideoKey) *storage.Manifest {
	ctx, cancel := context.WithTimeout(ctx, h.lookTimeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil // the time for a list is up: what would be read now nobody waits for
	}
	m, err := h.deps.Manifests.Manifest(ctx, k)
	if err == nil {
		return m
	}
	left := errors.Is(ctx.Err(), context.Canceled)
	if !errors.Is(err, storage.ErrNotFound) && !left && h.talk.Speaks("store") {
		h.cfg.Log.Warn("manifest not read; heygen is asked instead", "video_id", k.VideoID, "account", k.Account, "err", err)
	}
	return nil
}

// enqueue hands the video in, and waits for nothing: the answer that is under way must not depend on Redis.
func (h *Handler) enqueue(ctx context.Context, k storage.VideoKey) {
	select {
	case h.sending <- struct{}{}:
	default:
		h.missed(k, errors.New("too many wait for Redis (REELKEEP_REDIS)"))
		return
	}
	go func() {
		defer func() { <-h.sending }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enqueueTimeout)
		defer cancel()
		results, err := h.deps.Queue.Offer(ctx, []queue.Job{{VideoID: k.VideoID, Account: k.Account}})
		if err == nil && len(results) == 1 {
			err = results[0].Err
		}
		if err != nil {
			h.missed(k, err)
		}
	}()
}

func (h *Handler) missed(k storage.VideoKey, err error) {
	if h.talk.Speaks("queue") {
		h.cfg.Log.Warn("video not enqueued; a sweep will find it", "video_id", k.VideoID, "account", k.Account, "err", secret.Scrub(err.Error()))
	}
}

// Settle waits until what the last answers named is enqueued, and not for long. No request may come any more.
func (h *Handler) Settle() {
	late := time.NewTimer(settleTimeout)
	defer late.Stop()
	for range mostEnqueues {
		select {
		case h.sending <- struct{}{}:
		case <-late.C:
			return
		}
	}
}

// pass hands a request on as it is.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect { // an echo would show the account's key
		refuse(w, r, http.StatusMethodNotAllowed, r.Method+" is not done here")
		return
	}
	if slices.Contains(strings.Split(r.URL.Path, "/"), "..") { // escaped, or net/http had taken it away
		refuse(w, r, http.StatusNotFound, "there is nothing here")
		return
	}
	who := h.callers.of(r)
	list := r.Method == http.MethodGet && (r.URL.Path == "/v1/video.list" || r.URL.Path == "/v3/videos")
	h.forward(w, r, &errand{who: who, list: list && who.known(), creates: r.Method == http.MethodPost && who.known()})
}

func (h *Handler) forward(w http.ResponseWriter, r *http.Request, e *errand) {
	if looped(r) {
		e.worth = false
		if h.talk.Speaks("loop") { // strangers can write Via too
			h.cfg.Log.Error("HEYGEN_API_URL leads back to reelkeep; it must name HeyGen")
		}
		refuse(w, r, http.StatusLoopDetected, "HEYGEN_API_URL leads back to reelkeep")
		return
	}
	if e.who.vague {
		refuse(w, r, http.StatusUnauthorized, "it is not clear which key of HeyGen's this token stands for: use one of a single account (account:token in REELKEEP_API_TOKENS) that has a key here")
		return
	}
	if !e.who.known() {
		select {
		case h.strange <- struct{}{}:
			defer func() { <-h.strange }()
		default:
			w.Header().Set("Retry-After", "5")
			refuse(w, r, http.StatusServiceUnavailable, "too many requests with keys that reelkeep does not know are under way")
			return
		}
	}
	clear(w.Header()) // what our server says with every answer is not part of HeyGen's
	out, in := stall.Guard(w, r, stallLimit)
	h.pipe(r.Context(), e).ServeHTTP(out, in)
}
