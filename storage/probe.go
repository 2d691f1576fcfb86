package storage

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // compared with ETags
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
	"golang.org/x/sync/errgroup"
)

const (
	probeWriters  = 4 // how many create the same object at once; some stores let all of them win
	probeAttempts = 3
	probeCleanup  = 15 * time.Second

	probeDir       = ".reelkeep-probe/"
	probeMultipart = "multipart" // the keys below it that have uploads
	probeComplete  = "complete"
)

// prober tries one store out. Everything it makes lies under dir.
type prober struct {
	s   *Store
	dir string

	mu      sync.Mutex
	caps    Capabilities
	keys    []string
	uploads map[string]string // upload id to key, for what was not completed
}

// probe tries the store out. A try in the middle of which an answer was lost has proven nothing, though the store is there:
// then all is tried again.
func (s *Store) probe(ctx context.Context) (Capabilities, error) {
	for try := 1; ; try++ {
		caps, up, err := s.probeOnce(ctx)
		var unreachable *UnreachableError
		if !up || try == probeAttempts || ctx.Err() != nil || !errors.As(err, &unreachable) || unreachable.Full {
			return caps, err
		}
		s.log.Debug("an answer of the store was lost while it was tried out; once more", "attempt", try, "err", err)
	}
}

// probeOnce also says whether the store was there at all.
func (s *Store) probeOnce(ctx context.Context) (caps Capabilities, up bool, err error) {
	p := &prober{s: s, dir: s.loc.prefix + probeDir + rand.Text() + "/", uploads: map[string]string{}}
	if err := p.basics(ctx); err != nil {
		return Capabilities{}, false, errors.Join(err, p.clean(ctx, err))
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.createRace(gctx) })
	g.Go(func() error { return p.replaceRace(gctx) })
	g.Go(func() error { return p.md5(gctx) })
	g.Go(func() error { return p.completeIfAbsent(gctx) })
	g.Go(func() error { return errors.Join(p.crc(gctx), p.multipart(gctx)) })
	err = g.Wait()
	err = errors.Join(err, p.clean(ctx, err))
	return p.caps, true, err
}

// fewer keeps a probe of a store that is down short.
func fewer(o *s3.Options) { o.RetryMaxAttempts = probeAttempts }

// once is for what can't be done twice: if the first answer is lost, the second one tells of a conflict with ourselves, and
// the store would be taken for one that can't do it.
func once(o *s3.Options) { o.RetryMaxAttempts = 1 }

// Reach asks for one key, to learn whether the store answers and lets us read. It writes nothing.
func (s *Store) Reach(ctx context.Context) error {
	_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.loc.bucket, Prefix: &s.loc.prefix, MaxKeys: aws.Int32(1)}, fewer)
	if err != nil {
		return s.fail(ctx, "read", s.loc.String(), err)
	}
	return nil
}

func (p *prober) key(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := p.dir + name
	p.keys = append(p.keys, key)
	return key
}

func (p *prober) set(f func(*Capabilities)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.caps)
}

func (p *prober) put(ctx context.Context, key, body string, change func(*s3.PutObjectInput)) (string, error) {
	in := &s3.PutObjectInput{
		Bucket: &p.s.loc.bucket, Key: &key, Body: strings.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
	}
	if change != nil {
		change(in)
	}
	attempts := fewer
	if in.IfMatch != nil || in.IfNoneMatch != nil {
		attempts = once
	}
	out, err := p.s.client.PutObject(ctx, in, attempts, p.s.unsigned)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// answered sorts a failed try: nil means the store answered, so the feature is not there; else it could not be asked.
// Some stores answer a header they do not know with a plain 500.
func (p *prober) answered(ctx context.Context, err error) error {
	f := sortFault(err)
	if ctx.Err() == nil && (f.kind != kindUnreachable && f.kind != kindFull || f.status == 500) {
		return nil
	}
	return p.s.fail(ctx, "probe", p.s.loc.String(), err)
}

// basics must work, or the store is of no use: put with metadata, range read, delete.
func (p *prober) basics(ctx context.Context) error {
	const body, note = "reelkeep probe", "a note"
	key := p.key("basics")
	etag, err := p.put(ctx, key, body, func(in *s3.PutObjectInput) { in.Metadata = map[string]string{metaUpload: note} })
	if err != nil {
		return p.s.fail(ctx, "write to", p.s.loc.String(), err)
	}
	reading, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	out, err := p.s.client.GetObject(reading, &s3.GetObjectInput{Bucket: &p.s.loc.bucket, Key: &key, Range: aws.String("bytes=9-13")}, fewer)
	if err != nil {
		return p.s.fail(ctx, "read from", p.s.loc.String(), err)
	}
	defer out.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(out.Body); err != nil {
		return p.s.fail(ctx, "read from", p.s.loc.String(), err)
	}
	if got.String() != "probe" {
		return &RefusedError{
			Op: "read a range from", Key: p.s.loc.String(), Code: "Range", Reason: "it gave other bytes than were asked for",
			hint: "check what stands between us and the store in AWS_ENDPOINT_URL_S3",
		}
	}
	sum := md5.Sum([]byte(body)) //nolint:gosec // see the import
	p.set(func(c *Capabilities) {
		c.Metadata = lowerNames(out.Metadata)[metaUpload] == note
		c.ETagIsMD5 = strings.Trim(etag, `"`) == hex.EncodeToString(sum[:])
	})
	return nil
}

// race runs the same conditional write several times at once and returns how many succeeded.
func (p *prober) race(ctx context.Context, key string, n int, condition func(*s3.PutObjectInput)) (int, error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = p.put(ctx, key, fmt.Sprintf("writer %d", i), condition) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if err := p.answered(ctx, err); err != nil {
			return 0, err
		}
	}
	return won, nil
}

// createRace: of several creators exactly one may win.
func (p *prober) createRace(ctx context.Context) error {
	absent := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	won, err := p.race(ctx, p.key("create"), probeWriters, absent)
	p.set(func(c *Capabilities) { c.PutIfAbsent = err == nil && won == 1 })
	return err
}

// replaceRace: of two replacements of the same object exactly one may win, and a wrong ETag never.
func (p *prober) replaceRace(ctx context.Context) error {
	key := p.key("replace")
	etag, err := p.put(ctx, key, "first", nil)
	if err != nil {
		return p.s.fail(ctx, "write to", p.s.loc.String(), err)
	}
	won, err := p.race(ctx, key, 2, func(in *s3.PutObjectInput) { in.IfMatch = &etag })
	if err != nil || won != 1 {
		return err
	}
	// The first object's ETag is stale by now.
	late, err := p.race(ctx, key, 1, func(in *s3.PutObjectInput) { in.IfMatch = &etag })
	p.set(func(c *Capabilities) { c.PutIfMatch = err == nil && late == 0 })
	return err
}

// checks says whether the store takes a right checksum and refuses a wrong one.
func (p *prober) checks(ctx context.Context, key string, right, wrong func(*s3.PutObjectInput)) (bool, error) {
	if _, err := p.put(ctx, key, "right", right); err != nil {
		return false, p.answered(ctx, err)
	}
	if _, err := p.put(ctx, key+"-wrong", "right", wrong); err != nil {
		return true, p.answered(ctx, err)
	}
	return false, nil
}

func (p *prober) md5(ctx context.Context) error {
	key := p.key("md5")
	p.key("md5-wrong")
	ok, err := p.checks(ctx, key,
		func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String(contentMD5([]byte("right"))) },
		func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String(contentMD5([]byte("wrong"))) })
	p.set(func(c *Capabilities) { c.MD5 = ok && err == nil })
	return err
}

func (p *prober) crc(ctx context.Context) error {
	key := p.key("crc")
	p.key("crc-wrong")
	sum := func(text string) *string { return aws.String(encodeCRC(crc64nvme.Checksum([]byte(text)))) }
	ok, err := p.checks(ctx, key,
		func(in *s3.PutObjectInput) { in.ChecksumCRC64NVME = sum("right") },
		func(in *s3.PutObjectInput) { in.ChecksumCRC64NVME = sum("wrong") })
	p.set(func(c *Capabilities) { c.CRC64NVME = ok && err == nil })
	return err
}

// multipart makes one whole multipart object, of a single small part: that is the last part, which may be small, and
// a start-up must not send five megabytes. With checksums it must be told for the whole object (FULL_OBJECT).
func (p *prober) multipart(ctx context.Context) error {
	const body = "a part"
	key := p.key(probeMultipart)
	withCRC := p.caps.CRC64NVME
	part, id, err := p.onePart(ctx, key, body, withCRC)
	if err != nil && withCRC && p.answered(ctx, err) == nil {
		p.set(func(c *Capabilities) { c.CRC64NVME = false })
		withCRC = false
		part, id, err = p.onePart(ctx, key, body, false)
	}
	if err != nil {
		return p.s.fail(ctx, "upload in parts to", p.s.loc.String(), err)
	}
	list, err := p.s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &p.s.loc.bucket, Key: &key, UploadId: &id}, fewer)
	if err != nil {
		if err := p.answered(ctx, err); err != nil {
			return err
		}
	} else {
		p.set(func(c *Capabilities) {
			c.ListParts = len(list.Parts) == 1 && aws.ToInt64(list.Parts[0].Size) == int64(len(body))
		})
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &p.s.loc.bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}},
	}
	if withCRC {
		in.ChecksumCRC64NVME, in.ChecksumType = part.ChecksumCRC64NVME, types.ChecksumTypeFullObject
	}
	if _, err := p.s.client.CompleteMultipartUpload(ctx, in, once); err != nil {
		if !withCRC {
			return p.s.fail(ctx, "upload in parts to", p.s.loc.String(), err)
		}
		p.set(func(c *Capabilities) { c.CRC64NVME = false })
		return p.answered(ctx, err)
	}
	return p.fullObject(ctx, key, part, withCRC)
}

// fullObject asks whether the store tells the checksum of a finished object, and not one made of its parts'.
func (p *prober) fullObject(ctx context.Context, key string, part types.CompletedPart, withCRC bool) error {
	if !withCRC {
		return nil
	}
	out, err := p.s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.s.loc.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}, fewer)
	if err != nil {
		p.set(func(c *Capabilities) { c.CRC64NVME = false })
		return p.answered(ctx, err)
	}
	p.set(func(c *Capabilities) {
		c.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME) == aws.ToString(part.ChecksumCRC64NVME)
	})
	return nil
}

func (p *prober) onePart(ctx context.Context, key, body string, withCRC bool) (types.CompletedPart, string, error) {
	create := &s3.CreateMultipartUploadInput{Bucket: &p.s.loc.bucket, Key: &key}
	upload := &s3.UploadPartInput{
		Bucket: &p.s.loc.bucket, Key: &key, PartNumber: aws.Int32(1), Body: strings.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
	}
	if withCRC {
		create.ChecksumAlgorithm, create.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
		upload.ChecksumCRC64NVME = aws.String(encodeCRC(crc64nvme.Checksum([]byte(body))))
	}
	made, err := p.s.client.CreateMultipartUpload(ctx, create, fewer)
	if err != nil {
		return types.CompletedPart{}, "", err
	}
	upload.UploadId = made.UploadId
	p.mu.Lock()
	p.uploads[aws.ToString(made.UploadId)] = key
	p.mu.Unlock()
	out, err := p.s.client.UploadPart(ctx, upload, fewer, p.s.unsigned)
	if err != nil {
		return types.CompletedPart{}, "", err
	}
	return types.CompletedPart{PartNumber: aws.Int32(1), ETag: out.ETag, ChecksumCRC64NVME: upload.ChecksumCRC64NVME}, aws.ToString(made.UploadId), nil
}

// completeIfAbsent completes an upload over an object that is there; it must be refused.
func (p *prober) completeIfAbsent(ctx context.Context) error {
	key := p.key(probeComplete)
	if _, err := p.put(ctx, key, "there already", nil); err != nil {
		return p.s.fail(ctx, "write to", p.s.loc.String(), err)
	}
	part, id, err := p.onePart(ctx, key, "a part", false)
	if err != nil {
		return p.s.fail(ctx, "upload in parts to", p.s.loc.String(), err)
	}
	_, err = p.s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &p.s.loc.bucket, Key: &key, UploadId: &id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}},
	}, once)
	if err == nil {
		return nil
	}
	k := sortFault(err).kind
	p.set(func(c *Capabilities) { c.CompleteIfAbsent = k == kindCondition })
	return p.answered(ctx, err)
}
