package fetch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// File is one remote file, pinned. Its methods are safe for concurrent use.
type File struct {
	client *Client
	links  *links
	log    *slog.Logger

	turn    *turn
	refused func()       // may be nil
	mended  atomic.Bool  // a range went on with another answer than it began with
	moved   atomic.Int64 // bytes that all ranges together have brought
	came    atomic.Int64 // the same, with those that were passed over

	// Fixed by Open.
	contentType string
	inOrder     bool // the host knows no ranges
	firstByte   time.Duration

	mu        sync.Mutex
	pin       Pin
	noIfRange bool  // this host answers If-Range with the whole file although nothing changed
	kept      *body // an answer under way that the next Range can go on with
	inUse     bool  // by the one reader of a file in order
	closed    bool
	silent    time.Time // the host asked for no request before
}

// Pin returns what the file is recognised by.
func (f *File) Pin() Pin {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pin
}

// Size returns the file's size in bytes. It is -1 while the host has not told and the file has not been read to
// its end.
func (f *File) Size() int64 { return f.Pin().Size }

// ContentType returns the host's word for what the file is.
func (f *File) ContentType() string { return f.contentType }

// Seekable says whether ranges work. If not, the file has to be read in order, one Range at a time.
func (f *File) Seekable() bool { return !f.inOrder }

// Proven says whether the host shows anything by which an answer of another version is told: an ETag or a date. Their size alone
// two versions may share.
func (f *File) Proven() bool { return f.Pin().versioned() }

// Mended says whether a range went on with another answer than it began with.
func (f *File) Mended() bool { return f.mended.Load() }

// FirstByte returns how long the host took from the request to the first byte of its answer when the file was opened. For a
// new connection its handshakes are in it; waiting for one of the host's places is not.
func (f *File) FirstByte() time.Duration { return f.firstByte }

// Source tells where the file comes from, without anything secret.
func (f *File) Source() (host, path, etag, lastModified string) {
	shown, pin := f.links.shown(), f.Pin()
	return shown.Host(), shown.Path(), pin.ETag, pin.LastModified
}

// Close gives up the answer that may still be under way. Readers that are open go on.
func (f *File) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.LetGo()
	return nil
}

// LetGo gives back the host's connection that the answer under way holds, if nobody reads it just now. The next Range asks
// anew.
func (f *File) LetGo() {
	f.mu.Lock()
	b := f.kept
	f.kept = nil
	f.mu.Unlock()
	if b != nil {
		b.Close()
	}
}

// take returns the answer under way if a reader at byte off can use it. One that nobody has come for yet stays,
// since ranges may be read in any order; but it goes when it stands in the way of the host's other requests.
func (f *File) take(off int64) *body {
	f.mu.Lock()
	b := f.kept
	fits := b != nil && (b.pos == off || (f.inOrder && b.pos < off))
	inTheWay := b != nil && !fits && (f.inOrder || f.client.streams.full(b.host))
	if fits || inTheWay {
		f.kept = nil
	}
	f.mu.Unlock()
	if inTheWay {
		b.Close()
	}
	if !fits {
		return nil
	}
	return b
}

// keep is the other half of take. Nobody's context ends the answer from here on.
func (f *File) keep(b *body) {
	b.release()
	f.mu.Lock()
	if !f.closed && f.kept == nil {
		f.kept, b = b, nil
	}
	f.mu.Unlock()
	if b != nil {
		b.Close()
	}
}

// learnSize notes where a file of unknown size was found to end.
func (f *File) learnSize(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pin.Size < 0 {
		f.pin.Size = size
	}
}

// quiet waits until the host takes requests again. One range was told to come back later; that holds for all.
func (f *File) quiet(ctx context.Context) error {
	f.mu.Lock()
	left := time.Until(f.silent)
	f.mu.Unlock()
	return sleep(ctx, left)
}

// hush is the other half of quiet.
func (f *File) hush(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until := time.Now().Add(d); until.After(f.silent) {
		f.silent = until
	}
}

// tooMany tells whoever decides on the number of streams that the host has turned one away.
func (f *File) tooMany() {
	if f.refused != nil {
		f.refused()
	}
}
