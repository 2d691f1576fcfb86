package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// keep takes over what a partial manifest holds already.
func (r *run) keep(old *storage.Manifest) {
	for _, asset := range old.Assets {
		r.stored[heygen.Asset(asset.Asset)] = asset
	}
	for _, absent := range old.Absent {
		r.absent[heygen.Asset(absent.Asset)] = absent.Reason
	}
}

// seal writes the manifest. The store looks at every object once more before it does, because a stale worker
// may have been there.
func (r *run) seal(ctx context.Context) (*storage.Manifest, error) {
	m := r.manifest()
	if r.old != nil && r.old.Generation == m.Generation && sameContents(r.old, m) {
		return r.old, nil
	}
	before := r.old
	if before != nil && before.Generation != m.Generation {
		before = nil
	}
	if err := r.commit(ctx, m); err != nil {
		r.unsure.add(r.v, before, m)
		return r.lost(ctx, err)
	}
	r.tellDone(r.v, before, m)
	return m, nil
}

// tellDone tells what has become of the assets that m settles and the manifest before it, if there was one, did not. It is
// told no sooner than that: a video may be tried many times until it is sealed.
func (a *Archiver) tellDone(v Video, before, m *storage.Manifest) {
	settled := map[string]bool{}
	if before != nil {
		for _, asset := range before.Assets {
			settled[asset.Asset] = true
		}
		for _, absent := range before.Absent {
			settled[absent.Asset] = absent.Reason != storage.AbsentLate
		}
	}
	for _, asset := range m.Assets {
		if !settled[asset.Asset] {
			a.deps.Observer.AssetDone(v, asset.Asset, "stored")
		}
	}
	for _, absent := range m.Absent {
		if absent.Reason != storage.AbsentLate && !settled[absent.Asset] {
			a.deps.Observer.AssetDone(v, absent.Asset, "absent")
		}
	}
}

// commit is the write that archives the video.
func (r *run) commit(ctx context.Context, m *storage.Manifest) error {
	store := r.deps.Store
	if r.old == nil {
		return store.Seal(ctx, m)
	}
	if r.old.Generation != m.Generation {
		if err := store.ArchiveGeneration(ctx, r.v.key(), r.old); err != nil {
			return err
		}
	}
	return store.Reseal(ctx, m)
}

// lost settles a seal that did not happen: if another worker was first, its manifest is the answer.
func (r *run) lost(ctx context.Context, err error) (*storage.Manifest, error) {
	if !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrConflict) {
		return nil, storeError(fmt.Errorf("seal %s: %w", r.v.ID, err))
	}
	theirs, readErr := r.sealed(ctx, r.v)
	if readErr != nil {
		return nil, readErr
	}
	if theirs == nil {
		return nil, fmt.Errorf("seal %s: %w, and yet there is no manifest", r.v.ID, err)
	}
	return theirs, nil
}

// manifest puts together what will be sealed. It starts from the manifest it replaces, if there is one, because
// only that may be replaced.
func (r *run) manifest() *storage.Manifest {
	m := &storage.Manifest{}
	if r.old != nil {
		*m = *r.old
	}
	m.VideoID, m.Account, m.Generation = r.v.ID, accountName(r.v.Account), r.generation
	m.State, m.SealedAt = storage.StateArchived, r.cfg.Now().UTC()
	m.Assets, m.Absent = nil, nil
	m.Video = storage.Video{
		Title: cmp.Or(r.hv.Title, r.v.Title), Status: string(r.hv.Status), DurationSeconds: r.hv.Duration,
		CreatedAt: createdAt(r.v, r.hv), CompletedAt: r.hv.CompletedAt, CallbackID: r.hv.CallbackID,
	}
	m.Source = storage.Source{API: r.hv.API, Response: r.hv.Response}
	if r.v.Metadata != nil {
		m.Metadata = r.v.Metadata
	}
	for _, asset := range heygen.Assets() {
		if stored, ok := r.stored[asset]; ok {
			m.Assets = append(m.Assets, stored)
			continue
		}
		reason := r.absent[asset]
		m.Absent = append(m.Absent, storage.Absent{Asset: string(asset), Reason: reason})
		if reason == storage.AbsentLate {
			m.State = storage.StatePartial
		}
	}
	return m
}

// sameContents says whether another look at a partial video found nothing new.
func sameContents(old, m *storage.Manifest) bool {
	return old.State == m.State && len(old.Assets) == len(m.Assets)
}

// closeLate ends the waiting for late assets of a video that HeyGen no longer knows.
func (a *Archiver) closeLate(ctx context.Context, v Video, old *storage.Manifest) (*storage.Manifest, error) {
	m := *old
	m.State, m.Absent = storage.StateArchived, nil
	for _, absent := range old.Absent {
		if absent.Reason == storage.AbsentLate {
			absent.Reason = storage.AbsentGone
		}
		m.Absent = append(m.Absent, absent)
	}
	if err := a.deps.Store.Reseal(ctx, &m); err != nil {
		a.unsure.add(v, old, &m)
		return nil, storeError(fmt.Errorf("seal %s: %w", old.VideoID, err))
	}
	a.tellDone(v, old, &m)
	return &m, nil
}
