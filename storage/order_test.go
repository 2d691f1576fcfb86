package storage_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// send stores a part without hashing it.
func send(t *testing.T, u *storage.Upload, n int, data []byte) {
	t.Helper()
	if err := u.Send(t.Context(), n, cutPart(u, n, data)); err != nil {
		t.Fatal(err)
	}
}

// listFolder lists the folder of the test's video.
func listFolder(t *testing.T, s *storage.Store) *storage.Folder {
	t.Helper()
	f, err := s.Folder(t.Context(), video)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func hash(t *testing.T, u *storage.Upload, n int, data []byte) {
	t.Helper()
	if err := u.Hash(n, cutPart(u, n, data)); err != nil {
		t.Fatal(err)
	}
}

func cutPart(u *storage.Upload, n int, data []byte) []byte {
	off := int64(n-1) * u.PartSize()
	return data[off:min(off+u.PartSize(), int64(len(data)))]
}

// readBacks counts how often the store has read an asset back.
func readBacks(log *buffer) int { return strings.Count(log.String(), "reading an asset back") }

func TestPartsSentInAnyOrderAndHashedInTheirOwnAreNotReadBack(t *testing.T) {
	t.Parallel()
	log, cfg := logged(t)
	s := open(t, cfg)
	data := storagetest.Bytes(40, 4*part+9)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	var both sync.WaitGroup
	for _, n := range []int{3, 1, 5, 2, 4} {
		both.Go(func() { send(t, u, n, data) })
	}
	both.Go(func() {
		for n := 1; n <= 5; n++ {
			hash(t, u, n, data)
		}
	})
	both.Wait()
	finish(t, u, data)
	if n := readBacks(log); n > 0 {
		t.Errorf("the asset was read back %d times", n)
	}
}

// A killed worker had parts in flight: some behind a gap are stored. The next one fetches only the gap, and what was
// hashed before the kill is not read again.
func TestPartsBehindAGapAreKeptAndOnlyTheRestIsReadBack(t *testing.T) {
	t.Parallel()
	log, cfg := logged(t)
	s := open(t, cfg)
	data := storagetest.Bytes(41, 5*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	put(t, u, 2, data)
	send(t, u, 4, data)
	send(t, u, 5, data)

	next := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if diff := cmp.Diff([]int{3}, storagetest.PutMissing(t, next, data)); diff != "" {
		t.Errorf("fetched again (-want +got):\n%s", diff)
	}
	finish(t, next, data)
	if readBacks(log) != 1 || !strings.Contains(log.String(), "bytes=10485760\n") { // parts 4 and 5
		t.Errorf("want the last two parts read back, got:\n%s", log)
	}
}

func TestTheRecordIsNotWrittenAfterEveryPart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	cfg := config(t)
	cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := open(t, cfg)
	data := storagetest.Bytes(42, 4*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	told := func() int64 {
		left, err := s.Leftovers(t.Context(), listFolder(t, s), nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		return left["video"].Offset
	}
	for n, want := range []int64{0, 2 * part, 2 * part} {
		if n == 1 {
			mu.Lock()
			now = now.Add(2 * time.Second)
			mu.Unlock()
		}
		hash(t, u, n+1, data)
		send(t, u, n+1, data)
		if got := told(); got != want {
			t.Errorf("after part %d the record covers %d bytes, want %d", n+1, got, want)
		}
	}
	if err := u.SaveProgress(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := told(); got != 3*part {
		t.Errorf("in the end the record covers %d bytes, want %d", got, 3*part)
	}
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func logged(t *testing.T) (*buffer, storage.Config) {
	t.Helper()
	log, cfg := &buffer{}, config(t)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	return log, cfg
}
