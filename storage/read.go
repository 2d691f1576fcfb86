package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// readTries is how often a read goes on without one new byte in between.
const readTries = 5

// Stat says what lies under a name of the video, or ErrNotFound. CRC64NVME is there only after Check found that the
// store can tell it: others refuse the question.
func (s *Store) Stat(ctx context.Context, k VideoKey, name string) (Object, error) {
	key, err := s.assetKey(k, name)
	if err != nil {
		return Object{}, err
	}
	f, err := s.head(ctx, key)
	if err != nil {
		return Object{}, err
	}
	f.Key = name
	return f.Object, nil
}

// Open reads n bytes from off on; n < 0 means to the end. A connection that breaks is taken up at the byte where it
// broke, as long as the object is still the same one.
func (s *Store) Open(ctx context.Context, k VideoKey, name string, off, n int64) (io.ReadCloser, error) {
	key, err := s.assetKey(k, name)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("open %s: offset %d is before the start", key, off)
	}
	if n == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return s.openKey(ctx, key, byteRange{off: off, left: n})
}

// ReaderAt reads the object in ranges, one request for each ReadAt. ctx bounds all of them, because io.ReaderAt has no
// place for one.
func (s *Store) ReaderAt(ctx context.Context, k VideoKey, name string, size int64) io.ReaderAt {
	return readerAtFunc(func(p []byte, off int64) (int, error) {
		if off < 0 {
			return 0, fmt.Errorf("read %s of %s: offset %d is before the start", name, k, off)
		}
		if off >= size {
			return 0, io.EOF
		}
		want := min(int64(len(p)), size-off)
		r, err := s.Open(ctx, k, name, off, want)
		if err != nil {
			return 0, err
		}
		defer r.Close()
		n, err := io.ReadFull(r, p[:want])
		if err == nil && want < int64(len(p)) {
			err = io.EOF
		}
		return n, err
	})
}

type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// byteRange is what is still to be read of an object; left < 0 means all.
type byteRange struct {
	off, left int64
	etag      string // set once known: what follows must be of the same object
}

func (r byteRange) header() *string {
	switch {
	case r.left >= 0:
		return aws.String("bytes=" + strconv.FormatInt(r.off, 10) + "-" + strconv.FormatInt(r.off+r.left-1, 10))
	case r.off > 0:
		return aws.String("bytes=" + strconv.FormatInt(r.off, 10) + "-")
	}
	return nil
}

// objectReader is a body that takes up a broken connection by itself.
type objectReader struct {
	open    func(byteRange) (io.ReadCloser, byteRange, error)
	fail    func(error) error
	want    byteRange
	body    io.ReadCloser
	tries   int
	closeFn context.CancelFunc
}

func (s *Store) openKey(ctx context.Context, key string, want byteRange) (*objectReader, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &objectReader{
		want: want, closeFn: cancel,
		open: func(b byteRange) (io.ReadCloser, byteRange, error) { return s.openOnce(ctx, key, b) },
		fail: func(err error) error { return s.fail(ctx, "read", key, err) },
	}
	var err error
	if r.body, r.want, err = r.open(want); err != nil {
		cancel()
		return nil, err
	}
	return r, nil
}

// openWhole reads from off to the end of an object of which the store has told the size. An answer of another length says
// nothing about the object: something on the way is odd.
func (s *Store) openWhole(ctx context.Context, key, etag string, off, size int64) (*objectReader, error) {
	r, err := s.openKey(ctx, key, byteRange{off: off, left: -1, etag: etag})
	if err != nil {
		return nil, err
	}
	if got := r.want.left; got != size-off {
		return nil, errors.Join(wrongLength(key, off, got, size-off), r.Close())
	}
	return r, nil
}

func wrongLength(key string, off, got, want int64) error {
	return &UnreachableError{Op: "read", Key: key, Reason: fmt.Sprintf("it gives %d bytes from offset %d on, want %d", got, off, want)}
}

// openOnce starts one GET. The range it returns knows the end and the ETag.
func (s *Store) openOnce(ctx context.Context, key string, b byteRange) (io.ReadCloser, byteRange, error) {
	ctx, cancel := context.WithCancel(ctx)
	in := &s3.GetObjectInput{Bucket: &s.loc.bucket, Key: &key, Range: b.header()}
	if b.etag != "" {
		in.IfMatch = &b.etag
	}
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		defer cancel()
		return nil, b, s.fail(ctx, "read", key, err)
	}
	got, err := lengthOf(key, b, out)
	if err != nil {
		cancel()
		out.Body.Close()
		return nil, b, err
	}
	b.left, b.etag = got, aws.ToString(out.ETag)
	w := newWatchdog(cancel, out.Body)
	return &watchedBody{watchdog: w, closer: out.Body, cancel: cancel}, b, nil
}

// lengthOf checks that an answer is all of the range that was asked for. Only the store's own word that the object ends before
// makes it damage; all else may be due to whatever stands between.
func lengthOf(key string, b byteRange, out *s3.GetObjectOutput) (int64, error) {
	if out.ContentLength == nil {
		return 0, &UnreachableError{Op: "read", Key: key, Reason: "it does not tell how long its answer is"}
	}
	got := *out.ContentLength
	if b.left < 0 || got == b.left {
		return got, nil
	}
	_, total, _ := strings.Cut(aws.ToString(out.ContentRange), "/")
	if size, err := strconv.ParseInt(total, 10, 64); err == nil && size < b.off+b.left {
		return 0, &DamagedError{Key: key, What: fmt.Sprintf("has %d bytes, want at least %d", size, b.off+b.left)}
	}
	return 0, wrongLength(key, b.off, got, b.left)
}

type watchedBody struct {
	*watchdog
	closer io.Closer
	cancel context.CancelFunc
}

func (w *watchedBody) Close() error {
	w.stop()
	w.cancel()
	return w.closer.Close()
}

func (r *objectReader) Read(p []byte) (int, error) {
	for {
		if r.want.left == 0 {
			return 0, io.EOF
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.want.left)])
		if n > 0 {
			r.want.off, r.want.left, r.tries = r.want.off+int64(n), r.want.left-int64(n), 0
			return n, nil
		}
		if err == nil {
			return 0, nil
		}
		if err := r.reopen(err); err != nil {
			return 0, err
		}
	}
}

// reopen goes on behind a break, or says why it can't.
func (r *objectReader) reopen(broken error) error {
	if r.tries++; r.tries > readTries {
		if errors.Is(broken, io.EOF) {
			broken = io.ErrUnexpectedEOF
		}
		return r.fail(broken)
	}
	r.body.Close()
	body, want, err := r.open(r.want)
	if err != nil {
		r.body = io.NopCloser(strings.NewReader(""))
		return err
	}
	r.body, r.want = body, want
	return nil
}

func (r *objectReader) Close() error {
	defer r.closeFn()
	return r.body.Close()
}
