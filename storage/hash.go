package storage

import (
	"crypto/md5" //nolint:gosec // the checksum S3 names Content-MD5; no secret depends on it
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/minio/crc64nvme"
)

// rolling hashes an asset from its first byte on. Its state can be written down and taken up by another process.
type rolling struct {
	sha   hash.Hash
	crc   uint64
	bytes int64
}

func newRolling() *rolling { return &rolling{sha: sha256.New()} }

func (r *rolling) Write(p []byte) (int, error) {
	r.crc = crc64nvme.Update(r.crc, p)
	r.bytes += int64(len(p))
	return r.sha.Write(p)
}

func (r *rolling) sha256() string { return hex.EncodeToString(r.sha.Sum(nil)) }

// hashState is a rolling hash at rest: everything up to Bytes has been hashed.
type hashState struct {
	Parts     int    `json:"parts"`
	Bytes     int64  `json:"bytes"`
	SHA256    []byte `json:"sha256"`
	CRC64NVME string `json:"crc64nvme"`
}

func (r *rolling) state(parts int) (hashState, error) {
	m, ok := r.sha.(encoding.BinaryMarshaler)
	if !ok {
		return hashState{}, fmt.Errorf("keep the state of SHA-256: %T cannot be stored", r.sha)
	}
	b, err := m.MarshalBinary()
	if err != nil {
		return hashState{}, fmt.Errorf("keep the state of SHA-256: %w", err)
	}
	return hashState{Parts: parts, Bytes: r.bytes, SHA256: b, CRC64NVME: encodeCRC(r.crc)}, nil
}

func (h hashState) restore() (*rolling, error) {
	r := newRolling()
	if h.Parts == 0 {
		return r, nil
	}
	m, ok := r.sha.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, fmt.Errorf("take up the state of SHA-256: %T cannot be restored", r.sha)
	}
	if err := m.UnmarshalBinary(h.SHA256); err != nil {
		return nil, fmt.Errorf("take up the state of SHA-256: %w", err)
	}
	crc, err := decodeCRC(h.CRC64NVME)
	if err != nil {
		return nil, err
	}
	r.crc, r.bytes = crc, h.Bytes
	return r, nil
}

// encodeCRC spells a CRC64NVME the way S3 does: base64 of eight bytes, the highest first.
func encodeCRC(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

func decodeCRC(text string) (uint64, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("crc64nvme %q: want base64 of 8 bytes", cut(text, 20))
	}
	return binary.BigEndian.Uint64(b), nil
}

func contentMD5(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// crcPoly is the reflected polynomial of CRC-64/NVME.
const crcPoly = 0x9a6c9329ac4bc9b5

// joinCRC returns the CRC of two pieces one after the other, given each piece's own and the length of the second.
// So the checksum of the whole object is known even when its parts were hashed by different workers.
func joinCRC(first, second uint64, secondLen int64) uint64 {
	// Appending a zero byte to a message is a linear map of its CRC. Squaring that map doubles the number of zeros.
	var step, next matrix
	step[0] = crcPoly
	for i := 1; i < 64; i++ {
		step[i] = 1 << (i - 1)
	}
	for range 3 {
		next.square(&step)
		step = next
	}
	for n := secondLen; n > 0; n >>= 1 {
		if n&1 == 1 {
			first = step.times(first)
		}
		next.square(&step)
		step = next
	}
	return first ^ second
}

// matrix is a linear map over 64 bits; row i is the image of bit i.
type matrix [64]uint64

func (m *matrix) times(v uint64) uint64 {
	var sum uint64
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) square(of *matrix) {
	for i := range of {
		m[i] = of.times(of[i])
	}
}
