package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/media"
)

// errUnchanged: a video fetched again turned out to be the one that is sealed already.
var errUnchanged = errors.New("worker: the video has not changed since it was archived")

// replacements is how often an asset may change under a transfer before the video is tried again later.
const replacements = 3

// fetchAsset streams one asset into the store. If the file behind the link changes on the way, what was stored
// of the old one is thrown away and the asset starts again.
func (r *run) fetchAsset(ctx context.Context, asset heygen.Asset, link heygen.Link) (storage.Asset, error) {
	for try := 1; ; try++ {
		got, err := r.tryAsset(ctx, asset, link)
		if !errors.Is(err, fetch.ErrChanged) || try == replacements {
			return got, err
		}
		r.cfg.Log.Warn("the file changed at its source; the asset starts again", "video_id", r.v.ID, "asset", asset, "attempt", try)
		if link, err = r.refresh(ctx, asset); err != nil {
			return storage.Asset{}, err
		}
	}
}

func (r *run) tryAsset(ctx context.Context, asset heygen.Asset, link heygen.Link) (storage.Asset, error) {
	file, earlier, err := r.open(ctx, asset, link)
	if err != nil {
		return storage.Asset{}, err
	}
	defer file.Close()
	if err := r.unchanged(asset, file); err != nil {
		return storage.Asset{}, err
	}
	t := &assetTransfer{run: r, asset: asset, file: file}
	if earlier != nil {
		t.name, t.contentType = earlier.Name, earlier.ContentType
	}
	obj, err := t.stream(ctx)
	if err != nil {
		var wrong *media.WrongTypeError
		if errors.As(err, &wrong) || errors.Is(err, errDamaged) {
			r.deps.Observer.AssetDone(r.v, string(asset), "rejected")
		}
		return storage.Asset{}, fmt.Errorf("%s of %s: %w", asset, r.v.ID, err)
	}
	host, filePath, etag, modified := file.Source()
	return storage.Asset{
		Asset: string(asset), Key: t.name, Bytes: obj.Size, SHA256: obj.SHA256, CRC64NVME: obj.CRC64NVME,
		ContentType: t.contentType, ETag: obj.ETag, StoredAt: r.cfg.Now().UTC().Truncate(time.Second),
		Source: storage.AssetSource{Host: host, Path: filePath, ETag: etag, LastModified: modified},
	}, nil
}

// open opens the remote file where an earlier worker left off, or at its start.
func (r *run) open(ctx context.Context, asset heygen.Asset, link heygen.Link) (*fetch.File, *storage.Pending, error) {
	opt := fetch.Options{Length: r.cfg.PartSize}
	earlier, resume := r.pending[string(asset)]
	if resume {
		opt.Offset, opt.Length = earlier.Offset, earlier.PartSize
		opt.Pin = &fetch.Pin{Size: earlier.Source.Size, ETag: earlier.Source.ETag, LastModified: earlier.Source.LastModified}
	}
	refresh := func(ctx context.Context) (fetch.Link, error) {
		fresh, err := r.refresh(ctx, asset)
		return fetch.Link{URL: fresh.URL, Expires: fresh.Expires}, err
	}
	file, err := r.deps.Opener.Open(ctx, fetch.Link{URL: link.URL, Expires: link.Expires}, refresh, opt)
	if resume && errors.Is(err, fetch.ErrChanged) {
		if err := r.deps.Store.AbortPending(ctx, r.v.key(), string(asset)); err != nil {
			return nil, nil, err
		}
		delete(r.pending, string(asset))
		return r.open(ctx, asset, link)
	}
	if err != nil || !resume {
		return file, nil, err
	}
	return file, &earlier, nil
}

// unchanged reports errUnchanged if a video that was asked for again is the one already sealed.
func (r *run) unchanged(asset heygen.Asset, file *fetch.File) error {
	if r.old == nil || r.generation == r.old.Generation || asset != heygen.AssetVideo {
		return nil
	}
	for _, sealed := range r.old.Assets {
		_, _, etag, _ := file.Source()
		if sealed.Asset == string(asset) && sealed.Bytes == file.Size() && etag != "" && sealed.Source.ETag == etag {
			return errUnchanged
		}
	}
	return nil
}

// baseNames are the file names of the assets in the bucket, without extension.
func baseName(asset heygen.Asset) string {
	if asset == heygen.AssetGIF {
		return "preview"
	}
	return string(asset)
}

// objectName is where the asset lies below the video's folder. The extension is the one of the link's path if
// the bytes bear it out, else the one that the bytes ask for.
func (r *run) objectName(asset heygen.Asset, kind media.Type, linkPath string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(linkPath), "."))
	if !sameFormat(ext, kind.Ext) {
		ext = kind.Ext
	}
	name := baseName(asset) + "." + ext
	if r.generation > 1 {
		return fmt.Sprintf("g%d/%s", r.generation, name)
	}
	return name
}

func sameFormat(ext, sniffed string) bool {
	if ext == "jpg" {
		ext = "jpeg"
	}
	if ext == "m4v" {
		ext = "mp4"
	}
	return ext == sniffed
}

// aboutAsset says whether an error concerns this asset alone: HeyGen or the store being away does not.
func aboutAsset(err error) bool {
	var outage *OutageError
	var refused *RefusedError
	if e := storeError(err); errors.As(e, &outage) || errors.As(e, &refused) {
		return false
	}
	return true
}

func isNotThere(err error) bool { return errors.Is(err, fetch.ErrNotThere) }

// errDamaged: the bytes arrived as the source serves them, but they are not a whole file of their kind.
var errDamaged = errors.New("the file is damaged at its source")

// verify checks the structure of what arrived. Small assets are checked in memory, large ones in the store.
func (t *assetTransfer) verify(ctx context.Context, r io.ReaderAt, size int64) error {
	var duration float64
	if t.asset == heygen.AssetVideo || t.asset == heygen.AssetCaptionedVideo {
		duration = t.hv.Duration
	}
	if err := media.Verify(ctx, string(t.asset), r, size, duration); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

func sniff(asset heygen.Asset, head []byte, file *fetch.File) (media.Type, error) {
	_, filePath, _, _ := file.Source()
	return media.Sniff(string(asset), head, file.ContentType(), filePath)
}

// verifyStored checks a large asset where it lies now, and takes it away again if it is not whole: only sealed
// things stay.
func (t *assetTransfer) verifyStored(ctx context.Context, obj storage.Object) error {
	err := t.verify(ctx, t.deps.Store.ReaderAt(ctx, t.v.key(), t.name, obj.Size), obj.Size)
	if errors.Is(err, errDamaged) {
		return errors.Join(err, t.deps.Store.Delete(ctx, t.v.key(), t.name))
	}
	return err
}
