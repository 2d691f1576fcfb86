package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
)

// recordWait bounds the write of a record after a part. It is not bound by the caller's context: a worker that is told
// to stop at this moment should still say how far it came.
const recordWait = 5 * time.Second

// recordEvery is how often a running upload says in its record how far the hash of the whole has come. Each time is a
// request of its own, so not after every part; and nothing that was fetched depends on it, since the store itself tells
// which parts it holds. A killed worker costs its successor that the parts of about the last second are read back from
// the store to be hashed, once, at the end.
const recordEvery = time.Second

// Put stores one part and hashes it, for callers that have one part after another. data is all of it and is not kept.
// An asset of one part is a whole object after this, under the condition that none was there. ErrUploadGone means that
// another worker has ended this upload; ErrSealed, that the video was sealed meanwhile.
func (u *Upload) Put(ctx context.Context, part int, data []byte) error {
	if err := u.Send(ctx, part, data); err != nil {
		return err
	}
	if err := u.Hash(part, data); err != nil {
		return err
	}
	return u.SaveProgress(ctx)
}

// Send is Put without the hash: for callers that have several parts in hand at once, in any order. They give each part
// to Hash as well, at the same time if they like; data must stay as it is until both have returned.
func (u *Upload) Send(ctx context.Context, part int, data []byte) error {
	whole, skip, err := u.accept(part, int64(len(data)))
	if err != nil || skip {
		return err
	}
	if whole {
		return u.putWhole(ctx, data)
	}
	if err := u.start(ctx); err != nil {
		return err
	}
	if _, skip, err := u.accept(part, int64(len(data))); err != nil || skip { // start may have joined another upload
		return err
	}
	sum := crc64nvme.Checksum(data)
	u.sameBytes(part, sum)
	p, err := u.send(ctx, part, data, sum)
	if err != nil {
		return err
	}
	if u.arrived(part, p) {
		return u.saveRecord(ctx)
	}
	return nil
}

// Hash takes a part into the checksum of the whole. Parts count in their order only: one that is not the next is passed
// over, as all parts are that follow one which an earlier worker has stored and did not hash. Then Complete reads the
// object back once. It needs no part to be stored, and no part to be stored waits for it.
func (u *Upload) Hash(part int, data []byte) error {
	u.hashing.Lock()
	defer u.hashing.Unlock()
	u.mu.Lock()
	next := part == u.hashed+1 && len(data) > 0 && u.object == nil && !u.plan.single()
	u.mu.Unlock()
	if !next {
		return nil
	}
	sum, err := u.hash.add(data)
	if err != nil {
		return fmt.Errorf("hash part %d of %s: %w", part, u.key, err)
	}
	u.sameBytes(part, sum)
	state, err := u.hash.state(part)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hashed, u.states[part] = part, state
	u.advance()
	return nil
}

// SaveProgress writes into the record what it does not tell yet. Whoever stops before the asset is complete should call
// it: the next worker then has nothing to read back.
func (u *Upload) SaveProgress(ctx context.Context) error {
	u.mu.Lock()
	news := u.news
	u.mu.Unlock()
	if !news {
		return nil
	}
	return u.saveRecord(ctx)
}

// accept checks the part against the plan. whole: the asset is this one part. skip: an empty part behind the end of an
// asset whose size was not known.
func (u *Upload) accept(part int, n int64) (whole, skip bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.object != nil || u.finished != nil {
		return false, false, fmt.Errorf("put part %d of %s: it is complete already", part, u.key)
	}
	want, ok := u.plan.part(part)
	if !ok || (u.ended > 0 && part > u.ended) {
		return false, false, fmt.Errorf("put part %d of %s: there is no such part of an asset of %d bytes", part, u.key, u.plan.total)
	}
	if u.plan.total >= 0 && n != want.Size || n > want.Size {
		return false, false, fmt.Errorf("put part %d of %s: it has %d bytes, want %d", part, u.key, n, want.Size)
	}
	if u.plan.single() {
		return true, false, nil
	}
	if u.plan.total < 0 && n < want.Size {
		if n == 0 && part > 1 {
			return false, true, nil
		}
		u.ended = part
		return part == 1 && !u.started, false, nil
	}
	return false, false, nil
}

// start makes the multipart upload and its record. Whoever writes the record first owns the upload; a worker that comes
// second throws its own away and joins.
func (u *Upload) start(ctx context.Context) error {
	u.record.Lock()
	defer u.record.Unlock()
	u.mu.Lock()
	started := u.started
	u.mu.Unlock()
	if started {
		return nil
	}
	rec := uploadRecord{
		Schema: uploadSchema, Asset: u.spec.Asset, Name: u.spec.Name, Token: rand.Text(), PartSize: u.plan.partSize, Total: u.plan.total,
		Checksum: u.s.mode(), Source: validatorRecord(u.spec.Source),
	}
	var err error
	if rec.UploadID, err = u.s.createUpload(ctx, u.key, u.spec.ContentType, rec); err != nil {
		return err
	}
	data, err := marshalPlain(rec)
	if err != nil {
		return err
	}
	etag, err := u.s.create(ctx, u.s.recordKey(u.k, u.spec.Asset), data)
	if err != nil {
		return errors.Join(u.s.abortUpload(context.WithoutCancel(ctx), u.key, rec.UploadID), u.yield(ctx, err))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rec, u.recETag, u.started, u.saved = rec, etag, true, u.s.now()
	u.advance()
	return nil
}

// yield joins the upload of the worker that was faster, if that was why our record could not be written.
func (u *Upload) yield(ctx context.Context, why error) error {
	if !errors.Is(why, ErrExists) {
		return why
	}
	rec, etag, err := u.s.loadRecord(ctx, u.k, u.spec.Asset)
	if errors.Is(err, errUnreadable) || errors.Is(err, ErrNotFound) {
		return fmt.Errorf("upload to %s: another worker has begun or ended one: %w: %w", u.key, err, ErrUploadGone)
	}
	if err != nil {
		return err
	}
	if !rec.continues(u.spec) {
		return fmt.Errorf("upload to %s: another worker stores another version: %w", u.key, ErrUploadGone)
	}
	if rec.PartSize != u.lockedPlan().partSize {
		return fmt.Errorf("upload to %s: another worker stores it in parts of another size: %w", u.key, ErrUploadGone)
	}
	if err := u.join(ctx, rec, etag); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.started || u.finished != nil {
		return fmt.Errorf("upload to %s: %w", u.key, ErrUploadGone)
	}
	return nil
}

func (s *Store) createUpload(ctx context.Context, key, contentType string, rec uploadRecord) (string, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &s.loc.bucket, Key: &key, Metadata: map[string]string{metaUpload: rec.Token}}
	if contentType != "" {
		in.ContentType = &contentType
	}
	if rec.Checksum == ChecksumCRC64NVME {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	out, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", s.fail(ctx, "start the upload of", key, err)
	}
	return aws.ToString(out.UploadId), nil
}

// sameBytes notes the checksum of a part that is hashed or sent. If it was hashed or sent before (its sending failed),
// it must be the same bytes again, or the hash proves nothing.
func (u *Upload) sameBytes(part int, sum uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if before, ok := u.crcs[part]; ok && before != sum {
		u.doubtful = true
	}
	u.crcs[part] = sum
}

// A store that has lost the upload may answer and hang up while the part is still being written, and then the answer is
// lost: we only see a cut connection. So after a few tries the store is asked whether it still knows the upload.
const (
	sendRounds   = 3
	sendAttempts = 2
)

// send brings one part to the store.
func (u *Upload) send(ctx context.Context, part int, data []byte, sum uint64) (storedPart, error) {
	u.mu.Lock()
	id := u.rec.UploadID
	u.mu.Unlock()
	op := fmt.Sprintf("store part %d of", part)
	for round := 1; ; round++ {
		p, err := u.sendOnce(ctx, id, part, data, sum)
		if err == nil {
			p.crc, p.hasCRC = sum, true
			return p, nil
		}
		err = u.s.fail(ctx, op, u.key, err)
		if errors.Is(err, ErrNotFound) { // some stores call a lost upload a lost key
			return storedPart{}, fmt.Errorf("%s %s: %w", op, u.key, ErrUploadGone)
		}
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || unreachable.Full {
			return storedPart{}, err
		}
		if _, look := u.s.listParts(ctx, u.key, id); errors.Is(look, ErrUploadGone) || errors.Is(look, ErrNotFound) {
			return storedPart{}, fmt.Errorf("%s %s: %w", op, u.key, ErrUploadGone)
		}
		if round == sendRounds {
			return storedPart{}, err
		}
	}
}

func (u *Upload) sendOnce(ctx context.Context, id string, part int, data []byte, sum uint64) (storedPart, error) {
	body := lend(data)
	defer body.end()
	in := &s3.UploadPartInput{
		Bucket: &u.s.loc.bucket, Key: &u.key, UploadId: &id, PartNumber: aws.Int32(int32(part)), //nolint:gosec // at most 10,000
		Body: body, ContentLength: aws.Int64(int64(len(data))),
	}
	in.ChecksumCRC64NVME, in.ContentMD5 = u.s.protect(data, func() uint64 { return sum })
	out, err := u.s.client.UploadPart(ctx, in, u.s.unsigned, func(o *s3.Options) { o.RetryMaxAttempts = sendAttempts })
	if err != nil {
		return storedPart{}, err
	}
	return storedPart{size: int64(len(data)), etag: aws.ToString(out.ETag)}, nil
}

// arrived notes a stored part and says whether it is time to write the record.
func (u *Upload) arrived(part int, p storedPart) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[part] = p
	u.advance()
	now := u.s.now()
	if !u.news || now.Sub(u.saved) < recordEvery {
		return false
	}
	u.saved = now // before it is written, so that parts that arrive meanwhile do not write it, too
	return true
}

// advance moves the record's hash on: it may cover stored parts only, all from the first on.
func (u *Upload) advance() {
	for n := u.rec.Hash.Parts + 1; ; n++ {
		state, hashed := u.states[n]
		if _, have := u.parts[n]; !have || !hashed || u.doubtful {
			return
		}
		u.rec.Hash, u.news = state, true
		delete(u.states, n)
	}
}

// saveRecord writes the record over the one we know. A worker that finds another upload there has been left behind.
// Trouble with the store is no failure of the part: at worst the finished object is read back once.
func (u *Upload) saveRecord(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWait)
	defer cancel()
	u.record.Lock()
	defer u.record.Unlock()
	key := u.s.recordKey(u.k, u.spec.Asset)
	for range 3 {
		u.mu.Lock()
		rec, old := u.rec, u.recETag
		u.mu.Unlock()
		data, err := marshalPlain(rec)
		if err != nil {
			return err
		}
		etag, err := u.s.replace(ctx, key, data, old)
		var theirs uploadRecord
		if errors.Is(err, ErrConflict) {
			theirs, etag, err = u.s.loadRecord(ctx, u.k, u.spec.Asset)
			if errors.Is(err, ErrNotFound) || errors.Is(err, errUnreadable) || (err == nil && theirs.UploadID != rec.UploadID) {
				return fmt.Errorf("continue the upload of %s: %w", u.key, ErrUploadGone)
			}
		} else if err == nil {
			theirs = rec
		}
		if err != nil {
			u.s.log.Warn("upload record not written, going on without", "video_id", u.k.VideoID, "asset", u.spec.Asset, "upload_id", rec.UploadID, "err", err)
			return nil
		}
		u.mu.Lock()
		u.recETag = etag
		done := theirs.Hash.Parts >= rec.Hash.Parts
		u.news = theirs.Hash.Parts < u.rec.Hash.Parts
		u.mu.Unlock()
		if done {
			return nil
		}
	}
	return nil
}
