package fetch_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

func (b *bench) wantChanged(err error) {
	b.t.Helper()
	var hint interface{ Hint() string }
	if !errors.Is(err, fetch.ErrChanged) || !errors.As(err, &hint) || hint.Hint() == "" {
		b.t.Errorf("got %v, want ErrChanged with a hint", err)
	}
}

func TestOtherBytesUnderTheSameLinkAreNeverSpliced(t *testing.T) {
	t.Parallel()
	later := time.Unix(1_800_000_000, 0)
	for name, tc := range map[string]struct {
		etag     string // of the file as it was
		size     int
		newTag   string
		modified time.Time
	}{
		"other ETag":           {`"v1"`, size, `"v2"`, time.Unix(1_700_000_000, 0)},
		"other size":           {`"v1"`, size + 1, `"v2"`, later},
		"smaller":              {`"v1"`, 5, `"v2"`, later},
		"weak, other time":     {`W/"v1"`, size, `W/"v1"`, later},
		"no ETag, other time":  {"", size, "", later},
		"no ETag, other size":  {"", size - 1, "", time.Unix(1_700_000_000, 0)},
		"no ETag, far smaller": {"", 5, "", time.Unix(1_700_000_000, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, size)
			b.etag = tc.etag
			f := b.open(fetch.Options{Length: 1})
			b.wantBytes(f, 10, 10)
			b.replace(tc.size, tc.newTag, tc.modified)
			got, err := b.read(f, 1000, 1000)
			b.wantChanged(err)
			if len(got) > 0 {
				t.Errorf("got %d of the other bytes", len(got))
			}
			pin := f.Pin()
			b.wantChanged(b.openError(fetch.Options{Pin: &pin, Offset: 2000, Length: 100}))
		})
	}
}

func TestAChangeInTheMiddleOfARangeEndsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.play(b.cutAfter(1000), func(http.ResponseWriter, *http.Request) bool {
		b.replace(size, `"v2"`, time.Now())
		return false
	})
	f := b.open(fetch.Options{Length: size})
	got, err := b.read(f, 0, -1)
	b.wantChanged(err)
	if bytes.ContainsRune(got[min(len(got), 1000):], 'x') || len(got) > 1000 {
		t.Errorf("got %d bytes, some of the other file", len(got))
	}
}

func TestAnotherWorkerGoesOnWithThePin(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	pin := b.open(fetch.Options{Length: 1}).Pin()
	f := b.open(fetch.Options{Pin: &pin, Offset: 50_000, Length: 1000})
	b.wantBytes(f, 50_000, 1000)
	if n := len(b.seen()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	f = b.open(fetch.Options{Pin: &pin, Offset: size, Length: 1000})
	b.wantBytes(f, 99_000, 1000)

	// Less known of the file than now: what is known holds.
	f = b.open(fetch.Options{Pin: &fetch.Pin{Size: -1, ETag: `"v1"`}})
	if f.Size() != size {
		t.Errorf("Size %d", f.Size())
	}
	b.wantChanged(b.openError(fetch.Options{Pin: &fetch.Pin{Size: size, ETag: `"v0"`}}))
	b.wantChanged(b.openError(fetch.Options{Pin: &fetch.Pin{Size: -1}}))
	b.wantChanged(b.openError(fetch.Options{Pin: &fetch.Pin{Size: size + 1000}, Offset: size + 10}))
}

func TestAWebPageInPlaceOfAPinnedFileIsNotAChange(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>please sign in</html>")
		return true
	}
	b := setup(t, size)
	pin := b.open(fetch.Options{Length: 1}).Pin()
	b.play(page, page)
	b.wantBytes(b.open(fetch.Options{Pin: &pin, Length: 10}), 0, 10)
	b.playAlways(page)
	if err := b.openError(fetch.Options{Pin: &pin}); !isGiveUp(err) || errors.Is(err, fetch.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func TestARefusedRangeIsLookedInto(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 1})
	silent := answers("HTTP/1.1 416 X")
	b.play(silent) // nothing changed: a hiccup
	b.wantBytes(f, 1000, 10)
	b.replace(500, `"v2"`, time.Now())
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		off, _, _ := span(r)
		return off >= 500 && silent(w, r)
	})
	_, err := b.read(f, 1000, 10)
	b.wantChanged(err)
	b.play(answers("HTTP/1.1 416 X\nContent-Range: bytes */500"))
	_, err = b.read(f, 1000, 10)
	b.wantChanged(err)
}

func TestAHostThatMishandlesIfRangeIsReadWithoutIt(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 1})
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("If-Range") != "" && b.whole(w, r)
	})
	b.wantBytes(f, 1000, 10)
	before := len(b.seen())
	b.wantBytes(f, 2000, 10)
	b.wantBytes(f, 3000, 10)
	if n := len(b.seen()) - before; n != 2 {
		t.Errorf("%d requests for 2 ranges once that is known", n)
	}
}

func TestAWholeAnswerToTheFirstBytesIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Offset: 10, Length: 1})
	b.play(b.whole)
	b.wantBytes(f, 0, 100)
	if n := len(b.seen()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestAnOffsetBehindTheEndStillOpensTheFile(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	f := b.open(fetch.Options{Offset: 5000, Length: 2000})
	if f.Size() != 1000 || !f.Seekable() {
		t.Errorf("Size %d, Seekable %v", f.Size(), f.Seekable())
	}
	b.wantBytes(f, 0, -1)
	for _, opt := range []fetch.Options{{Offset: -1}, {Length: -1}} {
		if err := b.openError(opt); !strings.Contains(err.Error(), "negative") {
			t.Errorf("got %v", err)
		}
	}
}

// Machines that don't agree on the ETag of one file: ranges of it can't be told from ranges of others, but one answer is whole.
func TestAFileThatChangesWithEveryAnswerIsReadInOne(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	var n atomic.Int32
	b.always = func(w http.ResponseWriter, r *http.Request) bool {
		b.mu.Lock()
		b.etag = fmt.Sprintf(`"node-%d"`, n.Add(1))
		b.mu.Unlock()
		return false
	}
	f := b.open(fetch.Options{OneAnswer: true, Length: 1000})
	if f.Seekable() || f.Size() != size {
		t.Errorf("seekable %v, %d bytes; want %d, in order", f.Seekable(), f.Size(), size)
	}
	for off := int64(0); off < size; off += size / 4 {
		b.wantBytes(f, off, min(size/4, size-off))
	}
	if seen := b.seen(); len(seen) != 1 || seen[0].Header.Get("Range") != "" {
		t.Errorf("%d requests, the first for %q; want one for the whole file", len(seen), seen[0].Header.Get("Range"))
	}
}
