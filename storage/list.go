package storage

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// readAhead is how many manifests are read at once. A walk over 100,000 videos is made of small requests that wait for
// the network and not for us.
const readAhead = 16

// Manifests walks over all archived videos, in the order of the store's listing. A manifest that can't be read yields
// an error naming its key, and the walk goes on; an error of the listing itself ends it.
func (s *Store) Manifests(ctx context.Context) iter.Seq2[*Manifest, error] {
	return func(yield func(*Manifest, error) bool) {
		s.walk(ctx, "", yield)
	}
}

// walk reads the folders of one account; "" is the top, where accounts lie too.
func (s *Store) walk(ctx context.Context, account string, yield func(*Manifest, error) bool) bool {
	prefix := s.loc.prefix
	if account != "" {
		prefix += "@" + account + "/"
	}
	for folders, err := range s.folders(ctx, prefix) {
		if err != nil {
			yield(nil, err)
			return false
		}
		var keys []VideoKey
		for _, f := range folders {
			if a, ok := strings.CutPrefix(f, "@"); ok && account == "" && validName(a, 64) {
				// What came before it is told first, so that the order stays the listing's.
				if !s.readAll(ctx, keys, yield) || !s.walk(ctx, a, yield) {
					return false
				}
				keys = nil
				continue
			}
			if k := (VideoKey{Account: account, VideoID: f}); k.Validate() == nil {
				keys = append(keys, k)
			}
		}
		if !s.readAll(ctx, keys, yield) {
			return false
		}
	}
	return true
}

// folders lists what lies directly under a prefix, a page at a time.
func (s *Store) folders(ctx context.Context, prefix string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
			Bucket: &s.loc.bucket, Prefix: &prefix, Delimiter: aws.String("/"),
		}, func(o *s3.ListObjectsV2PaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, s.fail(ctx, "list", s.loc.String(), err))
				return
			}
			names := make([]string, 0, len(page.CommonPrefixes))
			for _, p := range page.CommonPrefixes {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), prefix), "/"))
			}
			if !yield(names, nil) {
				return
			}
		}
	}
}

// listed is an object as a list shows it.
type listed struct {
	key  string
	size int64
	etag string
}

// objects lists every object under a prefix.
func (s *Store) objects(ctx context.Context, prefix string) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.loc.bucket, Prefix: &prefix},
			func(o *s3.ListObjectsV2PaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(listed{}, s.fail(ctx, "list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				if !yield(listed{aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToString(o.ETag)}, nil) {
					return
				}
			}
		}
	}
}

// readAll reads the manifests of these videos, some at once, and hands them on in order. Folders without one belong to
// videos that are not archived.
func (s *Store) readAll(ctx context.Context, keys []VideoKey, yield func(*Manifest, error) bool) bool {
	for len(keys) > 0 {
		batch := keys[:min(readAhead, len(keys))]
		keys = keys[len(batch):]
		found, errs := make([]*Manifest, len(batch)), make([]error, len(batch))
		var g errgroup.Group
		for i, k := range batch {
			g.Go(func() error {
				found[i], errs[i] = s.Manifest(ctx, k)
				return nil
			})
		}
		_ = g.Wait()
		for i := range batch {
			if errors.Is(errs[i], ErrNotFound) {
				continue
			}
			if !yield(found[i], errs[i]) {
				return false
			}
		}
	}
	return true
}
