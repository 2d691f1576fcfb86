package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// sniffBytes is how much of an asset is looked at before any of it is stored.
const sniffBytes = 4 << 10

// partGrace is how long a part that is already on its way into the store may still take when the work is
// stopped: a drain ends at a part boundary if the store is not slower than this.
const partGrace = 5 * time.Second

// assetTransfer is one asset on its way from its source into the store, part by part and in order.
type assetTransfer struct {
	*run
	asset       heygen.Asset
	file        *fetch.File
	total       int64  // -1: the source does not tell
	name        string // below the video's folder; known once the first bytes were looked at
	contentType string

	// spare was taken before the source was asked: whoever holds one of a host's few connections never waits for
	// memory that others hold while they wait for a connection.
	spare  []byte
	body   io.ReadCloser // of a source without a length, which is read in one go
	stored int64
}

// filledPart is a part in memory. Whoever has it gives its buffer back.
type filledPart struct {
	storage.Part
	buf  []byte
	last bool
}

// stream moves the asset and returns the finished, checked object.
func (t *assetTransfer) stream(ctx context.Context) (storage.Object, error) {
	defer t.closeBody()
	var first *filledPart
	if t.name == "" {
		part, err := t.firstPart(ctx)
		if err != nil {
			return storage.Object{}, err
		}
		first = &part
	}
	up, err := t.begin(ctx, first)
	if err != nil {
		t.give(first)
		return storage.Object{}, err
	}
	inMemory := first != nil && first.last
	if inMemory {
		if err := t.verify(ctx, bytes.NewReader(first.buf), int64(len(first.buf))); err != nil {
			t.give(first)
			return storage.Object{}, err
		}
	}
	if err := t.pump(ctx, up, first); err != nil {
		return storage.Object{}, err
	}
	obj, err := up.Complete(ctx)
	if err != nil {
		return storage.Object{}, fmt.Errorf("store %s: %w", t.name, err)
	}
	if !inMemory {
		err = t.verifyStored(ctx, obj)
	}
	return obj, err
}

// firstPart reads the first part and looks at what it is, before anything reaches the store.
func (t *assetTransfer) firstPart(ctx context.Context) (filledPart, error) {
	n := t.deps.Store.PartSize(t.total)
	if t.total >= 0 {
		n = min(t.total, n)
	}
	part, err := t.fill(ctx, storage.Part{Number: 1, Size: n})
	if err != nil {
		return part, err
	}
	kind, err := sniff(t.asset, part.buf[:min(len(part.buf), sniffBytes)], t.file)
	if err != nil {
		t.give(&part)
		return part, err
	}
	_, linkPath, _, _ := t.file.Source()
	t.name, t.contentType = t.objectName(t.asset, kind, linkPath), kind.ContentType
	return part, nil
}

func (t *assetTransfer) begin(ctx context.Context, first *filledPart) (*storage.Upload, error) {
	pin, size := t.file.Pin(), t.total
	if size < 0 && first != nil && first.last {
		size = int64(len(first.buf))
	}
	up, err := t.deps.Store.Upload(ctx, t.v.key(), storage.UploadSpec{
		Asset: string(t.asset), Name: t.name, Size: size, ContentType: t.contentType,
		Source: storage.Validator{Size: pin.Size, ETag: pin.ETag, LastModified: pin.LastModified},
	})
	if err != nil {
		return nil, fmt.Errorf("begin the upload of %s: %w", t.name, err)
	}
	t.stored = up.Stored()
	return up, nil
}

// pump reads one part ahead while another one is being stored. A broken source does not cost the part that is
// on its way into the store.
func (t *assetTransfer) pump(ctx context.Context, up *storage.Upload, first *filledPart) error {
	readCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	parts, readErr := make(chan filledPart), make(chan error, 1)
	go func() {
		defer close(parts)
		readErr <- t.readParts(readCtx, up, first, parts)
	}()
	var putErr error
	for part := range parts {
		if putErr == nil {
			if putErr = t.put(ctx, up, part); putErr != nil {
				stop(putErr)
			}
		}
		t.give(&part)
	}
	return errors.Join(putErr, onlyIf(putErr == nil, <-readErr))
}

func onlyIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// readParts sends every missing part, in order.
func (t *assetTransfer) readParts(ctx context.Context, up *storage.Upload, first *filledPart, parts chan<- filledPart) error {
	defer func() { t.give(first) }() // another worker may have stored the first part meanwhile
	for part := range missingParts(up) {
		var filled filledPart
		if first != nil && part.Number == first.Number {
			filled, first = *first, nil
		} else {
			var err error
			if filled, err = t.fill(ctx, part); err != nil {
				return err
			}
		}
		if len(filled.buf) == 0 { // a source of unknown length that ended exactly at a part's end
			t.give(&filled)
			return nil
		}
		select {
		case parts <- filled:
		case <-ctx.Done():
			t.give(&filled)
			return context.Cause(ctx)
		}
		if filled.last {
			return nil
		}
	}
	return nil
}

// missingParts yields what has to be fetched, in order. While the total is not known there is always a next part.
func missingParts(up *storage.Upload) iter.Seq[storage.Part] {
	if _, _, _, missing := up.Next(); !missing {
		return func(func(storage.Part) bool) {} // a worker that died had completed it
	}
	if up.Parts() > 0 {
		return slices.Values(up.Missing())
	}
	return func(yield func(storage.Part) bool) {
		size := up.PartSize()
		for n := 1; yield(storage.Part{Number: n, Offset: int64(n-1) * size, Size: size}); n++ {
		}
	}
}

// fill reads one part into a buffer.
func (t *assetTransfer) fill(ctx context.Context, part storage.Part) (filledPart, error) {
	buf, err := t.buffer(ctx, part.Size)
	if err != nil {
		return filledPart{}, err
	}
	filled := filledPart{Part: part, buf: buf}
	if t.total < 0 {
		err = t.fillUnknown(ctx, &filled)
	} else {
		err = t.fillRange(ctx, &filled)
	}
	if err != nil {
		t.give(&filled)
		return filledPart{}, err
	}
	return filled, nil
}

// buffer returns the spare buffer if it is still there and large enough, else one from the budget.
func (t *assetTransfer) buffer(ctx context.Context, n int64) ([]byte, error) {
	spare := t.spare
	t.spare = nil
	if int64(cap(spare)) >= n && spare != nil {
		return spare[:n], nil
	}
	if spare != nil {
		t.deps.Buffers.Give(spare)
	}
	return t.deps.Buffers.Take(ctx, n)
}

func (t *assetTransfer) fillRange(ctx context.Context, part *filledPart) error {
	body, err := t.file.Range(ctx, part.Offset, part.Size)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.ReadFull(t.counted(body), part.buf); err != nil {
		return err
	}
	part.last = part.Offset+part.Size == t.total
	return nil
}

// fillUnknown reads on in the one body of a source that does not tell its length.
func (t *assetTransfer) fillUnknown(ctx context.Context, part *filledPart) error {
	if t.body == nil {
		body, err := t.file.Range(ctx, part.Offset, -1)
		if err != nil {
			return err
		}
		t.body = body
	}
	n, err := io.ReadFull(t.counted(t.body), part.buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		part.buf, part.last, err = part.buf[:n], true, nil
	}
	return err
}

func (t *assetTransfer) put(ctx context.Context, up *storage.Upload, part filledPart) error {
	ctx, cancel := withGrace(ctx, partGrace)
	defer cancel()
	if err := up.Put(ctx, part.Number, part.buf); err != nil {
		return fmt.Errorf("store part %d of %s: %w", part.Number, t.name, err)
	}
	t.stored += int64(len(part.buf))
	t.progress(string(t.asset), t.stored, t.total)
	return nil
}

// withGrace returns a context that outlives ctx by grace.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { stop(); cancel(nil) }
}

func (t *assetTransfer) give(part *filledPart) {
	if part != nil && part.buf != nil {
		t.deps.Buffers.Give(part.buf)
		part.buf = nil
	}
}

func (t *assetTransfer) closeBody() {
	if t.body != nil {
		t.body.Close()
	}
}

func (t *assetTransfer) counted(r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if n > 0 {
			t.deps.Observer.Moved(t.v, string(t.asset), int64(n))
		}
		return n, err
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
