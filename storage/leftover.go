package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// Names of the metadata that let a later worker recognise a whole object of a video that was never sealed.
const (
	metaAsset        = "reelkeep-asset"
	metaCRC64NVME    = "reelkeep-crc64nvme"
	metaSourceETag   = "reelkeep-source-etag"
	metaSourceDate   = "reelkeep-source-last-modified"
	metaSourceLength = "reelkeep-source-size"
)

// A Leftover is what an earlier worker has stored of an asset of a video that it did not seal: a whole small object, or
// the parts of an upload.
type Leftover struct {
	Name     string // below the video's folder
	Source   Validator
	PartSize int64
	Offset   int64   // the first byte that is not stored; Source.Size if all are
	Object   *Object // not nil: a whole object of one part
}

// Leftovers returns, by asset, what an earlier worker has stored of one generation of a video and no manifest vouches for, as
// far as it lay in the folder. sealed is the manifest of the video, or nil. Usually nothing is there, and then this asks for
// nothing.
func (s *Store) Leftovers(ctx context.Context, in *Folder, sealed *Manifest, generation int) (map[string]Leftover, error) {
	found := map[string]Leftover{}
	// Records first: an upload that is under way owns its object.
	for _, asset := range in.recorded() {
		left, err := s.leftUpload(ctx, in.video, asset)
		if err != nil {
			return nil, fmt.Errorf("look for what is left of video %s: %w", in.video, err)
		}
		if left != nil && generationOf(left.Name) == generation {
			found[asset] = *left
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.there)) {
		if validAssetKey(name) != nil || generationOf(name) != generation || (sealed != nil && sealed.refersTo(name)) {
			continue
		}
		if err := s.leftObject(ctx, in.there[name].key, name, found); err != nil {
			return nil, fmt.Errorf("look for what is left of video %s: %w", in.video, err)
		}
	}
	return found, nil
}

// leftUpload returns the upload that a record tells of. Whether it still lives shows when it is resumed, and so does what is to
// become of a record that can't be read.
func (s *Store) leftUpload(ctx context.Context, k VideoKey, asset string) (*Leftover, error) {
	rec, _, err := s.loadRecord(ctx, k, asset)
	if errors.Is(err, ErrNotFound) || errors.Is(err, errUnreadable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Leftover{
		Name: rec.Name, PartSize: rec.PartSize, Offset: rec.covered(),
		Source: Validator{ETag: rec.Source.ETag, LastModified: rec.Source.LastModified, Size: rec.Source.Size},
	}, nil
}

// leftObject adds a whole object, unless an upload of the same asset is under way, whose object it then is.
func (s *Store) leftObject(ctx context.Context, key, name string, into map[string]Leftover) error {
	f, err := s.head(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	asset := f.meta[metaAsset]
	size, err := strconv.ParseInt(f.meta[metaSourceLength], 10, 64)
	if _, known := into[asset]; known || asset == "" || f.SHA256 == "" || err != nil {
		return nil
	}
	o := f.Object
	o.Key = name
	// What the object says of itself is not believed: a power cut or a person may have been there since. It is one part,
	// so reading it costs little.
	err = s.compare(ctx, key, o)
	var damaged *DamagedError
	if errors.As(err, &damaged) || (err == nil && o.Size != size && size >= 0) {
		// It stays: whoever stores the asset again reads it, too, and replaces it if it is still this one.
		s.log.Warn("a stored file is not what was stored; it is fetched again", "key", key, "asset", asset, "err", err)
		return nil
	}
	if isReplaced(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.CRC64NVME == "" {
		o.CRC64NVME = f.meta[metaCRC64NVME]
	}
	into[asset] = Leftover{
		Name: name, Offset: o.Size, Object: &o,
		Source: Validator{ETag: unescape(f.meta[metaSourceETag]), LastModified: unescape(f.meta[metaSourceDate]), Size: size},
	}
	return nil
}

// sourceMetaLimit keeps an absurdly long ETag of a source from making the object too heavy to store: S3 takes 2 KB of
// metadata. Without it the object is only not recognised later.
const sourceMetaLimit = 1000

// wholeMetadata is what a whole object says about itself. Values are escaped: stores take ASCII only.
func (u *Upload) wholeMetadata(o Object) map[string]string {
	v := u.spec.Source
	if len(url.QueryEscape(v.ETag))+len(url.QueryEscape(v.LastModified)) > sourceMetaLimit {
		return map[string]string{metaSHA256: o.SHA256}
	}
	return map[string]string{
		metaSHA256: o.SHA256, metaCRC64NVME: o.CRC64NVME, metaAsset: u.spec.Asset,
		metaSourceETag: url.QueryEscape(v.ETag), metaSourceDate: url.QueryEscape(v.LastModified),
		metaSourceLength: strconv.FormatInt(v.Size, 10),
	}
}

func unescape(text string) string {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return ""
	}
	return plain
}
