package storage

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/minio/crc64nvme"
)

// prove compares a finished multipart object with what was sent.
func (u *Upload) prove(ctx context.Context, f found) (Object, error) {
	caps, err := u.s.Check(ctx)
	if err != nil {
		return Object{}, err
	}
	u.hashing.Lock()
	u.mu.Lock()
	total, covered := u.plan.total, u.hashed > 0 && !u.doubtful
	if u.finished == nil {
		total = u.storedBytes()
		covered = covered && u.hashed == len(u.parts)
	}
	covered = covered && u.hash.bytes == f.Size
	sha, crc := u.hash.sha256(), encodeCRC(u.hash.crc)
	byETag := caps.ETagIsMD5 && strings.Trim(f.ETag, `"`) == u.multipartETag()
	// Where making objects durable is left to us, nothing was before the seal: a power cut may have been since, and leaves a
	// file as long as it was, with its stored checksum, and not its bytes.
	unsafe := u.resumed && u.s.cfg.Flush != nil
	u.mu.Unlock()
	u.hashing.Unlock()

	if total >= 0 && f.Size != total {
		return Object{}, &DamagedError{Key: u.key, What: fmt.Sprintf("has %d bytes, want %d", f.Size, total)}
	}
	if covered && f.checksum && f.CRC64NVME != crc {
		return Object{}, &DamagedError{Key: u.key, What: "has another CRC64NVME than what was sent"}
	}
	if !covered || unsafe || caps.Checksum == ChecksumReadback || (!f.checksum && !byETag) {
		back, err := u.readBack(ctx, f, f.checksum && !unsafe && caps.Checksum != ChecksumReadback)
		if isReplaced(err) {
			return Object{}, fmt.Errorf("prove %s: another worker has replaced it: %w", u.key, ErrUploadGone)
		}
		if err != nil {
			return Object{}, err
		}
		if covered && back.sha256() != sha {
			return Object{}, &DamagedError{Key: u.key, What: "reads back as other bytes than were sent"}
		}
		sha, crc = back.sha256(), encodeCRC(back.crc)
		if f.checksum && f.CRC64NVME != crc {
			return Object{}, &DamagedError{Key: u.key, What: "reads back as other bytes than the store's own CRC64NVME says"}
		}
		if err := u.remember(ctx, back); err != nil {
			return Object{}, err
		}
	}
	return Object{Key: u.spec.Name, ETag: f.ETag, Size: f.Size, SHA256: sha, CRC64NVME: crc, ContentType: f.ContentType}, nil
}

// readBack reads the finished object once, hashes it, and compares the parts whose checksum is known and the beginning
// that the hash covers. With vouched, the store tells a checksum of the whole object that the caller compares: that
// proves the beginning without reading it again.
func (u *Upload) readBack(ctx context.Context, f found, vouched bool) (*rolling, error) {
	sum, prefix, start, err := u.hashedSoFar(f.Size, vouched)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	p, known := u.plan, map[int]uint64{}
	for n, part := range u.parts {
		if part.hasCRC {
			known[n] = part.crc
		}
	}
	u.mu.Unlock()
	u.s.log.Info("reading an asset back to prove it", "video_id", u.k.VideoID, "asset", u.spec.Asset, "bytes", f.Size-sum.bytes)
	r, err := u.s.openWhole(ctx, u.key, f.ETag, sum.bytes, f.Size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]byte, 256<<10)
	for n := int(sum.bytes/p.partSize) + 1; sum.bytes < f.Size; n++ {
		var part crcWriter
		if _, err := io.CopyBuffer(io.MultiWriter(sum, &part), io.LimitReader(onlyReader{r}, p.partSize), buf); err != nil {
			return nil, err
		}
		if crc, ok := known[n]; ok && crc != uint64(part) {
			return nil, &DamagedError{Key: u.key, What: fmt.Sprintf("differs in part %d from what was sent", n)}
		}
		if n == prefix && sum.sha256() != start {
			return nil, &DamagedError{Key: u.key, What: fmt.Sprintf("differs within its first %d parts from what was sent", n)}
		}
	}
	return sum, nil
}

// hashedSoFar returns what a hash of the object begins with: what is hashed of it already if that is to be believed
// (vouched), else nothing. prefix and start are for comparing: the hash of so many parts from the first on.
func (u *Upload) hashedSoFar(size int64, vouched bool) (sum *rolling, prefix int, start string, err error) {
	u.hashing.Lock()
	defer u.hashing.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.doubtful || u.hashed == 0 || u.hash.bytes != int64(u.hashed)*u.plan.partSize || u.hash.bytes >= size {
		return newRolling(), 0, "", nil
	}
	if !vouched {
		return newRolling(), u.hashed, u.hash.sha256(), nil
	}
	state, err := u.hash.state(u.hashed)
	if err != nil {
		return nil, 0, "", err
	}
	sum, err = state.restore()
	return sum, 0, "", err
}

// remember writes the whole hash into the record: should this worker die before the video is sealed, the next one need
// not read the object again.
func (u *Upload) remember(ctx context.Context, whole *rolling) error {
	u.hashing.Lock()
	u.mu.Lock()
	n := int(max(1, ceilDiv(whole.bytes, u.plan.partSize)))
	state, err := whole.state(n)
	if err == nil {
		u.rec.Hash, u.hash, u.hashed, u.doubtful, u.news = state, whole, n, false, true
	}
	u.mu.Unlock()
	u.hashing.Unlock()
	if err != nil {
		return err
	}
	return u.saveRecord(ctx)
}

// compare reads an object of one part back. An ETag names the one that is meant.
func (s *Store) compare(ctx context.Context, key string, o Object) error {
	r, err := s.openWhole(ctx, key, o.ETag, 0, o.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	sum := newRolling()
	if _, err := io.Copy(sum, onlyReader{r}); err != nil {
		return err
	}
	if sum.sha256() != o.SHA256 {
		return &DamagedError{Key: key, What: "reads back as other bytes than were sent"}
	}
	return nil
}

// onlyReader hides everything but Read, so that io.Copy uses the buffer it was given.
type onlyReader struct{ io.Reader }

type crcWriter uint64

func (c *crcWriter) Write(p []byte) (int, error) {
	*c = crcWriter(crc64nvme.Update(uint64(*c), p))
	return len(p), nil
}
