package storage

import (
	"context"
)

// What tests outside the package need of its inside: to plant what a dead worker, a person or another program leaves.

// Force makes the store believe it was probed with this outcome.
func (s *Store) Force(c Capabilities) { s.caps.Store(&c) }

// Plant writes raw bytes under a key below the prefix.
func (s *Store) Plant(ctx context.Context, key string, data []byte) error {
	_, err := s.put(ctx, s.loc.prefix+key, data, putOptions{})
	return err
}

// Respell writes other bytes over an object that keeps all it says about itself.
func (s *Store) Respell(ctx context.Context, key string, data []byte) error {
	f, err := s.head(ctx, s.loc.prefix+key)
	if err != nil {
		return err
	}
	_, err = s.put(ctx, s.loc.prefix+key, data, putOptions{contentType: f.ContentType, meta: f.meta})
	return err
}

// Uproot removes a key below the prefix.
func (s *Store) Uproot(ctx context.Context, key string) error { return s.remove(ctx, s.loc.prefix+key) }

// Raw reads a key below the prefix.
func (s *Store) Raw(ctx context.Context, key string) ([]byte, error) {
	b, _, err := s.read(ctx, s.loc.prefix+key, smallLimit)
	return b, err
}

// Keys lists all keys below the prefix.
func (s *Store) Keys(ctx context.Context) ([]string, error) {
	var all []string
	for o, err := range s.objects(ctx, s.loc.prefix) {
		if err != nil {
			return nil, err
		}
		all = append(all, o.key[len(s.loc.prefix):])
	}
	return all, nil
}

// KillUpload aborts the multipart upload behind an upload and leaves its record, as a store's clean-up does.
func (u *Upload) KillUpload(ctx context.Context) error {
	return u.s.abortUpload(ctx, u.key, u.rec.UploadID)
}

// UploadLives says whether the store still knows the multipart upload.
func (u *Upload) UploadLives(ctx context.Context) bool {
	_, err := u.s.listParts(ctx, u.key, u.rec.UploadID)
	return err == nil
}

var (
	ParseLocation  = parseLocation
	JoinCRC        = joinCRC
	EncodeCRC      = encodeCRC
	DecodeRecord   = decodeUploadRecord
	AttemptLimit   = attemptLimit
	SortFault      = sortFault
	Plain          = plain
	NewRetryer     = newRetryer
	ReadStall      = readStall
	KindRefused    = kindRefused
	KindFull       = kindFull
	KindUnreach    = kindUnreachable
	KindOther      = kindOther
	KindNoUpload   = kindNoUpload
	KindNotFound   = kindNotFound
	KindCondition  = kindCondition
	KindRace       = kindRace
	ValidAssetKey  = validAssetKey
	EncodeManifest = (*Manifest).encode
)

// Plan exposes the part planner.
func Plan(total, configured int64) (partSize int64, parts int, part func(int) (Part, bool), err error) {
	p, err := newPlan(total, configured)
	if err != nil {
		return 0, 0, nil, err
	}
	return p.partSize, p.parts(), p.part, err
}

// FaultKind and FaultCode read a sorted fault.
func FaultKind(f fault) kind   { return f.kind }
func FaultCode(f fault) string { return f.code }

var (
	AddAttemptDeadline   = addAttemptDeadline
	KeepEncodingUnsigned = keepEncodingUnsigned
	NewWatchdog          = newWatchdog
)

// StripsEncoding says whether requests go out with Accept-Encoding unsigned.
func (s *Store) StripsEncoding() bool { return len(s.client.Options().APIOptions) == 2 }

// Region, PathStyle and Endpoint are what the client was set to.
func (s *Store) Region() string  { return s.client.Options().Region }
func (s *Store) PathStyle() bool { return s.client.Options().UsePathStyle }

// HashInTwo hashes first, writes the state down, takes it up again and hashes second.
func HashInTwo(first, second []byte) (sha, crc string, err error) {
	r := newRolling()
	if _, err := r.Write(first); err != nil {
		return "", "", err
	}
	state, err := r.state(1)
	if err != nil {
		return "", "", err
	}
	again, err := state.restore()
	if err != nil {
		return "", "", err
	}
	if _, err := again.Write(second); err != nil {
		return "", "", err
	}
	return again.sha256(), encodeCRC(again.crc), nil
}
