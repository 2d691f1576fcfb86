package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

// cutWhole sends the first n bytes of the whole file and ends the connection. chunked: without a length.
func (s *source) cutWhole(n int, chunked bool, more ...string) trick {
	head := "HTTP/1.1 200 OK\nContent-Type: video/mp4"
	for _, line := range more {
		head += "\n" + line
	}
	if chunked {
		// The chunk is announced as long as the file, so that it is cut in its middle.
		return func(w http.ResponseWriter, _ *http.Request) bool {
			body := fmt.Sprintf("%x\r\n%s", len(s.file), s.file[:n])
			if n == len(s.file) {
				body += "\r\n0\r\n\r\n"
			}
			raw(w, head+"\nTransfer-Encoding: chunked", []byte(body))
			return true
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) bool {
		raw(w, fmt.Sprintf("%s\nContent-Length: %d", head, len(s.file)), s.file[:n])
		return true
	}
}

func TestAFileWithoutRangesIsReadInOrderWithOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(b.whole)
	f := b.open(fetch.Options{Length: 1000})
	if f.Seekable() || f.Size() != size {
		t.Errorf("Seekable %v, Size %d", f.Seekable(), f.Size())
	}
	for off := int64(0); off < size; off += 10_000 {
		b.wantBytes(f, off, 10_000)
	}
	if n := len(b.seen()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	b.wantBytes(f, 500, 10) // backwards costs a new start
	b.wantBytes(f, 90_000, 10)
	if n := len(b.seen()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestAFileInOrderStartsOverAfterABreak(t *testing.T) {
	t.Parallel()
	for name, chunked := range map[string]bool{"with length": false, "chunked": true} {
		b := setup(t, size)
		tag := `ETag: "v1"`
		b.play(b.cutWhole(40_000, chunked, tag), b.cutWhole(10_000, chunked, tag), b.cutWhole(40_001, chunked, tag))
		b.playAlways(b.cutWhole(size, chunked, tag))
		f := b.open(fetch.Options{})
		b.wantBytes(f, 0, -1)
		if f.Size() != size {
			t.Errorf("%s: Size %d, want to know it now", name, f.Size())
		}
		for i, r := range b.seen()[1:] {
			if got := r.Header.Get("Range"); got != "" {
				t.Errorf("%s: request %d asks for range %s", name, i+2, got)
			}
		}
		b.wantResumed("dropped dropped dropped")
	}
}

func TestStartingOverWithoutGettingFurtherEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(b.cutWhole(40_000, false, `ETag: "v1"`))
	f := b.open(fetch.Options{})
	got, err := b.read(f, 0, -1)
	if !isGiveUp(err) || len(got) != 40_000 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if n := len(b.seen()); n != 9 {
		t.Errorf("%d requests, want the first and 8 tries", n)
	}
}

func TestAFileInOrderThatChangesIsNotSpliced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first, second trick
		changed       bool
	}{
		"other ETag":          {new(source).head(`ETag: "v1"`), new(source).head(`ETag: "v2"`), true},
		"other size":          {new(source).head(), new(source).head("Content-Length: 7"), true},
		"nothing to prove it": {new(source).head("Transfer-Encoding: chunked"), new(source).head("Transfer-Encoding: chunked"), true},
		"validator gone": {
			new(source).head("Transfer-Encoding: chunked", `ETag: "v1"`), new(source).head("Transfer-Encoding: chunked"), false,
		},
		"a range, not asked for": {new(source).head(), func(w http.ResponseWriter, _ *http.Request) bool {
			raw(w, "HTTP/1.1 206 X\nContent-Range: bytes 0-9/1000\nContent-Length: 10", make([]byte, 10))
			return true
		}, false},
		"refused, though no range": {new(source).head(), answers("HTTP/1.1 416 X"), false},
	} {
		b := setup(t, 0, tc.first)
		b.playAlways(tc.second)
		f := b.open(fetch.Options{})
		_, err := b.read(f, 0, -1)
		if errors.Is(err, fetch.ErrChanged) != tc.changed || isGiveUp(err) == tc.changed {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// head sends a whole answer with these lines, whose body breaks at once.
func (*source) head(lines ...string) trick {
	text := "HTTP/1.1 200 OK\n" + strings.Join(lines, "\n")
	if !strings.Contains(text, "Content-Length") && !strings.Contains(text, "chunked") {
		text = strings.TrimSuffix(text, "\n") + "\nContent-Length: 1000"
	}
	return func(w http.ResponseWriter, _ *http.Request) bool { raw(w, text, nil); return true }
}

func TestAFileOfUnknownSizeEndsWhereTheHostSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(b.cutWhole(size, true, `ETag: "v1"`))
	f := b.open(fetch.Options{})
	if f.Size() != -1 || f.Seekable() {
		t.Errorf("Size %d, Seekable %v", f.Size(), f.Seekable())
	}
	b.wantBytes(f, 0, 1000)
	b.wantBytes(f, 1000, -1)
	if f.Size() != size || len(b.seen()) != 1 {
		t.Errorf("Size %d after %d requests", f.Size(), len(b.seen()))
	}

	f = b.open(fetch.Options{})
	if _, err := b.read(f, 0, size+1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a range past the end: %v", err)
	}
}

func TestAFileThatEndsEarlierTheSecondTimeIsNotTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.play(b.cutWhole(40_000, true, `ETag: "v1"`))
	b.playAlways(func(w http.ResponseWriter, _ *http.Request) bool {
		raw(w, "HTTP/1.1 200 OK\nETag: \"v1\"\nTransfer-Encoding: chunked", []byte("3\r\nabc\r\n0\r\n\r\n"))
		return true
	})
	_, err := b.read(b.open(fetch.Options{}), 0, -1)
	if !errors.Is(err, fetch.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func TestAFileInOrderServesOneRangeAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(b.whole)
	f := b.open(fetch.Options{})
	first, err := f.Range(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Range(t.Context(), 10, 10); !errors.Is(err, fetch.ErrInUse) {
		t.Errorf("got %v", err)
	}
	first.Close()
	b.wantBytes(f, 10, 10)
}

func TestRangesWithoutATotalAreNotTrusted(t *testing.T) {
	t.Parallel()
	b := setup(t, size, func(w http.ResponseWriter, r *http.Request) bool {
		raw(w, "HTTP/1.1 206 X\nContent-Range: bytes 0-9/*\nContent-Length: 10", make([]byte, 10))
		return true
	})
	f := b.open(fetch.Options{Length: 10})
	if f.Seekable() || f.Size() != size {
		t.Errorf("Seekable %v, Size %d", f.Seekable(), f.Size())
	}
	b.wantBytes(f, 0, -1)
}

func TestAHostThatRefusesEveryRangeIsReadInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("Range") != "" && answers("HTTP/1.1 416 X")(w, r)
	})
	f := b.open(fetch.Options{Offset: 100, Length: 10})
	if f.Seekable() {
		t.Error("Seekable")
	}
	b.wantBytes(f, 100, 10)
}

func TestAStalledFileInOrderGoesOn(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.StallTimeout = 250 * time.Millisecond
	b := setupWith(t, cfg, size)
	b.play(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = w.Write(b.file[:1234])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	b.playAlways(b.whole)
	b.wantBytes(b.open(fetch.Options{}), 0, -1)
	b.wantResumed("stalled")
}
