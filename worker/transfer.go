package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// run is one video on the bench: what is known, what is stored so far, what is absent.
type run struct {
	*Archiver
	v        Video
	hv       *heygen.Video
	progress Progress

	old        *storage.Manifest // what is sealed already: a partial one to be completed, or the generation before
	generation int

	mu     sync.Mutex // guards what follows: small assets are fetched at the same time
	stored map[heygen.Asset]storage.Asset
	absent map[heygen.Asset]string
	left   map[string]storage.Leftover // by asset: what an earlier worker stored and did not seal
}

// startsOver is how often a transfer begins again because another worker has ended its uploads under it.
const startsOver = 5

// Transfer stores every asset of a completed video and seals it. A video that is sealed already comes back as
// it is; of a partial one only what has turned up since is fetched. The manifest it returns is the one in the
// store, whoever wrote it.
func (a *Archiver) Transfer(ctx context.Context, v Video, progress Progress) (*storage.Manifest, error) {
	for try := 1; ; try++ {
		m, err := a.transfer(ctx, v, progress)
		a.abandon(ctx, v, err)
		if err == nil {
			a.sources.ended(fileOf(v, heygen.AssetVideo))
		}
		overtaken := errors.Is(err, storage.ErrUploadGone) || errors.Is(err, storage.ErrSealed)
		if !overtaken || try == startsOver {
			return m, err
		}
		a.cfg.Log.Info("another worker was faster; starting again from the manifest", "video_id", v.ID, "attempt", try, "err", err)
	}
}

func (a *Archiver) transfer(ctx context.Context, v Video, progress Progress) (*storage.Manifest, error) {
	folder, err := a.deps.Store.Folder(ctx, v.key())
	if err != nil {
		return nil, storeError(err)
	}
	var old *storage.Manifest
	if folder.Sealed() {
		if old, err = a.sealed(ctx, v); err != nil {
			return nil, err
		}
	}
	if old != nil && !v.AcceptedAt.IsZero() && !old.SealedAt.Before(v.AcceptedAt) {
		v.Again = false // this very job has sealed it; what is left to do are its late assets
	}
	if old != nil && old.State == storage.StateArchived && !v.Again {
		a.endUploads(ctx, folder, old)
		return old, nil
	}
	partial := old != nil && old.State == storage.StatePartial
	if partial && (v.FirstCompleted.IsZero() || old.SealedAt.Before(v.FirstCompleted)) {
		v.FirstCompleted = old.SealedAt
	}
	r, err := a.newRun(ctx, v, held{folder, old}, progress)
	if partial && a.nothingMoreComes(old, err) {
		return a.closeLate(ctx, v, old)
	}
	if err != nil {
		return nil, err
	}
	if err := r.assets(ctx); err != nil {
		if errors.Is(err, errUnchanged) {
			v.Again = false
			return a.transfer(ctx, v, progress)
		}
		return nil, storeError(err)
	}
	return r.seal(ctx)
}

// endUploads ends uploads to a video that is sealed. Whoever is overtaken, or finds the video sealed when it is handed out
// again, may be the last that ever looks at it.
func (a *Archiver) endUploads(ctx context.Context, in *storage.Folder, sealed *storage.Manifest) {
	a.behind().tidy(ctx, in, sealed)
	if err := a.deps.Store.EndUnrecorded(ctx, sealed); err != nil {
		a.cfg.Log.Warn("unfinished uploads of a sealed video are still there", "video_id", sealed.VideoID, "err", err)
	}
}

// assets stores the video, and then the rest at the same time: those are mostly small, and a video of a few seconds
// spends more time waiting for answers than for bytes. One that fails doesn't stop the others, since what is stored is kept.
func (r *run) assets(ctx context.Context) error {
	if err := r.asset(ctx, heygen.AssetVideo); err != nil {
		return err
	}
	all := heygen.Assets()
	errs := make([]error, len(all))
	var rest sync.WaitGroup
	for i, asset := range all {
		if asset != heygen.AssetVideo {
			rest.Go(func() { errs[i] = r.asset(ctx, asset) })
		}
	}
	rest.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// nothingMoreComes says whether HeyGen's answer to another look at a sealed video ends the waiting for its late assets:
// it is gone or has failed since, or the time for them is over and it is not even completed any more.
func (a *Archiver) nothingMoreComes(old *storage.Manifest, err error) bool {
	var settles interface{ Settle() (string, string) }
	var notReady *NotReadyError
	var noLink *NoLinkError
	over := a.cfg.Now().After(a.LateUntil(old))
	return errors.As(err, &settles) || (over && (errors.As(err, &notReady) || errors.As(err, &noLink)))
}

// held is what the store has of a video: its folder, and the manifest in it, if there is one.
type held struct {
	folder *storage.Folder
	sealed *storage.Manifest
}

func (a *Archiver) newRun(ctx context.Context, v Video, have held, progress Progress) (*run, error) {
	old := have.sealed
	hv, err := a.ask(ctx, v)
	if err == nil && old != nil && old.State == storage.StatePartial && a.oldNews(old, hv) {
		hv, err = a.ask(ctx, v)
	}
	if err != nil {
		return nil, err
	}
	if err := a.ready(v, hv); err != nil {
		return nil, err
	}
	generation := nextGeneration(v, old)
	left, err := a.deps.Store.Leftovers(ctx, have.folder, old, generation)
	if err != nil {
		return nil, storeError(err)
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	var telling sync.Mutex
	oneByOne := func(asset string, stored, total int64) {
		telling.Lock()
		defer telling.Unlock()
		progress(asset, stored, total)
	}
	if hv.Title != "" {
		v.Title = hv.Title
	}
	r := &run{
		Archiver: a, v: v, hv: hv, progress: oneByOne, old: old, generation: generation,
		stored: map[heygen.Asset]storage.Asset{}, absent: map[heygen.Asset]string{}, left: left,
	}
	if old != nil && old.Generation == generation {
		r.keep(old)
	}
	return r, nil
}

// nextGeneration is the one that a transfer makes: a partial video is completed, and whatever else is there stays as it is.
func nextGeneration(v Video, old *storage.Manifest) int {
	switch {
	case old == nil:
		return 1
	case old.State == storage.StateArchived || v.Again:
		return old.Generation + 1
	}
	return old.Generation
}

// asset stores one asset, or records why it is absent. It returns an error only if the video cannot be sealed
// without it now.
func (r *run) asset(ctx context.Context, asset heygen.Asset) error {
	r.mu.Lock()
	_, done := r.stored[asset]
	r.mu.Unlock()
	if done {
		return nil
	}
	link, offered := r.hv.Link(asset)
	if !offered {
		if asset != heygen.AssetVideo && r.late(r.v, r.hv) {
			r.lacks(asset, storage.AbsentLate)
			return nil
		}
		r.lacks(asset, storage.AbsentNotOffered)
		return nil
	}
	var got storage.Asset
	err := r.safely(asset, func() (err error) { got, err = r.fetchAsset(ctx, asset, link); return err })
	if err == nil {
		r.mu.Lock()
		r.stored[asset] = got
		r.mu.Unlock()
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case asset == heygen.AssetVideo:
		return r.sourceError(r.v, link.URL.Host(), err)
	case !aboutAsset(err):
		return err
	}
	return r.optional(asset, err)
}

// optional decides what an optional asset that cannot be had means for the video: it may still turn up, or it
// has had its chances, or the video is tried again. Its source may be away, or not allowed, for as long as it likes: no GIF is
// worth a video that is not sealed.
func (r *run) optional(asset heygen.Asset, err error) error {
	switch {
	case ofSource(err) && r.late(r.v, r.hv):
		r.cfg.Log.Warn("the source of an optional asset can't be used; the video is sealed without it for now",
			"video_id", r.v.ID, "asset", asset, "err", err)
		r.lacks(asset, storage.AbsentLate)
		return nil
	case isNotThere(err) && r.late(r.v, r.hv):
		r.lacks(asset, storage.AbsentLate)
		return nil
	case isNotThere(err), r.v.Failures >= r.cfg.LastAttempt:
		r.cfg.Log.Warn("an optional asset cannot be had; the video is sealed without it",
			"video_id", r.v.ID, "asset", asset, "err", err)
		r.lacks(asset, storage.AbsentGone)
		return nil
	}
	return err
}

func (r *run) lacks(asset heygen.Asset, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.absent[asset] = reason
}

// errWithdrawn: HeyGen offered the asset when the transfer began and no longer does.
var errWithdrawn = errors.New("HeyGen no longer offers it")

const (
	// refreshPatience is how long the ranges of an asset wait for a HeyGen that can't be reached just now, before the
	// transfer ends with what is stored: a single odd answer is not worth the parts in flight, and an outage is not worth
	// the memory that they hold.
	refreshPatience = 20 * time.Second
	refreshPause    = 500 * time.Millisecond // doubled from try to try
)

// askPatiently is ask for a transfer that is under way.
func (r *run) askPatiently(ctx context.Context) (*heygen.Video, error) {
	for waited, pause := time.Duration(0), refreshPause; ; pause *= 2 {
		hv, err := r.ask(ctx, r.v)
		wait, passes := soon(err)
		wait = max(wait, pause)
		if !passes || waited+wait > refreshPatience {
			return hv, err
		}
		waited += wait
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// refresh asks HeyGen for a new link to the asset.
func (r *run) refresh(ctx context.Context, asset heygen.Asset) (heygen.Link, error) {
	hv, err := r.askPatiently(ctx)
	if err != nil {
		return heygen.Link{}, err
	}
	link, ok := hv.Link(asset)
	if !ok {
		return heygen.Link{}, fmt.Errorf("refresh the link to %s of %s: %w", asset, r.v.ID, errWithdrawn)
	}
	return link, nil
}
