package storage

import (
	"context"
	"fmt"
	"mime"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// MaxTTL is the longest life a presigned link can have; every store refuses more.
	MaxTTL     = 168 * time.Hour
	defaultTTL = time.Hour
)

// PresignOptions shape a presigned link.
type PresignOptions struct {
	TTL         time.Duration // default 1 h, at most 168 h
	Download    string        // file name: the browser saves instead of playing
	ContentType string        // sent in place of the stored one
	Disposition string        // the whole Content-Disposition, for what Download can't say; it wins
	Head        bool          // the link is for HEAD requests: a signature holds for one method only
}

// PresignGet makes a link that anybody can read one object with until it expires. Nothing is contacted, and it is not
// checked that the object is there. expires is earlier than asked for where the credentials end sooner.
func (s *Store) PresignGet(ctx context.Context, k VideoKey, name string, o PresignOptions) (link string, expires time.Time, err error) {
	key, err := s.assetKey(k, name)
	if err != nil {
		return "", time.Time{}, err
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.TTL < time.Second || o.TTL > MaxTTL {
		return "", time.Time{}, fmt.Errorf("make a link to %s: a life of %s; want 1s to 168h, S3 allows no more (a permalink never expires)", key, o.TTL)
	}
	in := &s3.GetObjectInput{Bucket: &s.loc.bucket, Key: &key}
	if o.Download != "" {
		// FormatMediaType encodes what is not ASCII and refuses to be tricked by quotes and line ends.
		d := mime.FormatMediaType("attachment", map[string]string{"filename": o.Download})
		if d == "" {
			return "", time.Time{}, fmt.Errorf("make a link to %s: %q can't be a file name", key, cut(o.Download, 80))
		}
		in.ResponseContentDisposition = &d
	}
	if o.Disposition != "" {
		in.ResponseContentDisposition = &o.Disposition
	}
	if o.ContentType != "" {
		in.ResponseContentType = &o.ContentType
	}
	creds, err := s.creds.Retrieve(ctx)
	if err != nil {
		return "", time.Time{}, &RefusedError{
			Op: "make a link to", Key: key, Code: "NoCredentials", Reason: plain(err.Error()),
			hint: s.hintFor(fault{code: "NoCredentials"}),
		}
	}
	expires = s.now().UTC().Truncate(time.Second).Add(o.TTL)
	if creds.CanExpire && creds.Expires.Before(expires) {
		expires = creds.Expires.UTC()
	}
	link, err = s.presign(ctx, in, o)
	if err != nil {
		return "", time.Time{}, s.fail(ctx, "make a link to", key, err)
	}
	return link, expires, nil
}

func (s *Store) presign(ctx context.Context, in *s3.GetObjectInput, o PresignOptions) (string, error) {
	if o.Head {
		req, err := s.signer.PresignHeadObject(ctx, &s3.HeadObjectInput{
			Bucket: in.Bucket, Key: in.Key, ResponseContentDisposition: in.ResponseContentDisposition, ResponseContentType: in.ResponseContentType,
		}, s3.WithPresignExpires(o.TTL))
		if err != nil {
			return "", err
		}
		return req.URL, nil
	}
	req, err := s.signer.PresignGetObject(ctx, in, s3.WithPresignExpires(o.TTL))
	if err != nil {
		return "", err
	}
	return req.URL, nil
}
