package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// UploadSpec says what is to be stored.
type UploadSpec struct {
	Asset       string // video, thumbnail, …; names the upload record
	Name        string // the key below the video's folder: video.mp4, or g2/video.mp4
	Size        int64  // -1: not known before its end
	ContentType string
	Source      Validator
	MaxPart     int64 // an upload that was begun in larger parts is not gone on with, if today's are smaller; 0: no limit
}

// An Upload is one asset on its way into the store. Put, Send and Hash may be called by several goroutines at once.
//
// While the total is not known, every part but the last must be full; a shorter one ends the asset. An asset that ends
// exactly with a full part needs no sign of its end: call Complete.
type Upload struct {
	s    *Store
	k    VideoKey
	spec UploadSpec
	key  string

	record  sync.Mutex // held while the record in the store is written; taken before the others
	hashing sync.Mutex // held while a part is hashed, and guards hash; taken before mu

	hash *rolling

	mu       sync.Mutex
	plan     plan
	rec      uploadRecord
	recETag  string
	news     bool      // rec tells more than the record in the store
	saved    time.Time // when the record was written last
	started  bool      // rec names a multipart upload of the store
	resumed  bool
	parts    map[int]storedPart
	ended    int               // total not known: number of the short part that ended it
	hashed   int               // parts the hash covers
	states   map[int]hashState // after each hashed part that the record does not cover yet
	crcs     map[int]uint64    // of each part hashed or sent by this worker
	doubtful bool              // the hash may cover other bytes than the store holds
	finished *found            // a worker that died had completed the object
	object   *Object           // the outcome, once there is one
}

// storedPart is a part the store holds.
type storedPart struct {
	size   int64
	etag   string
	crc    uint64
	hasCRC bool
}

// Upload opens the upload of one asset, and goes on where another worker stopped if the source is still the same. Ask
// for the manifest first: what no manifest refers to may be overwritten.
func (s *Store) Upload(ctx context.Context, k VideoKey, spec UploadSpec) (*Upload, error) {
	key, err := s.assetKey(k, spec.Name)
	if err != nil {
		return nil, err
	}
	if !validName(spec.Asset, 40) {
		return nil, fmt.Errorf("upload to %s: asset %q: want letters, digits, _ or -", key, cut(spec.Asset, 40))
	}
	if _, err := s.Check(ctx); err != nil {
		return nil, err
	}
	u := &Upload{
		s: s, k: k, spec: spec, key: key,
		parts: map[int]storedPart{}, states: map[int]hashState{}, crcs: map[int]uint64{}, hash: newRolling(),
	}
	if u.plan, err = newPlan(spec.Size, s.cfg.PartSize); err != nil {
		return nil, fmt.Errorf("upload to %s: %w", key, err)
	}
	if u.plan.single() {
		return u, nil
	}
	return u, u.resume(ctx)
}

// PartSize returns the size of every part but the last.
func (u *Upload) PartSize() int64 { return u.lockedPlan().partSize }

// Parts returns how many parts there are, 0 while the total is not known.
func (u *Upload) Parts() int { return u.lockedPlan().parts() }

// Resumed says whether another worker began this upload.
func (u *Upload) Resumed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.resumed
}

// Stored returns how many bytes the store holds already.
func (u *Upload) Stored() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.object != nil:
		return u.object.Size
	case u.finished != nil:
		return u.finished.Size
	}
	return u.storedBytes()
}

func (u *Upload) storedBytes() int64 {
	var n int64
	for _, p := range u.parts {
		n += p.size
	}
	return n
}

func (u *Upload) lockedPlan() plan {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.plan
}

// Next returns the first part that is not stored; ok is false when none is missing. While the total is not known there
// is always a next part, n is the most it may hold, and the first shorter Put ends that.
func (u *Upload) Next() (part int, off, n int64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.object != nil || u.finished != nil {
		return 0, 0, 0, false
	}
	for i := 1; ; i++ {
		p, exists := u.plan.part(i)
		if !exists || (u.ended > 0 && i > u.ended) {
			return 0, 0, 0, false
		}
		if _, have := u.parts[i]; !have {
			return p.Number, p.Offset, p.Size, true
		}
	}
}

// Missing returns all parts that are not stored, in order; nil while the total is not known.
func (u *Upload) Missing() []Part {
	u.mu.Lock()
	defer u.mu.Unlock()
	var missing []Part
	if u.object != nil || u.finished != nil {
		return nil
	}
	for i := 1; i <= u.plan.parts(); i++ {
		if _, have := u.parts[i]; !have {
			p, _ := u.plan.part(i)
			missing = append(missing, p)
		}
	}
	return missing
}

// Abort throws away what is stored of an object that is not complete, and the record.
func (u *Upload) Abort(ctx context.Context) error {
	u.record.Lock()
	defer u.record.Unlock()
	u.mu.Lock()
	started, rec := u.started, u.rec
	u.mu.Unlock()
	if !started {
		return nil
	}
	return u.s.drop(ctx, u.k, rec)
}

// resume takes up the upload that the record tells of, if it can be.
func (u *Upload) resume(ctx context.Context) error {
	rec, etag, err := u.s.loadRecord(ctx, u.k, u.spec.Asset)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.Is(err, errUnreadable):
		return u.startOver(ctx, rec, err)
	case err != nil:
		return err
	}
	caps, err := u.s.Check(ctx)
	if err != nil {
		return err
	}
	// While the total is not known, whoever reads the source begins at its start, in parts of its own size.
	otherParts := rec.Total < 0 && rec.PartSize != u.plan.partSize
	// Whoever has no room for its parts could not add any, now or ever.
	tooLarge := u.spec.MaxPart > 0 && rec.PartSize > u.spec.MaxPart && u.plan.partSize <= u.spec.MaxPart
	if tooLarge {
		u.s.log.Warn("an unfinished upload has parts larger than the memory; starting afresh",
			"video_id", u.k.VideoID, "asset", u.spec.Asset, "part_size", rec.PartSize, "memory", u.spec.MaxPart)
	}
	if !caps.ListParts || !rec.continues(u.spec) || otherParts || tooLarge || rec.Checksum != caps.Checksum {
		return u.s.drop(ctx, u.k, rec)
	}
	return u.join(ctx, rec, etag)
}

// startOver does away with a record that can't be read, and with the uploads of which nobody else would know.
func (u *Upload) startOver(ctx context.Context, rec uploadRecord, why error) error {
	u.s.log.Warn("upload record unreadable, starting afresh", "video_id", u.k.VideoID, "asset", u.spec.Asset, "err", why)
	for _, name := range slices.Compact([]string{rec.Name, u.spec.Name}) {
		rec.Name = name
		if err := u.s.abortAll(ctx, u.k, rec); err != nil {
			return err
		}
	}
	return u.s.remove(ctx, u.s.recordKey(u.k, u.spec.Asset))
}

// join goes on with the upload of a record.
func (u *Upload) join(ctx context.Context, rec uploadRecord, etag string) error {
	parts, err := u.s.listParts(ctx, u.key, rec.UploadID)
	if err == nil {
		return u.adopt(rec, etag, parts)
	}
	if !errors.Is(err, ErrUploadGone) && !errors.Is(err, ErrNotFound) {
		return err
	}
	f, err := u.s.head(ctx, u.key)
	if err == nil && f.upload == rec.Token {
		if err := u.adopt(rec, etag, nil); err != nil {
			return err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.finished, u.doubtful = &f, false
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return u.s.drop(ctx, u.k, rec)
}

// adopt takes over what a record and the store say. A part of another size than the plan's counts as missing: it will
// be written over.
func (u *Upload) adopt(rec uploadRecord, etag string, parts map[int]storedPart) error {
	hash, err := rec.Hash.restore()
	if err != nil {
		return err
	}
	u.hashing.Lock()
	defer u.hashing.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rec, u.recETag, u.started, u.resumed, u.saved, u.news = rec, etag, true, true, u.s.now(), false
	u.plan, u.hash, u.hashed, u.states = rec.plan(), hash, rec.Hash.Parts, map[int]hashState{}
	u.parts, u.ended = map[int]storedPart{}, 0
	for n, p := range parts {
		want, ok := u.plan.part(n)
		if ok && p.size == want.Size {
			u.parts[n] = p
			continue
		}
		_, more := parts[n+1]
		if ok && u.plan.total < 0 && p.size < want.Size && !more {
			u.parts[n], u.ended = p, n
		}
	}
	for n := 1; n <= u.hashed; n++ {
		if _, have := u.parts[n]; !have {
			u.doubtful = true
		}
	}
	return nil
}
