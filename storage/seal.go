package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Manifest reads the manifest of a video. ErrNotFound means that the video is not archived.
func (s *Store) Manifest(ctx context.Context, k VideoKey) (*Manifest, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	key := s.dir(k) + manifestName
	raw, etag, err := s.read(ctx, key, smallLimit)
	if err != nil {
		return nil, err
	}
	m, err := UnmarshalManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, &DamagedError{Key: key, What: "is not a manifest we can read: " + err.Error()})
	}
	if m.Key().Dir() != k.Dir() {
		return nil, &DamagedError{Key: key, What: "belongs to video " + m.Key().Dir()}
	}
	m.etag, m.raw = etag, raw
	return m, nil
}

// Seal commits a video: it looks at every asset once more, ends what is left of its uploads, writes the manifest
// under the condition that none is there, and removes the records of the uploads. ErrExists means that another worker has sealed it; read theirs.
func (s *Store) Seal(ctx context.Context, m *Manifest) error {
	r, err := s.prepareSeal(ctx, m)
	if err != nil {
		return err
	}
	etag, err := s.commit(ctx, r)
	if err == nil {
		m.etag, m.raw = etag, r.data
		err = s.flush(r.key)
	}
	s.clear(ctx, m.Key(), r.ended, err)
	if err != nil {
		return fmt.Errorf("seal video %s: %w", m.Key(), err)
	}
	return nil
}

// Reseal replaces the manifest that m was read from or sealed as: partial becomes archived, or a newer generation takes
// over. ErrConflict means that the manifest has been replaced since; nothing was written.
func (s *Store) Reseal(ctx context.Context, m *Manifest) error {
	if m.etag == "" {
		return fmt.Errorf("reseal video %s: read the manifest first, so that it is known what would be replaced", m.Key())
	}
	r, err := s.prepareSeal(ctx, m)
	if err != nil {
		return err
	}
	etag, err := s.replace(ctx, r.key, r.data, m.etag)
	if err == nil {
		m.etag, m.raw = etag, r.data
		err = s.flush(r.key)
	}
	s.clear(ctx, m.Key(), r.ended, err)
	if err != nil {
		return fmt.Errorf("reseal video %s: %w", m.Key(), err)
	}
	return nil
}

// readySeal is a manifest that may be written, and the folder as it was found before.
type readySeal struct {
	key   string
	data  []byte
	there *Folder
	ended []endedUpload
}

// commit writes a manifest where none is. That none was listed a moment ago counts as a look only where the store
// itself refuses to overwrite one.
func (s *Store) commit(ctx context.Context, r readySeal) (string, error) {
	caps, err := s.Check(ctx)
	if err != nil {
		return "", err
	}
	if r.there.Sealed() || !caps.PutIfAbsent || len(r.there.recorded()) > 0 {
		return s.create(ctx, r.key, r.data)
	}
	return s.createUnseen(ctx, r.key, r.data, caps)
}

// prepareSeal makes sure that what the manifest says is true at this moment: a stale worker may have been there.
func (s *Store) prepareSeal(ctx context.Context, m *Manifest) (readySeal, error) {
	m.Account, m.Generation = m.Key().account(), max(1, m.Generation)
	if m.SealedAt.IsZero() {
		m.SealedAt = s.now().UTC()
	}
	if err := errors.Join(m.validate(), m.sealable()); err != nil {
		return readySeal{}, err
	}
	there, err := s.Folder(ctx, m.Key())
	if err != nil {
		return readySeal{}, err
	}
	for _, a := range m.Assets {
		if there.shows(a) {
			continue
		}
		if err := s.confirm(ctx, m, a); err != nil { // some stores' lists show other ETags than the objects have
			return readySeal{}, err
		}
	}
	ended, err := s.endUploads(ctx, there, everyUpload)
	if err != nil {
		return readySeal{}, err
	}
	if err := s.flushAssets(m); err != nil {
		return readySeal{}, err
	}
	data, err := m.encode()
	return readySeal{s.dir(m.Key()) + manifestName, data, there, ended}, err
}

// clear removes the records that nobody needs any more once a video is sealed, by us or by another worker, even if the caller is
// just told to stop. After any other outcome the next worker goes on by them. One that stays though the video is sealed is
// harmless, and Tidy takes it away when somebody comes to the video again.
func (s *Store) clear(ctx context.Context, k VideoKey, ended []endedUpload, outcome error) {
	if outcome != nil && !errors.Is(outcome, ErrExists) && !errors.Is(outcome, ErrConflict) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWait)
	defer cancel()
	if err := s.forget(ctx, k, ended); err != nil {
		s.log.Warn("a sealed video keeps an upload record that it needs no more", "video_id", k.VideoID, "err", err)
	}
}

// confirm asks the store for one asset.
func (s *Store) confirm(ctx context.Context, m *Manifest, a Asset) error {
	o, err := s.Stat(ctx, m.Key(), a.Key)
	if errors.Is(err, ErrNotFound) {
		return &DamagedError{Key: s.dir(m.Key()) + a.Key, What: "is missing"}
	}
	if err != nil {
		return err
	}
	if !a.is(o.Size, o.ETag) {
		return &DamagedError{
			Key:  s.dir(m.Key()) + a.Key,
			What: fmt.Sprintf("has %d bytes and ETag %s, and the manifest would say %d and %s", o.Size, o.ETag, a.Bytes, a.ETag),
		}
	}
	return nil
}

// is says whether an object of this size and ETag is the asset.
func (a Asset) is(size int64, etag string) bool {
	return size == a.Bytes && (a.ETag == "" || etag == a.ETag)
}

func (s *Store) flushAssets(m *Manifest) error {
	keys := make([]string, len(m.Assets))
	for i, a := range m.Assets {
		keys[i] = s.dir(m.Key()) + a.Key
	}
	return s.flush(keys...)
}

// flush makes objects durable where the store leaves that to us.
func (s *Store) flush(keys ...string) error {
	if s.cfg.Flush == nil {
		return nil
	}
	return s.cfg.Flush(keys)
}

// ArchiveGeneration keeps m, byte for byte as it was read, as manifest.g<n>.json. It must be called before a newer
// generation is resealed over it. Calling it again is harmless. If that name holds what the generation was before it was
// complete, from a worker that died before it could seal the newer one, m gets a name of its own beside it.
func (s *Store) ArchiveGeneration(ctx context.Context, k VideoKey, m *Manifest) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if m.raw == nil || m.Key().Dir() != k.Dir() {
		return fmt.Errorf("keep the manifest of video %s: it must be read from the store first", k)
	}
	old, err := UnmarshalManifest(m.raw)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%smanifest.g%d", s.dir(k), old.Generation)
	_, err = s.create(ctx, name+".json", m.raw)
	if errors.Is(err, ErrExists) {
		sum := sha256.Sum256(m.raw)
		_, err = s.create(ctx, fmt.Sprintf("%s.%x.json", name, sum[:6]), m.raw)
	}
	return err
}

// Delete removes an asset that turned out wrong. ErrSealed: a manifest vouches for it.
func (s *Store) Delete(ctx context.Context, k VideoKey, name string) error {
	key, err := s.assetKey(k, name)
	if err != nil {
		return err
	}
	if err := s.refuseSealed(ctx, k, name); err != nil {
		return err
	}
	return s.remove(ctx, key)
}

// refuseSealed returns ErrSealed if the manifest refers to the name, or if the name is of a generation before the manifest's:
// the manifest of that one vouches for it.
func (s *Store) refuseSealed(ctx context.Context, k VideoKey, name string) error {
	m, err := s.Manifest(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.refersTo(name) || generationOf(name) < m.Generation {
		return fmt.Errorf("%s of video %s: %w", name, k, ErrSealed)
	}
	return nil
}
