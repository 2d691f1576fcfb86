package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// listParts says what the store holds of an upload, or ErrUploadGone.
func (s *Store) listParts(ctx context.Context, key, id string) (map[int]storedPart, error) {
	parts := map[int]storedPart{}
	pages := s3.NewListPartsPaginator(s.client, &s3.ListPartsInput{Bucket: &s.loc.bucket, Key: &key, UploadId: &id},
		func(o *s3.ListPartsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.fail(ctx, "list the parts of", key, err)
		}
		for _, p := range page.Parts {
			part := storedPart{size: aws.ToInt64(p.Size), etag: aws.ToString(p.ETag)}
			if crc, err := decodeCRC(aws.ToString(p.ChecksumCRC64NVME)); err == nil {
				part.crc, part.hasCRC = crc, true
			}
			parts[int(aws.ToInt32(p.PartNumber))] = part
		}
	}
	return parts, nil
}

// abortUpload frees the parts of an upload. A part that was on its way may survive the first abort, so it looks again.
func (s *Store) abortUpload(ctx context.Context, key, id string) error {
	for range 3 {
		_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.loc.bucket, Key: &key, UploadId: &id})
		if err != nil {
			f := sortFault(err)
			if ctx.Err() == nil && (f.kind == kindNoUpload || f.kind == kindNotFound) {
				return nil
			}
			if ctx.Err() == nil && f.notOffered() {
				// Most such stores forget an upload when it is complete. Nothing that is archived depends on it.
				s.log.Warn("the store does not offer to end an upload; if it keeps this one's parts, clear them there", "key", key, "upload_id", id, "err", f.code)
				return nil
			}
			return s.fail(ctx, "abort the upload of", key, err)
		}
		if parts, err := s.listParts(ctx, key, id); err != nil || len(parts) == 0 {
			return nil
		}
	}
	return nil
}

// drop ends an upload and removes its record. The record goes last: without it nobody would find the parts.
func (s *Store) drop(ctx context.Context, k VideoKey, rec uploadRecord) error {
	if err := s.abortUpload(ctx, s.dir(k)+rec.Name, rec.UploadID); err != nil {
		return err
	}
	return s.remove(ctx, s.recordKey(k, rec.Asset))
}

// AbortOrphans ends every upload that is recorded under the video and removes the records. It is for the moment when
// the video needs none of them any more. Uploads are found by our records, because some stores list
// uploads only for an exact key. Of the keys that have a record, others go as well: whoever begins an upload may be killed, or
// never hear of it, before its record is written.
func (s *Store) AbortOrphans(ctx context.Context, k VideoKey) error {
	there, err := s.Folder(ctx, k)
	if err != nil {
		return err
	}
	ended, err := s.endUploads(ctx, there, everyUpload)
	if err != nil {
		return err
	}
	return s.forget(ctx, k, ended)
}

func everyUpload(uploadRecord) bool { return true }

// Tidy removes what a worker that was killed right after it had sealed the video left of the uploads that the seal ended.
// Usually nothing is there, and then this asks for nothing. What is on its way stays: all of a partial video, and of others what
// is for a later generation.
func (s *Store) Tidy(ctx context.Context, in *Folder, sealed *Manifest) error {
	if sealed.State != StateArchived {
		return nil
	}
	ended, err := s.endUploads(ctx, in, func(rec uploadRecord) bool { return generationOf(rec.Name) <= sealed.Generation })
	if err != nil {
		return err
	}
	return s.forget(ctx, in.video, ended)
}

// EndUnrecorded ends what a sealed video has of unfinished uploads without a record: of workers that came late, or that were
// killed before the record was written.
func (s *Store) EndUnrecorded(ctx context.Context, sealed *Manifest) error {
	for _, a := range sealed.Assets {
		if a.Bytes <= MinPartSize {
			continue // it was never an upload of parts
		}
		key := s.dir(sealed.Key()) + a.Key
		for id := range s.uploadsOf(ctx, key) {
			if err := s.abortUpload(ctx, key, id); err != nil {
				return fmt.Errorf("end the uploads of video %s: %w", sealed.Key(), err)
			}
		}
	}
	return nil
}

// endedUpload is an upload that is over and whose record is still there.
type endedUpload struct{ asset, id string }

// endUploads ends the uploads recorded in a folder that over says yes to, and those whose record can't be read, frees their parts,
// and returns them. The records stay: by them the next worker knows a complete object, should this one not come to seal it.
func (s *Store) endUploads(ctx context.Context, in *Folder, over func(uploadRecord) bool) (ended []endedUpload, err error) {
	for _, asset := range in.recorded() {
		rec, _, err := s.loadRecord(ctx, in.video, asset)
		if errors.Is(err, ErrNotFound) || err == nil && !over(rec) {
			continue
		}
		if err == nil || errors.Is(err, errUnreadable) {
			err = s.abortAll(ctx, in.video, rec)
		}
		if err != nil {
			return nil, fmt.Errorf("end the uploads of video %s: %w", in.video, err)
		}
		ended = append(ended, endedUpload{asset, rec.UploadID})
	}
	return ended, nil
}

// abortAll ends the upload that a record names and all others to the same key. The record may be one that we can't read all of.
func (s *Store) abortAll(ctx context.Context, k VideoKey, rec uploadRecord) error {
	if validAssetKey(rec.Name) != nil {
		return nil
	}
	key := s.dir(k) + rec.Name
	ids := s.uploadsOf(ctx, key)
	if rec.UploadID != "" {
		ids[rec.UploadID] = true
	}
	for id := range ids {
		if err := s.abortUpload(ctx, key, id); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the records of these uploads. By now another worker may have begun one under the same name, for the next
// generation: its record stays.
func (s *Store) forget(ctx context.Context, k VideoKey, uploads []endedUpload) error {
	for _, u := range uploads {
		rec, _, err := s.loadRecord(ctx, k, u.asset)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case (err == nil || errors.Is(err, errUnreadable)) && rec.UploadID != u.id:
			continue
		case err == nil || errors.Is(err, errUnreadable):
			err = s.remove(ctx, s.recordKey(k, u.asset))
		}
		if err != nil {
			return fmt.Errorf("remove an upload record of video %s: %w", k, err)
		}
	}
	return nil
}

// uploadsOf returns the ids of the unfinished uploads to exactly this key, as far as the store tells: not every store
// lists them.
func (s *Store) uploadsOf(ctx context.Context, key string) map[string]bool {
	ids, _ := s.listUploads(ctx, key) // what can't be told is left
	return ids
}

func (s *Store) listUploads(ctx context.Context, key string) (map[string]bool, error) {
	ids := map[string]bool{}
	page, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.loc.bucket, Prefix: &key}, fewer)
	if err != nil {
		return ids, s.fail(ctx, "list the uploads of", key, err)
	}
	for _, u := range page.Uploads {
		if aws.ToString(u.Key) == key {
			ids[aws.ToString(u.UploadId)] = true
		}
	}
	return ids, nil
}
