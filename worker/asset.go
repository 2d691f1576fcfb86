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

// replacements is how often an asset may change under a transfer before the video is tried again later. The last try reads it
// in one answer: a file that changes with every range is mostly the same one, told of by machines that don't agree on its ETag.
const replacements = 3

// fetchAsset streams one asset into the store. If the file behind the link changes on the way, what was stored
// of the old one is thrown away and the asset starts again.
func (r *run) fetchAsset(ctx context.Context, asset heygen.Asset, link heygen.Link) (storage.Asset, error) {
	for try := 1; ; try++ {
		got, err := r.tryAsset(ctx, asset, link, try == replacements)
		if !errors.Is(err, fetch.ErrChanged) || try == replacements {
			return got, err
		}
		r.cfg.Log.Warn("the file changed at its source; the asset starts again", "video_id", r.v.ID, "asset", asset, "attempt", try)
		if link, err = r.refresh(ctx, asset); err != nil {
			return storage.Asset{}, err
		}
	}
}

func (r *run) tryAsset(ctx context.Context, asset heygen.Asset, link heygen.Link, oneAnswer bool) (storage.Asset, error) {
	t := newAssetTransfer(r, asset)
	defer t.giveSpare()
	size, err := r.deps.Store.PartSize(-1)
	if err != nil {
		return storage.Asset{}, err
	}
	if t.spare, err = t.memory.Take(ctx, size); err != nil {
		return storage.Asset{}, err
	}
	file, earlier, err := r.open(ctx, asset, link, fetch.Options{Length: size, Refused: t.refused, OneAnswer: oneAnswer})
	if err != nil {
		return storage.Asset{}, err
	}
	defer file.Close()
	if err := r.unchanged(asset, file); err != nil {
		return storage.Asset{}, err
	}
	if earlier != nil && earlier.Object != nil {
		return r.entry(asset, file, *earlier.Object), nil
	}
	t.file, t.total = file, file.Size()
	if earlier != nil {
		t.name, t.stored = earlier.Name, earlier.Offset
		t.contentType = media.TypeOf(path.Ext(earlier.Name)).ContentType
	} else {
		r.deps.Observer.AssetStarted(r.v, string(asset), t.total, 0)
	}
	var obj storage.Object
	err = r.safely(asset, func() (err error) { obj, err = t.stream(ctx); return err })
	if err != nil {
		outcome := "failed"
		if isRejected(err) {
			outcome = "rejected"
		}
		r.deps.Observer.AssetDone(r.v, string(asset), outcome)
		return storage.Asset{}, fmt.Errorf("%s of %s: %w", asset, r.v.ID, err)
	}
	return r.entry(asset, file, obj), nil
}

// entry is the asset's line in the manifest.
func (r *run) entry(asset heygen.Asset, file *fetch.File, obj storage.Object) storage.Asset {
	host, filePath, etag, modified := file.Source()
	return storage.Asset{
		Asset: string(asset), Key: obj.Key, Bytes: obj.Size, SHA256: obj.SHA256, CRC64NVME: obj.CRC64NVME,
		ContentType: obj.ContentType, ETag: obj.ETag, StoredAt: r.cfg.Now().UTC().Truncate(time.Second),
		Source: storage.AssetSource{Host: host, Path: filePath, ETag: etag, LastModified: modified},
	}
}

// open opens the remote file: at its start, or where an earlier worker left off if it is still the same file.
func (r *run) open(ctx context.Context, asset heygen.Asset, link heygen.Link, how fetch.Options) (*fetch.File, *storage.Leftover, error) {
	opt := how
	opt.Log = r.cfg.Log.With("video_id", r.v.ID, "asset", asset)
	r.mu.Lock()
	earlier, resume := r.left[string(asset)]
	r.mu.Unlock()
	resume = resume && !how.OneAnswer && r.resumable(asset, earlier)
	if resume {
		opt.Pin = &fetch.Pin{Size: earlier.Source.Size, ETag: earlier.Source.ETag, LastModified: earlier.Source.LastModified}
		// One byte tells whether it is still the same file. Which part is missing shows later: the record that Offset is
		// from may be behind what the store holds.
		opt.Offset, opt.Length = 0, 1
	}
	refresh := func(ctx context.Context) (fetch.Link, error) {
		fresh, err := r.refresh(ctx, asset)
		return fetch.Link{URL: fresh.URL, Expires: fresh.Expires}, err
	}
	file, err := r.deps.Opener.Open(ctx, fetch.Link{URL: link.URL, Expires: link.Expires}, refresh, opt)
	if resume && errors.Is(err, fetch.ErrChanged) {
		r.mu.Lock()
		delete(r.left, string(asset))
		r.mu.Unlock()
		return r.open(ctx, asset, link, how)
	}
	if err != nil || !resume {
		return file, nil, err
	}
	return file, &earlier, nil
}

// resumable says whether what an earlier worker left can be trusted: its source can be recognised, and it belongs
// to this generation.
func (r *run) resumable(asset heygen.Asset, earlier storage.Leftover) bool {
	stem, _, _ := strings.Cut(earlier.Name, ".")
	return earlier.Source.Size > 0 && (earlier.Source.ETag != "" || earlier.Source.LastModified != "") && stem == r.stem(asset)
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

// objectName is where the asset lies below the video's folder. The extension is the one of the link's path if
// the bytes bear it out, else the one that the bytes ask for.
func (r *run) objectName(asset heygen.Asset, kind media.Type, linkPath string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(linkPath), "."))
	if !sameFormat(ext, kind.Ext) {
		ext = kind.Ext
	}
	return r.stem(asset) + "." + ext
}

// stem is the object's name without its extension; a later generation lies in a folder of its own.
func (r *run) stem(asset heygen.Asset) string {
	name := string(asset)
	if asset == heygen.AssetGIF {
		name = "preview"
	}
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

// verify checks the structure of what arrived. Small assets are checked in memory, large ones in the store.
func (t *assetTransfer) verify(ctx context.Context, r io.ReaderAt, size int64) error {
	var duration float64
	if t.asset == heygen.AssetVideo || t.asset == heygen.AssetCaptionedVideo {
		duration = t.hv.Duration
	}
	err := media.Verify(ctx, string(t.asset), r, size, duration)
	var odd *media.DurationError
	if errors.As(err, &odd) {
		t.cfg.Log.Warn("the video is whole, but its length is not the one HeyGen tells; it is kept", "video_id", t.v.ID, "asset", t.asset, "err", err)
		return nil
	}
	return err
}

func sniff(asset heygen.Asset, head []byte, file *fetch.File) (media.Type, error) {
	_, filePath, _, _ := file.Source()
	return media.Sniff(string(asset), head, file.ContentType(), filePath)
}

// verifyStored checks a large asset where it lies now, and takes it away again if it is not whole: only sealed
// things stay.
func (t *assetTransfer) verifyStored(ctx context.Context, obj storage.Object) error {
	err := t.verify(ctx, t.deps.Store.ReaderAt(ctx, t.v.key(), t.name, obj.Size), obj.Size)
	if isDamaged(err) {
		return errors.Join(err, t.deps.Store.Delete(ctx, t.v.key(), t.name))
	}
	return err
}
