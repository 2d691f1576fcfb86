package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Catalog says what HeyGen knows of a video. One per account.
type Catalog interface {
	// Video tells all, with links that nobody was given before.
	Video(ctx context.Context, id string) (*heygen.Video, error)
	// Look tells how far the video is, and MAY tell no more than that (heygen.Video.Brief).
	Look(ctx context.Context, id string) (*heygen.Video, error)
}

// Opener opens the remote file behind a link.
type Opener interface {
	Open(ctx context.Context, link fetch.Link, refresh fetch.Refresh, opt fetch.Options) (*fetch.File, error)
}

// Observer sees the work as it happens. Its methods MUST return fast and MAY be called by several goroutines.
type Observer interface {
	// AssetStarted: bytes are about to move. total is -1 while unknown; stored is more than 0 if an upload that an
	// earlier worker left unfinished is continued.
	AssetStarted(v Video, asset string, total, stored int64)
	Moved(v Video, asset string, n int64) // n more bytes came from the source
	// AssetDone: outcome is stored or absent, once for each asset, when a manifest that says so is sealed; rejected (not
	// what it claims) or failed, each time: both are tried again.
	AssetDone(v Video, asset, outcome string)
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
	// Waiting says how many videos of an account wait for HeyGen just now, for their render or for a late asset, whoever
	// will ask about them. It is asked often and must be quick. nil: none, so that each is polled as if it were alone.
	Waiting func(account string) int
	// KeyIn says where a person finds the key of an account. nil: HEYGEN_API_KEY.
	KeyIn   func(account string) string
	Streams int // REELKEEP_STREAMS: most ranges of one asset read at once; default 32
	Now     func() time.Time
	Log     *slog.Logger
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
	Interrupted    string            // what cut the last transfer off: drain, crash or "" if it answered
	Rendering      bool              // known to be rendering when last looked at: there is no manifest to look for
}

func (v Video) key() storage.VideoKey {
	return storage.VideoKey{Account: v.Account, VideoID: v.ID}
}

// Archiver archives one video at a time for each call; it may be called by many goroutines.
type Archiver struct {
	cfg     Config
	deps    Deps
	unsure  unsure
	sources sources
	life    atomic.Int64 // how long links lived when HeyGen last gave one; 0: none seen
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
	if cfg.KeyIn == nil {
		cfg.KeyIn = func(string) string { return "HEYGEN_API_KEY" }
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
	return &Archiver{cfg: cfg, deps: deps}, nil
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

// Check looks whether the video is sealed already and, if not, asks HeyGen how far it is. A nil error with a nil
// Manifest means: completed, transfer it. The manifest of a video that renders is not looked for at every poll: should
// somebody else have sealed it, its transfer finds that out.
func (a *Archiver) Check(ctx context.Context, v Video) (Finding, error) {
	found, err := a.check(ctx, v)
	a.abandon(ctx, v, err)
	return found, err
}

// abandon ends the unfinished uploads of a video that is settled without a manifest: nobody will ever go on with them, and a
// store keeps parts, and charges for them, until somebody says that they are not needed. Those of one that was given up stay: a
// retry goes on with them.
func (a *Archiver) abandon(ctx context.Context, v Video, err error) {
	var settles interface{ Settle() (state, reason string) }
	if !errors.As(err, &settles) {
		return
	}
	if _, reason := settles.Settle(); reason == reasonGaveUp {
		return
	}
	a.Abandon(ctx, v)
}

// Abandon ends the unfinished uploads of a video that nobody wants any more. What is sealed stays as it is. Should the video have
// been handed in again meanwhile, its transfer finds the upload gone and starts over.
func (a *Archiver) Abandon(ctx context.Context, v Video) {
	if err := a.deps.Store.AbortOrphans(ctx, v.key()); err != nil {
		a.cfg.Log.Warn("the unfinished uploads of a video that is settled are still there", "video_id", v.ID, "err", err)
	}
}

// LookBehind clears up behind workers that were killed when they had just sealed one of these videos. Nothing depends on it.
func (a *Archiver) LookBehind(ctx context.Context, sealed ...*storage.Manifest) {
	a.behind().look(ctx, sealed...)
}

func (a *Archiver) behind() behind { return behind{a.deps.Store, a.cfg.Now, a.cfg.Log} }

func (a *Archiver) check(ctx context.Context, v Video) (Finding, error) {
	if !v.Rendering {
		m, err := a.sealed(ctx, v)
		if err != nil {
			return Finding{}, err
		}
		if m != nil && !v.Again {
			a.LookBehind(ctx, m)
			return Finding{Manifest: m, Title: m.Video.Title}, nil
		}
	}
	catalog, err := a.catalog(v)
	if err != nil {
		return Finding{}, err
	}
	hv, err := catalog.Look(ctx, v.ID)
	if err != nil {
		return Finding{}, a.heygenError(v, err)
	}
	a.learn(hv)
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
	if before, ours := a.unsure.take(v, m); ours {
		a.tellDone(v, before, m)
	}
	return m, nil
}

// catalog is who knows the videos of the account.
func (a *Archiver) catalog(v Video) (Catalog, error) {
	catalog, ok := a.deps.Catalogs[accountName(v.Account)]
	if !ok {
		return nil, &RefusedError{Of: "HeyGen", After: refusedWait,
			Err: fmt.Errorf("video %s belongs to account %q, for which there is no key: set %s", v.ID, accountName(v.Account), a.keyIn(v))}
	}
	return catalog, nil
}

func (a *Archiver) keyIn(v Video) string { return a.cfg.KeyIn(accountName(v.Account)) }

// ask asks HeyGen for everything about the video, links included.
func (a *Archiver) ask(ctx context.Context, v Video) (*heygen.Video, error) {
	catalog, err := a.catalog(v)
	if err != nil {
		return nil, err
	}
	hv, err := catalog.Video(ctx, v.ID)
	if err != nil {
		return nil, a.heygenError(v, err)
	}
	a.learn(hv)
	return hv, nil
}

// ready says whether there is something to transfer: nil, or what should happen instead.
func (a *Archiver) ready(v Video, hv *heygen.Video) error {
	_, offered := hv.Link(heygen.AssetVideo)
	switch {
	case hv.Status == heygen.StatusCompleted && (offered || hv.Brief):
		return nil
	case hv.Status == heygen.StatusNotFound:
		return &GoneError{VideoID: v.ID, Key: a.keyIn(v)}
	case hv.Status == heygen.StatusFailed:
		return renderFailed(v, hv)
	}
	if waited := a.since(v.AcceptedAt); waited > a.cfg.RenderWait {
		return &RenderFailedError{VideoID: v.ID, TimedOut: a.cfg.RenderWait}
	}
	notReady := &NotReadyError{VideoID: v.ID, VendorStatus: hv.VendorStatus, After: a.pollDelay(v, hv)}
	if hv.Status == heygen.StatusDraft {
		notReady.VendorStatus = string(heygen.StatusDraft)
	}
	if hv.Status == heygen.StatusCompleted {
		now := a.cfg.Now()
		if now.After(completedAt(v, hv, now).Add(max(a.cfg.LateAssetsWait, linkGrace))) {
			return &NoLinkError{VideoID: v.ID}
		}
		notReady.Completed = firstCompleted(v, now)
		notReady.After = max(linkWait, min(crowdDelay(a.waiting(v.Account), hv.API), linkGrace/2))
	}
	return notReady
}

const (
	// linkGrace is how long a completed video may be without its link at least: HeyGen says completed before its CDN has
	// the file, by half a minute or so.
	linkGrace = 2 * time.Minute
	// linkWait spaces the looks for it, unless a crowd waits.
	linkWait = 5 * time.Second
)

func (a *Archiver) since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return a.cfg.Now().Sub(t)
}

func renderFailed(v Video, hv *heygen.Video) error {
	e := &RenderFailedError{VideoID: v.ID}
	if hv.Failure != nil {
		e.Code, e.Message = hv.Failure.Code, hv.Failure.Message
	}
	return e
}

// defaultAccount is the account of HEYGEN_API_KEY.
const defaultAccount = "default"

func accountName(account string) string { return cmp.Or(account, defaultAccount) }
