package storage

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

const (
	// probeOld is when what a probe has left is nobody's any more: a probe takes seconds.
	probeOld = time.Hour
	// probesAtOnce bounds how much of that one start clears away, so that it stays a start.
	probesAtOnce = 20
)

// clean removes every trace, also when the caller has given up. A store that does not let us delete is refused: the
// records of uploads must go away. The uploads go first and the oldest key last: as long as there is anything, that key
// tells of it, should we be killed right now.
func (p *prober) clean(ctx context.Context, after error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeCleanup)
	defer cancel()
	var unreachable *UnreachableError
	if errors.As(after, &unreachable) {
		return nil // each delete would wait out its tries
	}
	var others errgroup.Group
	if after == nil {
		others.Go(func() error { p.s.clearProbes(ctx); return nil }) // those that are left are old: ours is not among them
	}
	keys := p.keys
	if err := p.endUploads(ctx); err != nil {
		p.s.log.Debug("the uploads of a probe are not ended yet", "key", p.dir, "err", err)
		keys = keys[min(1, len(keys)):] // a later start finds them by what stays
	}
	err := p.s.removeProbe(ctx, keys)
	_ = others.Wait() // nothing above returns an error
	if after != nil {
		return nil // the first trouble is the one to tell
	}
	return err
}

// endUploads aborts the uploads that it knows of, and those of which it does not: the answer that named one may have
// been lost.
func (p *prober) endUploads(ctx context.Context) error {
	var g errgroup.Group
	for id, key := range p.uploads {
		g.Go(func() error { return p.s.abortProbe(ctx, key, id) })
	}
	g.Go(func() error { return p.s.abortProbes(ctx, p.dir) })
	return g.Wait()
}

// abortProbes ends the uploads that the store tells of below a probe's folder. Its error says that the store is away; one that
// tells of none, or lets none be ended, is taken as it is.
func (s *Store) abortProbes(ctx context.Context, dir string) error {
	var g errgroup.Group
	for _, key := range []string{dir + probeMultipart, dir + probeComplete} {
		g.Go(func() error {
			ids, err := s.listUploads(ctx, key)
			err = onlyAway(err)
			for id := range ids {
				err = errors.Join(err, s.abortProbe(ctx, key, id))
			}
			return err
		})
	}
	return g.Wait()
}

// onlyAway lets no error through but that of a store that is out of reach.
func onlyAway(err error) error {
	var away *UnreachableError
	if errors.As(err, &away) {
		return err
	}
	return nil
}

// removeProbe removes the keys, the first one last.
func (s *Store) removeProbe(ctx context.Context, keys []string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, key := range keys[min(1, len(keys)):] {
		g.Go(func() error { return s.remove(gctx, key) })
	}
	if err := g.Wait(); err != nil || len(keys) == 0 {
		return err
	}
	return s.remove(ctx, keys[0])
}

func (s *Store) abortProbe(ctx context.Context, key, id string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.loc.bucket, Key: &key, UploadId: &id}, fewer)
	if err == nil {
		return nil
	}
	err = s.fail(ctx, "abort the upload of", key, err)
	s.log.Debug("upload of a probe not ended", "key", key, "err", err)
	return onlyAway(err)
}

// clearProbes removes what is left of probes whose process was killed. It may fail: then the next start tries again.
func (s *Store) clearProbes(ctx context.Context) {
	for dir, keys := range s.oldProbes(ctx) {
		if err := s.abortProbes(ctx, dir); err != nil {
			s.log.Debug("what a killed probe left is not removed yet", "key", dir, "err", err)
			return
		}
		// "basics" is the key that a probe writes first.
		slices.SortFunc(keys, func(a, b string) int { return strings.Compare(strings.TrimPrefix(a, dir), strings.TrimPrefix(b, dir)) })
		if err := s.removeProbe(ctx, keys); err != nil {
			s.log.Debug("what a killed probe left is not removed yet", "key", dir, "err", err)
			return
		}
	}
}

// oldProbes returns some folders of probes in which nothing was written for long, with their keys.
func (s *Store) oldProbes(ctx context.Context) map[string][]string {
	found, young := map[string][]string{}, map[string]bool{}
	prefix := s.loc.prefix + probeDir
	page, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.loc.bucket, Prefix: &prefix}, fewer)
	if err != nil {
		return nil
	}
	for _, o := range page.Contents {
		key := aws.ToString(o.Key)
		name, _, ok := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		dir := prefix + name + "/"
		switch {
		case !ok, found[dir] == nil && len(found) == probesAtOnce:
		case o.LastModified == nil || s.now().Sub(*o.LastModified) < probeOld:
			young[dir] = true
		default:
			found[dir] = append(found[dir], key)
		}
	}
	for dir := range young {
		delete(found, dir)
	}
	return found
}
