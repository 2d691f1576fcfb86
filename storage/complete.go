package storage

import (
	"context"
	"crypto/md5" //nolint:gosec // compared with ETags
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Complete makes the object of its parts and proves it: size, and checksum of the whole where the store tells one. Where
// it does not, or where no hash covers all parts, the object is read back once. It refuses while a part is missing.
//
// The upload record stays until the video is sealed, so that a worker that dies in between costs nothing.
func (u *Upload) Complete(ctx context.Context) (Object, error) {
	u.mu.Lock()
	done, finished := u.object, u.finished
	u.mu.Unlock()
	if done != nil {
		return *done, nil
	}
	if finished == nil {
		// Should this worker die between here and the seal, the next one has the whole hash.
		if err := u.SaveProgress(ctx); err != nil {
			return Object{}, err
		}
		f, err := u.assemble(ctx)
		if err != nil {
			return Object{}, err
		}
		finished = &f
	}
	o, err := u.prove(ctx, *finished)
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return Object{}, u.discard(ctx, err)
	}
	if err != nil {
		return Object{}, err
	}
	u.mu.Lock()
	u.object = &o
	u.mu.Unlock()
	return o, nil
}

// discard takes a damaged object away, which the next worker would take for finished. It is this upload's, but another worker
// may share that, and have proven and sealed what we could not: then it stays.
func (u *Upload) discard(ctx context.Context, damage error) error {
	err := u.s.refuseSealed(ctx, u.k, u.spec.Name)
	if errors.Is(err, ErrSealed) {
		u.s.log.Error("an asset that another worker has sealed looks damaged to this one; check it with reelkeep verify",
			"video_id", u.k.VideoID, "asset", u.spec.Asset, "err", damage)
	}
	if err != nil {
		return err
	}
	return errors.Join(damage, u.s.remove(ctx, u.key), u.s.remove(ctx, u.s.recordKey(u.k, u.spec.Asset)))
}

// completion is the request, or why it can't be made yet.
func (u *Upload) completion() (*s3.CompleteMultipartUploadInput, error) {
	u.hashing.Lock()
	defer u.hashing.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	last := max(len(u.parts), u.ended)
	if n := u.plan.parts(); n > 0 {
		last = n
	}
	if last == 0 || !u.started {
		return nil, fmt.Errorf("complete %s: nothing was put", u.key)
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.s.loc.bucket, Key: &u.key, UploadId: aws.String(u.rec.UploadID), MultipartUpload: &types.CompletedMultipartUpload{},
	}
	for n := 1; n <= last; n++ {
		p, have := u.parts[n]
		if !have {
			return nil, fmt.Errorf("complete %s: part %d of %d is missing; put it first", u.key, n, last)
		}
		part := types.CompletedPart{PartNumber: aws.Int32(int32(n)), ETag: aws.String(p.etag)} //nolint:gosec // at most 10,000
		if u.rec.Checksum == ChecksumCRC64NVME && p.hasCRC {
			part.ChecksumCRC64NVME = aws.String(encodeCRC(p.crc))
		}
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, part)
	}
	if got := u.storedBytes(); u.plan.total >= 0 && got != u.plan.total {
		return nil, fmt.Errorf("complete %s: the parts have %d bytes together, want %d", u.key, got, u.plan.total)
	}
	if crc, ok := u.wholeCRC(); ok && u.rec.Checksum == ChecksumCRC64NVME {
		in.ChecksumCRC64NVME, in.ChecksumType = aws.String(encodeCRC(crc)), types.ChecksumTypeFullObject
	}
	return in, nil
}

// wholeCRC joins the checksums of all parts, if all are known.
func (u *Upload) wholeCRC() (uint64, bool) {
	var z zeros
	crc, from := uint64(0), 1
	if !u.doubtful {
		crc, from = u.hash.crc, u.hashed+1
	}
	for n := from; n <= len(u.parts); n++ {
		p := u.parts[n]
		if !p.hasCRC {
			return 0, false
		}
		crc = z.join(crc, p.crc, p.size)
	}
	return crc, true
}

// assemble sends Complete and settles what comes back.
func (u *Upload) assemble(ctx context.Context) (found, error) {
	caps, err := u.s.Check(ctx)
	if err != nil {
		return found{}, err
	}
	if !caps.CompleteIfAbsent {
		if err := u.s.refuseSealed(ctx, u.k, u.spec.Name); err != nil {
			return found{}, err
		}
	}
	ifAbsent, relisted := caps.CompleteIfAbsent, false
	for {
		in, err := u.completion()
		if err != nil {
			return found{}, err
		}
		if ifAbsent {
			in.IfNoneMatch = aws.String("*")
		}
		failed := u.sendComplete(ctx, in)
		f, look := u.s.head(ctx, u.key)
		if look == nil && u.ours(f, caps) {
			return f, nil
		}
		if failed == nil {
			return found{}, u.vanished(look)
		}
		switch fault := sortFault(failed); {
		case ctx.Err() != nil:
			return found{}, u.s.fail(ctx, "complete", u.key, failed)
		case look != nil && !errors.Is(look, ErrNotFound):
			// It may well be there: a lost reply makes the next try answer that there is no such upload. The record stays.
			return found{}, look
		case fault.kind == kindCondition && ifAbsent && look == nil:
			// Something else is there. If no manifest vouches for it, it is a leftover.
			if err := u.s.refuseSealed(ctx, u.k, u.spec.Name); err != nil {
				return found{}, err
			}
			ifAbsent = false
		case fault.code == "InvalidPart" && !relisted:
			// Another worker on the same upload has written the same part again: its ETag is the valid one now.
			relisted = true
			if err := u.relist(ctx); err != nil {
				return found{}, err
			}
		case fault.kind == kindOther, fault.kind == kindNoUpload, fault.kind == kindNotFound, fault.kind == kindRace:
			u.mu.Lock()
			rec := u.rec
			u.mu.Unlock()
			gone := fmt.Errorf("complete %s: the store answered %s: %w", u.key, fault.code, ErrUploadGone)
			return found{}, errors.Join(gone, u.s.drop(ctx, u.k, rec))
		default:
			return found{}, u.s.fail(ctx, "complete", u.key, failed)
		}
	}
}

// completeGrace is how long Complete may still take when its caller stops. It stays, with what follows it, below the eight
// seconds after which a worker that drains gives its videos back without asking.
const completeGrace = 5 * time.Second

// sendComplete sends the request, and does not hang up on it when the caller stops: MinIO takes its notes on the parts away
// before it looks whether anybody still listens, and then has neither the parts nor the object.
func (u *Upload) sendComplete(ctx context.Context, in *s3.CompleteMultipartUploadInput) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	asking, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(completeGrace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(asking, func() { timer.Stop() })
	})
	defer stop()
	_, err := u.s.client.CompleteMultipartUpload(asking, in)
	return err
}

// vanished: Complete succeeded, and yet the object is not there or is another one.
func (u *Upload) vanished(look error) error {
	if look != nil && !errors.Is(look, ErrNotFound) {
		return look
	}
	return fmt.Errorf("complete %s: another object is there right after it: %w", u.key, ErrUploadGone)
}

// ours says whether an object was made by this very upload.
func (u *Upload) ours(f found, caps Capabilities) bool {
	u.hashing.Lock()
	defer u.hashing.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if f.upload != "" || caps.Metadata {
		return f.upload == u.rec.Token
	}
	if f.Size != u.storedBytes() {
		return false
	}
	crc, known := u.wholeCRC()
	return known && f.checksum && f.CRC64NVME == encodeCRC(crc) || caps.ETagIsMD5 && f.ETag != "" && strings.Trim(f.ETag, `"`) == u.multipartETag()
}

// multipartETag is what most stores make the ETag of a multipart object: the MD5 of the parts' MD5s, and their number.
func (u *Upload) multipartETag() string {
	h := md5.New() //nolint:gosec // see the import
	for n := 1; n <= len(u.parts); n++ {
		sum, err := hex.DecodeString(strings.Trim(u.parts[n].etag, `"`))
		if err != nil || len(sum) != md5.Size {
			return "unknown"
		}
		_, _ = h.Write(sum)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(u.parts))
}

// relist takes over the ETags that the parts have now. One that is lost, or of another size by now, is for an upload that is
// opened anew: there it counts as missing.
func (u *Upload) relist(ctx context.Context) error {
	u.mu.Lock()
	id := u.rec.UploadID
	u.mu.Unlock()
	parts, err := u.s.listParts(ctx, u.key, id)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for n, p := range u.parts {
		now, ok := parts[n]
		if !ok || now.size != p.size {
			return fmt.Errorf("complete %s: part %d is not the one that was stored: %w", u.key, n, ErrUploadGone)
		}
		p.etag = now.etag
		u.parts[n] = p
	}
	return nil
}
