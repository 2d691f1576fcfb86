package storage

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
)

// Names of the metadata we put on objects.
const (
	metaSHA256 = "reelkeep-sha256" // single puts: known before they start
	metaUpload = "reelkeep-upload" // multipart: the random name of the upload that made the object
)

// An Object is what the store holds under one key.
type Object struct {
	Key         string // relative to the video's folder
	ETag        string
	Size        int64
	SHA256      string // hex; "" where the store alone cannot tell
	CRC64NVME   string // base64; "" where unknown
	ContentType string
}

// found is a HEAD's answer in our words.
type found struct {
	Object
	upload   string
	meta     map[string]string // all of it, names in lower case
	checksum bool              // the store vouches for CRC64NVME
}

func (s *Store) head(ctx context.Context, key string) (found, error) {
	in := &s3.HeadObjectInput{Bucket: &s.loc.bucket, Key: &key}
	if s.mode() == ChecksumCRC64NVME {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := s.client.HeadObject(ctx, in)
	if err != nil {
		return found{}, s.fail(ctx, "look at", key, err)
	}
	if out.ContentLength == nil {
		return found{}, &UnreachableError{Op: "look at", Key: key, Reason: "it does not tell how long the object is"}
	}
	metadata := lowerNames(out.Metadata)
	f := found{
		Object: Object{
			Key: key, ETag: aws.ToString(out.ETag), Size: *out.ContentLength, ContentType: aws.ToString(out.ContentType),
			SHA256: metadata[metaSHA256],
		},
		upload: metadata[metaUpload],
		meta:   metadata,
	}
	if c := aws.ToString(out.ChecksumCRC64NVME); c != "" && out.ChecksumType != types.ChecksumTypeComposite && !strings.Contains(c, "-") {
		f.CRC64NVME, f.checksum = c, true
	}
	return f, nil
}

// lowerNames undoes whatever case the store gives metadata names back in.
func lowerNames(m map[string]string) map[string]string {
	lower := make(map[string]string, len(m))
	for k, v := range m {
		lower[strings.ToLower(k)] = v
	}
	return lower
}

// read returns a small object whole. A larger one is not what it claims to be.
func (s *Store) read(ctx context.Context, key string, limit int64) ([]byte, string, error) {
	// fail gets the caller's context: a silent body that we cut ourselves is not the caller's wish.
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	out, err := s.client.GetObject(reading, &s3.GetObjectInput{Bucket: &s.loc.bucket, Key: &key})
	if err != nil {
		return nil, "", s.fail(ctx, "read", key, err)
	}
	defer out.Body.Close()
	body := newWatchdog(cancel, out.Body)
	defer body.stop()
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, "", s.fail(ctx, "read", key, err)
	}
	if int64(len(b)) > limit {
		return nil, "", &DamagedError{Key: key, What: fmt.Sprintf("is larger than %d bytes", limit)}
	}
	return b, aws.ToString(out.ETag), nil
}

// putOptions are what differs between the objects we write.
type putOptions struct {
	contentType string
	meta        map[string]string
	ifAbsent    bool
	ifMatch     string
	attempts    int // 0: the usual number
}

// put writes one object in one request, protected by the checksum the store was found to check.
func (s *Store) put(ctx context.Context, key string, data []byte, o putOptions) (string, error) {
	body := lend(data)
	defer body.end()
	in := &s3.PutObjectInput{
		Bucket: &s.loc.bucket, Key: &key, Body: body, ContentLength: aws.Int64(int64(len(data))), Metadata: o.meta,
	}
	if o.contentType != "" {
		in.ContentType = &o.contentType
	}
	if o.ifAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if o.ifMatch != "" {
		in.IfMatch = &o.ifMatch
	}
	in.ChecksumCRC64NVME, in.ContentMD5 = s.protect(data, func() uint64 { return crc64nvme.Checksum(data) })
	out, err := s.client.PutObject(ctx, in, s.unsigned, func(so *s3.Options) { so.RetryMaxAttempts = o.attempts })
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// protect returns the checksum headers of a body; at most one is set.
func (s *Store) protect(data []byte, sum func() uint64) (crc, md5 *string) {
	switch s.mode() {
	case ChecksumCRC64NVME:
		return aws.String(encodeCRC(sum())), nil
	case ChecksumMD5:
		return nil, aws.String(contentMD5(data))
	}
	return nil, nil
}

// unsigned saves hashing every body a second time, for its signature: a third of what an upload costs us, and as much
// again for the store. Over TLS the signature adds nothing. Over plain HTTP it is all that protects the body from a hand
// on the line, for a CRC can be forged; so there it is left out only towards this very machine, where there is no line,
// and only where the store checks a checksum of the body, which finds what goes wrong by itself.
func (s *Store) unsigned(o *s3.Options) {
	checked := s.mode() == ChecksumCRC64NVME || s.mode() == ChecksumMD5
	if !s.plainHTTP || s.loopback && checked {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

func (s *Store) remove(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.loc.bucket, Key: &key})
	if err != nil && sortFault(err).kind != kindNotFound {
		return s.fail(ctx, "delete", key, err)
	}
	return nil
}
