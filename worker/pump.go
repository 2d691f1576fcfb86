package worker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
)

// A pump moves the parts of one asset into the store, several at once. Each part has a buffer and goes its own way:
// it is read by a stream of its own and then sent. They begin in the order of the file, so the earliest part that is
// missing has its buffer always; and they are hashed in that order, for which a part's buffer stays until all before it
// have been read.
//
//	enter the gate ─▶ take a buffer ─▶ read ─┬─▶ send ────────────────┬─▶ give the buffer back
//	                                         └─▶ hash, in file order ─┘
//
// A source that is read in order is the exception: its one answer stays open from part to part, and with it one of the
// host's connections, for which others may wait with the memory in hand. So it goes on with the buffer it has.
type pump struct {
	*assetTransfer
	up   *storage.Upload
	gate *gate

	samples samples // of a source that proves nothing, else nil; hash fills them

	parts sync.WaitGroup
	ended atomic.Bool // the last part of a source that does not tell its length has been read
	stop  context.CancelCauseFunc

	mu      sync.Mutex
	readErr error
	putErr  error
}

// paceEvery is how often the number of streams is thought over.
const paceEvery = 50 * time.Millisecond

// pump moves every missing part. first, if not nil, is the first one, which has been begun.
func (t *assetTransfer) pump(ctx context.Context, up *storage.Upload, first *part) error {
	most, inOrder := t.cfg.Streams, t.total < 0 || !t.file.Seekable()
	if inOrder {
		most = 1
	}
	p := &pump{assetTransfer: t, up: up, gate: newGate(newPace(most, t.file.FirstByte()), inOrder, time.Now), samples: t.unproven()}
	t.gate.Store(p.gate)
	readCtx, stop := context.WithCancelCause(ctx)
	p.stop = stop
	defer stop(nil)
	if most > 1 {
		go p.keepPace(readCtx)
	}
	// Never full: the gate lets fewer parts in.
	order := make(chan *part, 2*most+sendsBeside)
	hashed := make(chan struct{})
	go func() { defer close(hashed); p.hash(order) }()
	if err := p.safely(p.asset, func() error { p.beginAll(ctx, readCtx, first, order); return nil }); err != nil {
		p.failPut(err)
	}
	close(order)
	p.parts.Wait()
	<-hashed
	p.giveSpare()
	err := p.err()
	if err == nil {
		err = p.compare(ctx, p.samples)
	}
	if err != nil {
		// The parts that did arrive are kept; this spares whoever goes on to read them back. If it fails, it says so itself.
		_ = up.SaveProgress(ctx)
	}
	return err
}

// beginAll sets all missing parts on their way, in order.
func (p *pump) beginAll(ctx, readCtx context.Context, first *part, order chan<- *part) {
	defer func() { p.drop(first) }()
	for next := range missingParts(p.up) {
		if first != nil && first.Number != next.Number { // another worker has stored it meanwhile
			p.keep(first)
			p.drop(first)
			first = nil
		}
		if err := p.gate.enter(readCtx); err != nil {
			p.failRead(err)
			return
		}
		if p.ended.Load() || p.err() != nil {
			return
		}
		begun := first
		first = nil
		if begun == nil {
			var err error
			if begun, err = p.take(readCtx, next); err != nil {
				p.failRead(err)
				return
			}
		}
		begun.read, begun.users = make(chan struct{}), 2
		order <- begun
		p.parts.Go(func() { p.carry(ctx, readCtx, begun) })
	}
}

// carry reads a part and sends it.
func (p *pump) carry(ctx, readCtx context.Context, it *part) {
	reading, done := untilStopped(ctx, readCtx)
	defer done()
	err := p.safely(p.asset, func() error { return p.fill(reading, it) })
	it.whole = err == nil && len(it.buf) > 0 // a source of unknown length may end exactly at a part's end
	if it.last || (err == nil && !it.whole) {
		p.ended.Store(true)
	}
	close(it.read)
	p.gate.read()
	if err != nil {
		p.failRead(err)
	}
	n := int64(len(it.buf))
	if it.whole {
		if err = p.safely(p.asset, func() error { return p.send(ctx, p.up, it) }); err != nil {
			p.failPut(err)
		}
	}
	p.release(it)
	if it.whole && err == nil {
		if err := p.safely(p.asset, func() error { p.arrived(n); return nil }); err != nil {
			p.failPut(err)
		}
	}
}

// untilStopped returns a context for one part's read. It outlives ctx a little, since most parts need only a moment more
// when the work is stopped; but it ends at once when the transfer itself has no use for the part any more.
func untilStopped(ctx, transfer context.Context) (context.Context, context.CancelFunc) {
	reading, cancel := withGrace(ctx, readGrace)
	stop := context.AfterFunc(transfer, func() {
		if ctx.Err() == nil {
			cancel()
		}
	})
	return reading, func() { stop(); cancel() }
}

// hash takes the parts into the checksum of the whole, one after the other.
func (p *pump) hash(order <-chan *part) {
	for it := range order {
		<-it.read
		if it.whole {
			p.samples.keep(it)
			if err := p.safely(p.asset, func() error { return p.up.Hash(it.Number, it.buf) }); err != nil {
				p.failPut(fmt.Errorf("hash %s: %w", p.name, err))
			}
		}
		p.release(it)
	}
}

// release gives the buffer back when it is both sent and hashed.
func (p *pump) release(it *part) {
	p.mu.Lock()
	it.users--
	free := it.users == 0
	p.mu.Unlock()
	if !free {
		return
	}
	if p.gate.inOrder {
		p.keep(it) // the next part begins when this one is done
	}
	p.drop(it)
	p.gate.done()
}

// failRead ends the transfer because of the source. No further part begins, but those under way are still worth having,
// unless they are of another file by now.
func (p *pump) failRead(err error) {
	p.mu.Lock()
	if p.readErr == nil {
		p.readErr = err
	}
	p.mu.Unlock()
	if errors.Is(err, fetch.ErrChanged) {
		p.stop(err)
	}
}

// failPut ends the transfer because of the store: nothing more is read.
func (p *pump) failPut(err error) {
	p.mu.Lock()
	if p.putErr == nil {
		p.putErr = err
	}
	p.mu.Unlock()
	p.stop(err)
}

func (p *pump) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.putErr != nil {
		return p.putErr // why reading ended, too
	}
	return p.readErr
}

func (p *pump) keepPace(ctx context.Context) {
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.gate.tick(p.moved.Load())
		case <-ctx.Done():
			return
		}
	}
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
