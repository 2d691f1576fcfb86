package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/minio/crc64nvme"
)

// wholeAttempts is small because a cut connection may be a refusal that got lost; we look then.
const wholeAttempts = 3

// putWhole stores an asset of one part. It is created only if nothing is there. What is there may be our own (a lost
// reply), the same file from an earlier worker, or a leftover of other bytes that no manifest vouches for.
func (u *Upload) putWhole(ctx context.Context, data []byte) error {
	caps, err := u.s.Check(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	o := Object{
		Key: u.spec.Name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), CRC64NVME: encodeCRC(crc64nvme.Checksum(data)),
		ContentType: u.spec.ContentType,
	}
	how := putOptions{contentType: o.ContentType, meta: u.wholeMetadata(o), ifAbsent: caps.PutIfAbsent}
	how.attempts = wholeAttempts
	if !caps.PutIfAbsent {
		if err := u.s.refuseSealed(ctx, u.k, u.spec.Name); err != nil {
			return err
		}
	}
	compared := false
	o.ETag, err = u.s.put(ctx, u.key, data, how)
	if err != nil {
		if o.ETag, compared, err = u.settleWhole(ctx, o, data, err); err != nil {
			return err
		}
	}
	if caps.Checksum == ChecksumReadback && !compared {
		// What turns out damaged stays where it is: the next put finds it, reads it and replaces it. A delete could meet the
		// object of another worker, who has done just that and sealed it.
		err := u.s.compare(ctx, u.key, o)
		if isReplaced(err) {
			return fmt.Errorf("store %s: another worker has replaced it: %w", u.key, ErrUploadGone)
		}
		if err != nil {
			return err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.object = &o
	return nil
}

// settleWhole looks what a failed put has left and returns the ETag of our bytes, if they are there in the end, and whether they
// have been read back.
func (u *Upload) settleWhole(ctx context.Context, o Object, data []byte, failed error) (etag string, compared bool, err error) {
	there, whole, err := u.holds(ctx, o)
	if whole {
		return there, true, nil
	}
	// A refusal may also show as a cut connection: a store that answers before it has read the body hangs up on us.
	switch k := sortFault(failed).kind; {
	case k == kindCondition && err != nil && !errors.Is(err, ErrNotFound):
		return "", false, err
	case err != nil, k != kindCondition && k != kindRace && k != kindUnreachable:
		return "", false, u.s.fail(ctx, "store", u.key, failed)
	}
	if err := u.s.refuseSealed(ctx, u.k, u.spec.Name); err != nil {
		return "", false, err
	}
	how := putOptions{contentType: o.ContentType, meta: u.wholeMetadata(o)}
	if caps := u.s.caps.Load(); caps != nil && caps.PutIfMatch {
		how.ifMatch = there
	}
	etag, err = u.s.put(ctx, u.key, data, how)
	if err == nil {
		return etag, false, nil
	}
	if there, whole, _ := u.holds(ctx, o); whole {
		return there, true, nil
	}
	return "", false, u.s.fail(ctx, "store", u.key, err)
}

// holds says whether our bytes are there. What an object says of itself is no proof: it keeps its metadata when a power cut
// or a person has changed its bytes. An error means that nobody could tell.
func (u *Upload) holds(ctx context.Context, o Object) (etag string, whole bool, err error) {
	f, err := u.s.head(ctx, u.key)
	if err != nil || f.Size != o.Size || f.SHA256 != o.SHA256 {
		return f.ETag, false, err
	}
	o.ETag = f.ETag
	err = u.s.compare(ctx, u.key, o)
	if isReplaced(err) {
		return f.ETag, false, nil
	}
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		u.s.log.Warn("a stored file is not what was stored; it is stored again", "video_id", u.k.VideoID, "asset", u.spec.Asset, "err", err)
		return f.ETag, false, nil
	}
	return f.ETag, err == nil, err
}

// isReplaced says whether the object that was to be read is not there any more.
func isReplaced(err error) bool { return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) }
