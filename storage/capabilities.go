package storage

import (
	"context"
	"fmt"
)

// Capabilities is what a store was found to do. It is tried out, never looked up: no table of stores stays true.
type Capabilities struct {
	PutIfAbsent      bool `json:"put_if_absent"`      // If-None-Match: * holds even when several write at once
	PutIfMatch       bool `json:"put_if_match"`       // If-Match holds
	CompleteIfAbsent bool `json:"complete_if_absent"` // If-None-Match on CompleteMultipartUpload holds
	ListParts        bool `json:"list_parts"`         // without it an upload can't be continued by another worker
	Metadata         bool `json:"metadata"`           // metadata comes back as it was given
	CRC64NVME        bool `json:"crc64nvme"`          // checked on arrival, and told for the whole object
	MD5              bool `json:"md5"`                // Content-MD5 is checked on arrival
	ETagIsMD5        bool `json:"etag_is_md5"`        // so a multipart ETag can be computed and compared

	Checksum string `json:"checksum"` // how uploads prove themselves here: crc64nvme, md5 or readback
}

// Check reaches for the store and tries out what it can do, in <prefix>/.reelkeep-probe/, and removes every trace. The
// answer is kept for the life of the Store; a failure is not. A RefusedError needs a person, an UnreachableError needs
// time.
func (s *Store) Check(ctx context.Context) (Capabilities, error) {
	if c := s.caps.Load(); c != nil {
		return *c, nil
	}
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return Capabilities{}, fmt.Errorf("probe %s: %w", s.loc, context.Cause(ctx))
	}
	if c := s.caps.Load(); c != nil {
		return *c, nil
	}
	c, err := s.probe(ctx)
	if err != nil {
		return Capabilities{}, err
	}
	if c.Checksum, err = s.choose(c); err != nil {
		return Capabilities{}, err
	}
	s.caps.Store(&c)
	s.log.Debug("store probed", "put_if_absent", c.PutIfAbsent, "put_if_match", c.PutIfMatch, "checksum", c.Checksum)
	return c, nil
}

// choose picks the checksum: the wish if there is one, else the best the store really checks.
func (s *Store) choose(c Capabilities) (string, error) {
	can := map[string]bool{ChecksumCRC64NVME: c.CRC64NVME, ChecksumMD5: c.MD5, ChecksumReadback: true}
	if want := s.cfg.Checksum; want != ChecksumAuto {
		if !can[want] {
			return "", &RefusedError{
				Op: "probe", Key: s.loc.String(), Code: "checksum", Reason: "it does not check " + want,
				hint: "set REELKEEP_CHECKSUM to auto",
			}
		}
		return want, nil
	}
	switch {
	case c.CRC64NVME:
		return ChecksumCRC64NVME, nil
	case c.MD5:
		return ChecksumMD5, nil
	}
	return ChecksumReadback, nil
}

// mode is the chosen checksum, "" before the probe: the probe itself sends none.
func (s *Store) mode() string {
	if c := s.caps.Load(); c != nil {
		return c.Checksum
	}
	return ""
}
