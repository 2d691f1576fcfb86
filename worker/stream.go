package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
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

// readGrace is how long a part that is being read may still take then. Together they stay below the eight seconds after which
// a worker that drains gives its videos back without asking.
const readGrace = 2500 * time.Millisecond

// assetTransfer is one asset on its way from its source into the store, part by part.
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
	memory *Share
	body   io.ReadCloser        // of a source without a length, which is read in one go
	moved  atomic.Int64         // bytes that have come from the source
	gate   atomic.Pointer[gate] // once there are streams to speak of

	telling sync.Mutex // held while progress is told
	stored  int64      // guarded by telling
}

// part is one part on its way. Whoever has it gives its buffer back.
type part struct {
	storage.Part
	buf  []byte
	have int           // bytes of buf that are read already
	body io.ReadCloser // the rest of it, if it has been begun
	end  func()        // ends the context that body was begun under; nil unless that was another one than fill's
	last bool          // of a source that does not tell its length

	read  chan struct{} // closed when reading is over
	whole bool          // it was read to its end; valid after read
	users int           // who still needs buf: the sender and the hash
}

func newAssetTransfer(r *run, asset heygen.Asset) *assetTransfer {
	return &assetTransfer{run: r, asset: asset, memory: r.deps.Buffers.Share()}
}

// refused: the source has turned a request away.
func (t *assetTransfer) refused() {
	if g := t.gate.Load(); g != nil {
		g.refused()
	}
}

// stream moves the asset and returns the finished, checked object.
func (t *assetTransfer) stream(ctx context.Context) (storage.Object, error) {
	defer t.closeBody()
	var first *part
	defer func() { t.drop(first) }() // whoever was given it has dropped it already, unless something panicked
	var err error
	if t.name == "" {
		if first, err = t.firstPart(ctx); err != nil {
			return storage.Object{}, err
		}
	}
	up, err := t.begin(ctx, first)
	if err != nil {
		return storage.Object{}, err
	}
	inMemory := first != nil && first.last
	if inMemory {
		err = t.only(ctx, up, first)
	} else {
		err = t.pump(ctx, up, first)
	}
	if err != nil {
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

// firstPart begins the first part and looks at what it is, before anything reaches the store. If it is the only one it
// is read to its end, and also if only that end tells whether it is.
func (t *assetTransfer) firstPart(ctx context.Context) (first *part, err error) {
	n, err := t.deps.Store.PartSize(t.total)
	if err != nil {
		return nil, err
	}
	only := t.total >= 0 && t.total <= n
	if only {
		n = t.total
	}
	it, err := t.take(ctx, storage.Part{Number: 1, Size: n})
	if err != nil {
		return nil, err
	}
	defer func() {
		if first == nil {
			t.drop(it)
		}
	}()
	if only || t.total < 0 {
		err = t.fill(ctx, it)
	} else {
		err = t.fillHead(ctx, it)
	}
	if err != nil {
		return nil, err
	}
	it.last = it.last || only
	kind, err := sniff(t.asset, it.buf[:min(it.have, sniffBytes)], t.file)
	if err != nil {
		return nil, err
	}
	_, linkPath, _, _ := t.file.Source()
	t.name, t.contentType = t.objectName(t.asset, kind, linkPath), kind.ContentType
	return it, nil
}

func (t *assetTransfer) begin(ctx context.Context, first *part) (*storage.Upload, error) {
	pin, size := t.file.Pin(), t.total
	if size < 0 && first != nil && first.last {
		size = int64(len(first.buf))
	}
	up, err := t.deps.Store.Upload(ctx, t.v.key(), storage.UploadSpec{
		Asset: string(t.asset), Name: t.name, Size: size, ContentType: t.contentType,
		Source:  storage.Validator{Size: pin.Size, ETag: pin.ETag, LastModified: pin.LastModified},
		MaxPart: t.deps.Buffers.Most(),
	})
	if err != nil {
		return nil, fmt.Errorf("begin the upload of %s: %w", t.name, err)
	}
	t.stored = up.Stored()
	if first == nil { // what an earlier worker left goes on; how much that is, the store has just told
		t.deps.Observer.AssetStarted(t.v, string(t.asset), t.total, t.stored)
	}
	return up, nil
}

// only stores an asset of one part, which is checked before it is.
func (t *assetTransfer) only(ctx context.Context, up *storage.Upload, it *part) error {
	defer t.drop(it)
	if err := t.verify(ctx, bytes.NewReader(it.buf), int64(len(it.buf))); err != nil {
		return err
	}
	one := t.unproven()
	one.keep(it)
	if err := t.compare(ctx, one); err != nil {
		return err
	}
	if err := t.send(ctx, up, it); err != nil {
		return err
	}
	t.arrived(int64(len(it.buf)))
	return nil
}

// take returns a part with a buffer: the spare one if it is still there and large enough, else one from the budget. Whoever
// has to wait for that holds no connection meanwhile.
func (t *assetTransfer) take(ctx context.Context, p storage.Part) (*part, error) {
	if spare := t.spare; spare != nil && int64(cap(spare)) >= p.Size {
		t.spare = nil
		return &part{Part: p, buf: spare[:p.Size]}, nil
	}
	t.giveSpare()
	t.file.LetGo()
	buf, err := t.memory.Take(ctx, p.Size)
	if err != nil {
		return nil, err
	}
	return &part{Part: p, buf: buf}, nil
}

func (t *assetTransfer) giveSpare() {
	if t.spare != nil {
		t.memory.Give(t.spare)
		t.spare = nil
	}
}

// keep makes a part's buffer the spare one.
func (t *assetTransfer) keep(it *part) {
	t.giveSpare()
	t.spare, it.buf = it.buf, nil
}

// drop gives back what a part holds.
func (t *assetTransfer) drop(it *part) {
	if it == nil {
		return
	}
	if it.body != nil {
		it.body.Close()
		it.body = nil
	}
	if it.buf != nil {
		t.memory.Give(it.buf)
		it.buf = nil
	}
}

// fill reads a part to its end.
func (t *assetTransfer) fill(ctx context.Context, it *part) error {
	if t.total < 0 {
		return t.fillUnknown(ctx, it)
	}
	if it.end != nil {
		defer context.AfterFunc(ctx, it.end)()
	}
	if err := t.openRange(ctx, it); err != nil {
		return err
	}
	defer it.body.Close()
	n, err := io.ReadFull(t.counted(it.body), it.buf[it.have:])
	it.have += n
	return err
}

// fillHead reads just enough of a part to see what it is.
func (t *assetTransfer) fillHead(ctx context.Context, it *part) error {
	reading, end := withGrace(ctx, readGrace) // as for the parts that follow; the body lives on when this returns
	if err := t.openRange(reading, it); err != nil {
		end()
		return err
	}
	it.body, it.end = endingBody{it.body, end}, end
	n, err := io.ReadFull(t.counted(it.body), it.buf[:min(len(it.buf), sniffBytes)])
	it.have = n
	return err
}

func (t *assetTransfer) openRange(ctx context.Context, it *part) (err error) {
	if it.body == nil {
		it.body, err = t.file.Range(ctx, it.Offset, it.Size)
	}
	return err
}

// endingBody ends its context when it is closed.
type endingBody struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// fillUnknown reads on in the one body of a source that does not tell its length.
func (t *assetTransfer) fillUnknown(ctx context.Context, it *part) error {
	if it.have > 0 {
		return nil // it was read before the upload could begin
	}
	if t.body == nil {
		body, err := t.file.Range(ctx, it.Offset, -1)
		if err != nil {
			return err
		}
		t.body = body
	}
	n, err := io.ReadFull(t.counted(t.body), it.buf)
	it.have = n
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		it.buf, it.last, err = it.buf[:n], true, nil
	}
	return err
}

// send brings a part to the store. It may still end when ctx has.
func (t *assetTransfer) send(ctx context.Context, up *storage.Upload, it *part) error {
	ctx, cancel := withGrace(ctx, partGrace)
	defer cancel()
	if err := up.Send(ctx, it.Number, it.buf); err != nil {
		return fmt.Errorf("store part %d of %s: %w", it.Number, t.name, err)
	}
	return nil
}

// arrived tells of n more stored bytes, one part at a time.
func (t *assetTransfer) arrived(n int64) {
	host, _, _, _ := t.file.Source()
	t.sources.served(host, fileOf(t.v, t.asset), time.Now())
	t.telling.Lock()
	defer t.telling.Unlock()
	t.stored += n
	t.progress(string(t.asset), t.stored, t.total)
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

func (t *assetTransfer) closeBody() {
	if t.body != nil {
		t.body.Close()
	}
}

func (t *assetTransfer) counted(r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if n > 0 {
			t.moved.Add(int64(n))
			t.deps.Observer.Moved(t.v, string(t.asset), int64(n))
		}
		return n, err
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
