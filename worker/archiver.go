package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Catalog says what HeyGen knows of a video. One per account.
type Catalog interface {
	Video(ctx context.Context, id string) (*heygen.Video, error)
}

// Opener opens the remote file behind a link.
type Opener interface {
	Open(ctx context.Context, link fetch.Link, refresh fetch.Refresh, opt fetch.Options) (*fetch.File, error)
}

// Observer sees the work as it happens. Its methods MUST return fast and MAY be called by several goroutines.
type Observer interface {
	AssetStarted(v Video, asset string, total, stored int64) // total is -1 while unknown
	Moved(v Video, asset string, n int64)                    // n more bytes came from the source
	AssetDone(v Video, asset, outcome string)                // stored, absent, rejected (not what it claims) or failed (will be tried again)
}

// Progress hears of every part that is stored, so that whoever counts failures can start counting afresh.
type Progress func(asset string, stored, total int64)

// Config is the Archiver's settings; NewArchiver fills in the defaults.
type Config struct {
	RenderWait     time.Duration // REELKEEP_RENDER_WAIT, default 72 h
	LateAssetsWait time.Duration // REELKEEP_LATE_ASSETS_WAIT; 0 = an optional asset that is missing is not waited for
	// LastAttempt: after so many failures, an optional asset that cannot be had is recorded as gone, so that a
	// broken GIF does not cost the video. Default 9, the last before the queue gives up.
	LastAttempt int
	Streams     int // REELKEEP_STREAMS: most ranges of one asset read at once; default 32
	Now         func() time.Time
	Log         *slog.Logger
}

// Deps are the parts that the bench works with.
type Deps struct {
	Catalogs map[string]Catalog // by account
	Opener   Opener
	Store    *storage.Store
	Buffers  *Buffers
	Observer Observer
}

// Video names the video to be archived and carries what the in-tray knows of it.
type Video struct {
	Account, ID    string
	Metadata       map[string]string // the caller's; goes into the manifest
	AcceptedAt     time.Time         // zero = just now
	Title          string            // from a list, for APIs whose status has none
	CreatedAt      time.Time         // likewise; zero = unknown
	FirstCompleted time.Time         // when the render was first seen completed; zero = not yet
	Failures       int               // in a row, without a stored part between
	Again          bool              // fetch a re-rendered video as a new generation
}

func (v Video) key() storage.VideoKey {
	return storage.VideoKey{Account: v.Account, VideoID: v.ID}
}

// Archiver archives one video at a time for each call; it may be called by many goroutines.
type Archiver struct {
	cfg    Config
	deps   Deps
	recent *recentVideos
}

// NewArchiver puts the bench together.
func NewArchiver(cfg Config, deps Deps) (*Archiver, error) {
	switch {
	case len(deps.Catalogs) == 0:
		return nil, errors.New("build the archiver: no HeyGen account is configured")
	case deps.Opener == nil || deps.Store == nil || deps.Buffers == nil:
		return nil, errors.New("build the archiver: opener, store and buffers are required")
	}
	if cfg.RenderWait <= 0 {
		cfg.RenderWait = 72 * time.Hour
	}
	if cfg.LastAttempt <= 0 {
		cfg.LastAttempt = 9
	}
	if cfg.Streams <= 0 {
		cfg.Streams = 32
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Observer == nil {
		deps.Observer = silent{}
	}
	return &Archiver{cfg: cfg, deps: deps, recent: newRecentVideos(cfg.Now)}, nil
}

type silent struct{}

func (silent) AssetStarted(Video, string, int64, int64) {}
func (silent) Moved(Video, string, int64)               {}
func (silent) AssetDone(Video, string, string)          {}

// Finding is what Check learnt of a video.
type Finding struct {
	Manifest *storage.Manifest // not nil: it is sealed; what is left to do, if it is partial, Transfer does
	Title    string
	Deadline time.Time // the earliest moment at which a link to it dies; never zero once completed
}

// Check looks whether the video is sealed already and, if not, asks HeyGen once. A nil error with a nil
// Manifest means: completed, transfer it.
func (a *Archiver) Check(ctx context.Context, v Video) (Finding, error) {
	m, err := a.sealed(ctx, v)
	if err != nil {
		return Finding{}, err
	}
	if m != nil && !v.Again {
		return Finding{Manifest: m, Title: m.Video.Title}, nil
	}
	hv, err := a.ask(ctx, v)
	if err != nil {
		return Finding{}, err
	}
	return Finding{Title: hv.Title, Deadline: a.deadline(v, hv)}, a.ready(v, hv)
}

// sealed returns the manifest, or nil if there is none.
func (a *Archiver) sealed(ctx context.Context, v Video) (*storage.Manifest, error) {
	m, err := a.deps.Store.Manifest(ctx, v.key())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storeError(fmt.Errorf("read the manifest of %s: %w", v.ID, err))
	}
	return m, nil
}

// ask calls HeyGen. The answer is remembered for the transfer that follows.
func (a *Archiver) ask(ctx context.Context, v Video) (*heygen.Video, error) {
	catalog, ok := a.deps.Catalogs[accountName(v.Account)]
	if !ok {
		return nil, &RefusedError{Of: "HeyGen", After: refusedWait,
			Err: fmt.Errorf("video %s belongs to account %q, for which there is no key: set HEYGEN_API_KEY", v.ID, v.Account)}
	}
	hv, err := catalog.Video(ctx, v.ID)
	if err != nil {
		return nil, heygenError(v.ID, err)
	}
	a.recent.put(v, hv)
	return hv, nil
}

// ready says whether there is something to transfer: nil, or what should happen instead.
func (a *Archiver) ready(v Video, hv *heygen.Video) error {
	_, offered := hv.Link(heygen.AssetVideo)
	switch {
	case hv.Status == heygen.StatusCompleted && offered:
		return nil
	case hv.Status == heygen.StatusNotFound:
		return &GoneError{VideoID: v.ID}
	case hv.Status == heygen.StatusFailed:
		return renderFailed(v, hv)
	}
	if waited := a.since(v.AcceptedAt); waited > a.cfg.RenderWait {
		return &RenderFailedError{VideoID: v.ID, TimedOut: a.cfg.RenderWait}
	}
	notReady := &NotReadyError{VideoID: v.ID, VendorStatus: hv.VendorStatus, After: pollDelay(a.since(v.AcceptedAt))}
	if hv.Status == heygen.StatusDraft {
		notReady.VendorStatus = string(heygen.StatusDraft)
	}
	if hv.Status == heygen.StatusCompleted {
		now := a.cfg.Now()
		if now.After(completedAt(v, hv, now).Add(max(a.cfg.LateAssetsWait, linkGrace))) {
			return &NoLinkError{VideoID: v.ID}
		}
		notReady.Completed, notReady.After = firstCompleted(v, now), 5*time.Second
	}
	return notReady
}

// linkGrace is how long a completed video may be without its link at least: HeyGen says completed before its CDN has
// the file, by half a minute or so.
const linkGrace = 2 * time.Minute

func (a *Archiver) since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return a.cfg.Now().Sub(t)
}

// pollDelay spaces the status calls of one video by its age. Renders take minutes, so asking more often than
// every few seconds finds nothing; a render that is stuck for hours is asked for every five minutes.
func pollDelay(age time.Duration) time.Duration {
	return min(max(age/10, 2*time.Second), 5*time.Minute)
}

func renderFailed(v Video, hv *heygen.Video) error {
	e := &RenderFailedError{VideoID: v.ID}
	if hv.Failure != nil {
		e.Code, e.Message = hv.Failure.Code, hv.Failure.Message
	}
	return e
}

func accountName(account string) string {
	if account == "" {
		return "default"
	}
	return account
}
