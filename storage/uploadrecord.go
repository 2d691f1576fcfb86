package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

const uploadSchema = "reelkeep.upload/1"

// A Validator tells one version of the source from another.
type Validator struct {
	ETag, LastModified string
	Size               int64 // -1: not known
}

// uploadRecord is .upload/<asset>.json: all that another worker needs to go on.
type uploadRecord struct {
	Schema   string          `json:"schema"`
	Asset    string          `json:"asset"`
	Name     string          `json:"name"`
	UploadID string          `json:"upload_id"`
	Token    string          `json:"token"` // random; the object's metadata carries it too
	PartSize int64           `json:"part_size"`
	Total    int64           `json:"total"`    // -1: not known
	Checksum string          `json:"checksum"` // the first part was sent with it, so all must be
	Source   validatorRecord `json:"source"`
	Hash     hashState       `json:"hash"`
}

type validatorRecord struct {
	ETag         string `json:"etag"`
	LastModified string `json:"last_modified"`
	Size         int64  `json:"size"`
}

func decodeUploadRecord(b []byte) (uploadRecord, error) {
	var r uploadRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read upload record: %w", err)
	}
	return r, r.validate()
}

// validate refuses whatever would make us write or hash at a wrong place.
func (r uploadRecord) validate() error {
	bad := func(what string) error { return errors.New("read upload record: " + what) }
	switch {
	case r.Schema != uploadSchema:
		return bad("its schema is not " + uploadSchema)
	case !validName(r.Asset, 40):
		return bad("its asset has no proper name")
	case r.UploadID == "" || r.Token == "":
		return bad("it names no upload")
	case r.PartSize < MinPartSize || r.PartSize > maxPartSize:
		return bad("its part size is out of bounds")
	case r.Total < -1 || r.Total > maxParts*r.PartSize:
		return bad("its total does not fit its part size")
	case r.Hash.Parts < 0 || r.Hash.Parts > maxParts:
		return bad("its hash covers an impossible number of parts")
	}
	if err := validAssetKey(r.Name); err != nil {
		return fmt.Errorf("read upload record: %w", err)
	}
	if want := r.covered(); r.Hash.Bytes > want || r.Hash.Bytes < 0 || (r.Total >= 0 && r.Hash.Bytes != want) {
		return bad("its hash covers a number of bytes that is not a number of parts")
	}
	if _, err := r.Hash.restore(); err != nil {
		return fmt.Errorf("read upload record: %w", err)
	}
	return nil
}

// covered returns how many bytes the hashed parts have together.
func (r uploadRecord) covered() int64 {
	n := int64(r.Hash.Parts) * r.PartSize
	if r.Total >= 0 {
		n = min(n, r.Total)
	}
	return n
}

func (r uploadRecord) plan() plan { return plan{total: r.Total, partSize: r.PartSize} }

// continues says whether the upload holds parts of this very source. A source without ETag and date can't be told from
// another one of the same size, so nothing of it is trusted.
func (r uploadRecord) continues(spec UploadSpec) bool {
	v := spec.Source
	if v.ETag == "" && v.LastModified == "" {
		return false
	}
	return r.Name == spec.Name && r.Total == max(spec.Size, -1) && r.Source == validatorRecord(v)
}

func (s *Store) recordKey(k VideoKey, asset string) string {
	return s.dir(k) + uploadDir + asset + ".json"
}

// errUnreadable: there is a record, damaged or of a newer reelkeep. What can be read of it comes with the error.
var errUnreadable = errors.New("storage: an upload record that we can't read")

// loadRecord reads the record of an asset.
func (s *Store) loadRecord(ctx context.Context, k VideoKey, asset string) (uploadRecord, string, error) {
	key := s.recordKey(k, asset)
	raw, etag, err := s.read(ctx, key, smallLimit)
	if err != nil {
		return uploadRecord{}, "", err
	}
	r, err := decodeUploadRecord(raw)
	if err == nil && r.Asset != asset {
		err = errors.New("it is of asset " + r.Asset)
	}
	if err != nil {
		return r, etag, fmt.Errorf("%s: %w: %w", key, errUnreadable, err)
	}
	return r, etag, nil
}
