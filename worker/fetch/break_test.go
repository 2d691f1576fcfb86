package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

const size = 100_000

func (b *bench) wantResumed(want string) {
	b.t.Helper()
	if resumed, _ := b.events.all(); resumed != want {
		b.t.Errorf("resumed %q, want %q", resumed, want)
	}
}

// ranges lists what was asked for.
func (b *bench) ranges() []string {
	var all []string
	for _, r := range b.seen() {
		all = append(all, strings.TrimPrefix(r.Header.Get("Range"), "bytes="))
	}
	return all
}

func TestRangeSurvivesDroppedConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.play(b.cutAfter(40_000), b.resetAfter(0), b.cutAfter(1))
	f := b.open(fetch.Options{Length: size})
	b.wantBytes(f, 0, -1)
	want := []string{"0-99999", "40000-99999", "40000-99999", "40001-99999"}
	if diff := cmp.Diff(want, b.ranges()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	b.wantResumed("dropped dropped dropped")
}

func TestADropBeforeTheFirstAnswerIsSurvived(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.play(func(w http.ResponseWriter, _ *http.Request) bool { raw(w, "", nil); return true }, b.resetAfter(0))
	b.wantBytes(b.open(fetch.Options{}), 0, -1)
}

func TestManyTinyDropsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, 3000)
	b.playAlways(b.cutAfter(7))
	f := b.open(fetch.Options{})
	b.wantBytes(f, 0, -1)
	if n := len(b.seen()); n < 3000/7 || n > 3000/7+10 {
		t.Errorf("%d requests", n)
	}
	if log := b.log.String(); log != "" {
		t.Errorf("drops that cost nothing are not worth a line, got:\n%.300s", log)
	}
}

func TestAStalledReadIsCutAndResumed(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.StallTimeout = 250 * time.Millisecond // an honest answer is far from it, on a busy machine too
	b := setupWith(t, cfg, size)
	silence := func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	b.play(b.stallAfter(40_000), silence, b.stallAfter(0))
	f := b.open(fetch.Options{Length: size})
	b.wantBytes(f, 0, -1)
	want := []string{"0-99999", "40000-99999", "40000-99999", "40000-99999"}
	if diff := cmp.Diff(want, b.ranges()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	b.wantResumed("stalled stalled stalled")
}

func TestAnAnswerThatEndsEarlyIsResumed(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.play(b.chunked(40_000))
	f := b.open(fetch.Options{Length: size})
	b.wantBytes(f, 0, -1)
	b.wantResumed("short")
}

func TestAHostMayAnswerWithLessThanAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		off, end, _ := span(r)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, min(off+30_000, end)-1))
		b.honest(w, r)
		return true
	})
	f := b.open(fetch.Options{Length: size})
	b.wantBytes(f, 0, -1)
	b.wantResumed("")
	if n := len(b.seen()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestAnAnswerThatIsTooLongIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	f := b.open(fetch.Options{Length: 1})
	b.play(b.chunked(700))
	b.wantBytes(f, 100, 500)

	b.playAlways(b.chunked(700))
	_, err := b.read(f, 100, 500)
	var gaveUp *fetch.GiveUpError
	if !errors.As(err, &gaveUp) || !strings.Contains(err.Error(), "longer than announced") {
		t.Errorf("got %v, want to give up on it", err)
	}
}

func TestALyingAnswerIsAskedAgainAndNeverBelieved(t *testing.T) {
	t.Parallel()
	lie := func(status int, contentRange string, more ...string) trick {
		head := fmt.Sprintf("HTTP/1.1 %d X\nETag: \"v1\"\nContent-Range: %s", status, contentRange)
		for _, line := range more {
			head += "\n" + line
		}
		// As many bytes as announced: the rest would be put on the standard log by net/http.
		n := 20
		if _, length, ok := strings.Cut(head, "Content-Length: "); ok {
			fmt.Sscan(length, &n)
		} else if status == 204 || status == 304 {
			n = 0
		}
		return func(w http.ResponseWriter, _ *http.Request) bool {
			raw(w, head, bytes.Repeat([]byte{'!'}, n))
			return true
		}
	}
	for name, trick := range map[string]trick{
		"other start":          lie(206, "bytes 11-20/1000", "Content-Length: 10"),
		"starts later":         lie(206, "bytes 12-19/1000", "Content-Length: 8"),
		"starts earlier":       lie(206, "bytes 5-19/1000", "Content-Length: 15"),
		"reaches further":      lie(206, "bytes 10-29/1000", "Content-Length: 20"),
		"other length":         lie(206, "bytes 10-19/1000", "Content-Length: 9"),
		"no Content-Range":     lie(206, ""),
		"nonsense":             lie(206, "bytes ten-20/1000"),
		"echoes the link":      lie(206, "bytes https://h/p?Signature=TOPSECRET"),
		"only a total":         lie(206, "bytes */1000"),
		"two of them":          lie(206, "bytes 10-19/1000", "Content-Range: bytes 0-9/1000"),
		"other total":          lie(206, "bytes 10-19/999", "Content-Length: 10"),
		"packed":               lie(206, "bytes 10-19/1000", "Content-Length: 10", "Content-Encoding: gzip"),
		"packed, other size":   lie(206, "bytes 10-19/77", "Content-Length: 10", "Content-Encoding: br"),
		"no length, no end":    lie(200, "", "Connection: close"),
		"refused for nothing":  lie(416, "bytes */1000", "Content-Length: 0"),
		"refused, no total":    lie(416, "", "Content-Length: 0"),
		"redirect to nowhere":  lie(302, "", "Content-Length: 0"),
		"redirect to nonsense": lie(302, "", "Content-Length: 0", "Location: http://[::1"),
		"no content":           lie(204, ""),
		"not modified":         lie(304, ""),
		"whole file":           nil,
		"web page":             lie(200, "", "Content-Length: 20", "Content-Type: text/html; charset=utf-8"),
		"web page, other tag":  answers("HTTP/1.1 200 X\nContent-Type: TEXT/HTML\nETag: \"v2\""),
		"no HTTP at all":       func(w http.ResponseWriter, _ *http.Request) bool { raw(w, "ICY 200 OK", nil); return true },
		"overlong head":        lie(206, strings.Repeat("x", 300<<10)),
	} {
		b := setup(t, 1000)
		if trick == nil {
			trick = b.whole
		}
		f := b.open(fetch.Options{Length: 1})
		b.play(trick, trick)
		got, err := b.read(f, 10, 10)
		if err != nil || !bytes.Equal(got, b.file[10:20]) {
			t.Errorf("%s: got %q, %v", name, got, err)
			continue
		}
		b.playAlways(trick)
		if got, err := b.read(f, 10, 10); len(got) > 0 || !isGiveUp(err) || errors.Is(err, fetch.ErrChanged) {
			t.Errorf("%s for ever: got %q, %v, want to give up", name, got, err)
		}
	}
}

func isGiveUp(err error) bool {
	var gaveUp *fetch.GiveUpError
	return errors.As(err, &gaveUp) && gaveUp.Tries == 8 && gaveUp.Hint() != "" && gaveUp.Cause != nil
}

func TestAPackedFirstAnswerIsNotAFile(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.playAlways(answers("HTTP/1.1 200 OK\nContent-Encoding: gzip"))
	if err := b.openError(fetch.Options{}); !isGiveUp(err) || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerWhoseEndCannotBeToldFromACutIsNotAFile(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.playAlways(func(w http.ResponseWriter, _ *http.Request) bool {
		raw(w, "HTTP/1.1 200 OK\nConnection: close", []byte("half a fi"))
		return true
	})
	if err := b.openError(fetch.Options{}); !isGiveUp(err) || !strings.Contains(err.Error(), "marked end") {
		t.Errorf("got %v", err)
	}
}

func TestLackOfProgressEndsARangeAndAByteStartsTheCountAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	f := b.open(fetch.Options{Length: 1})
	dead := b.resetAfter(0)
	var tricks []trick
	for range 5 {
		tricks = append(tricks, dead, dead, dead, dead, dead, dead, dead, b.cutAfter(1))
	}
	b.play(tricks...)
	b.wantBytes(f, 10, 100)

	b.play()
	b.playAlways(dead)
	before := len(b.seen())
	if _, err := b.read(f, 10, 100); !isGiveUp(err) || !strings.Contains(err.Error(), "after 8 tries without a new byte") {
		t.Errorf("got %v, want to give up", err)
	}
	if n := len(b.seen()) - before; n != 8 {
		t.Errorf("%d requests, want 8", n)
	}
}

func TestABusyHostIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	var f *fetch.File
	for _, codes := range [][]int{{408, 425, 429, 500}, {502, 503, 504, 520, 599}} {
		for _, code := range codes {
			b.play(append(b.tricks, answers("HTTP/1.1 %d X\nRetry-After: 3600", code))...)
		}
		f = b.open(fetch.Options{Length: 1, Offset: 3})
	}
	b.playAlways(answers("HTTP/1.1 503 X\nRetry-After: 3600"))
	_, err := b.read(f, 10, 10)
	var gaveUp *fetch.GiveUpError
	if !errors.As(err, &gaveUp) || gaveUp.Wait != time.Hour {
		t.Errorf("got %v, want the host's wish with it", err)
	}
	if _, refreshed := b.events.all(); refreshed != "" {
		t.Errorf("refreshed %q for nothing", refreshed)
	}
}

func TestAHostOutOfReachIsGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.Server.Close()
	if err := b.openError(fetch.Options{}); !isGiveUp(err) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	b.wantResumed("")
}

var errStop = errors.New("enough")

func TestTheContextEndsAReadAtOnceWithItsCause(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 1})
	for name, trick := range map[string]trick{
		"silent from the start": b.stallAfter(0),
		"silent in the middle":  b.stallAfter(100),
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		b.play(func(w http.ResponseWriter, r *http.Request) bool {
			cancel(errStop)
			return trick(w, r)
		})
		r, err := f.Range(ctx, 10, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, errStop) {
			t.Errorf("%s: got %v, want the cause", name, err)
		}
		r.Close()
	}
	b.wantBytes(f, 10, 1000)
}

func TestTheContextEndsAPause(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.Retry = fetch.Retry{Base: time.Hour, Cap: time.Hour}
	b := setupWith(t, cfg, size)
	ctx, cancel := context.WithCancelCause(t.Context())
	b.playAlways(func(w http.ResponseWriter, r *http.Request) bool {
		cancel(errStop)
		return answers("HTTP/1.1 503 X")(w, r)
	})
	if _, err := b.client.Open(ctx, b.link(0), nil, fetch.Options{}); !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
}

func TestTheContextOfOpenDoesNotReachTheRanges(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	ctx, cancel := context.WithCancel(t.Context())
	f, err := b.client.Open(ctx, b.link(0), nil, fetch.Options{Length: size})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancel()
	b.wantBytes(f, 0, -1)
	if n := len(b.seen()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestAClosedRangeAndAClosedFileSaySo(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	f := b.open(fetch.Options{Length: 10})
	r, err := f.Range(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(r.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := f.Range(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Range after Close: %v", err)
	}
}
