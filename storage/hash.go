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
	zeros zeros // of the last part's length: mostly the next has the same
}

func newRolling() *rolling { return &rolling{sha: sha256.New()} }

func (r *rolling) Write(p []byte) (int, error) {
	r.crc = crc64nvme.Update(r.crc, p)
	r.bytes += int64(len(p))
	return r.sha.Write(p)
}

// stride is how far the fast checksum runs ahead of the slow one. It brings the bytes into the processor's cache, at
// whose edge SHA-256 would otherwise spend a quarter of its time waiting for memory.
const stride = 32 << 10

// add is Write for a whole part, whose own CRC it returns.
func (r *rolling) add(p []byte) (crc uint64, err error) {
	for rest := p; len(rest) > 0; {
		n := min(stride, len(rest))
		crc = crc64nvme.Update(crc, rest[:n])
		if _, err := r.sha.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	r.crc = r.zeros.join(r.crc, crc, int64(len(p)))
	r.bytes += int64(len(p))
	return crc, nil
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
	var z zeros
	return z.join(first, second, secondLen)
}

// zeros is what n zero bytes behind a message do to its CRC.
type zeros struct {
	matrix

	n int64 // 0: not made yet
}

// join is joinCRC for many pieces, most of which have the same length.
func (z *zeros) join(first, second uint64, secondLen int64) uint64 {
	if secondLen == 0 {
		return first
	}
	if z.n != secondLen {
		*z = appendZeros(secondLen)
	}
	return z.times(first) ^ second
}

func appendZeros(n int64) zeros {
	// One zero byte is a linear map of the CRC. Squaring that map doubles the number of zeros.
	var step, next matrix
	step[0] = crcPoly
	for i := 1; i < 64; i++ {
		step[i] = 1 << (i - 1)
	}
	for range 3 {
		next.multiply(&step, &step)
		step = next
	}
	z := zeros{n: n}
	for i := range z.matrix {
		z.matrix[i] = 1 << i
	}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			next.multiply(&step, &z.matrix)
			z.matrix = next
		}
		next.multiply(&step, &step)
		step = next
	}
	return z
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

// multiply makes m the map that does b first and then a.
func (m *matrix) multiply(a, b *matrix) {
	for i := range b {
		m[i] = a.times(b[i])
	}
}
