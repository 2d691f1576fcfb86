package fetch

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// slowSource brings a byte a read, each after a pause, and stops when its request is cut.
type slowSource struct {
	pause time.Duration
	cut   <-chan struct{}
}

func (s slowSource) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.pause):
		p[0] = 'x'
		return 1, nil
	case <-s.cut:
		return 0, errors.New("cut")
	}
}

func (slowSource) Close() error { return nil }

func slowBody(ctx context.Context, limit, pause time.Duration) *body {
	own, w := newWatch(ctx, limit)
	b := &body{src: slowSource{pause, own.Done()}, end: -1, watch: w, leave: func() {}}
	b.bind(ctx)
	return b
}

func TestASlowReaderIsNotTheHostsFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := slowBody(t.Context(), 30*time.Second, 29*time.Second)
		defer b.Close()
		for range 5 {
			if n, err := b.Read(make([]byte, 10)); n != 1 || err != nil {
				t.Fatalf("Read: %d, %v", n, err)
			}
			if err := sleep(t.Context(), time.Hour); err != nil { // our store is slow
				t.Fatal(err)
			}
		}
	})
}

func TestSilenceIsCutWhenTheTimeIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := slowBody(t.Context(), 30*time.Second, time.Hour)
		defer b.Close()
		start := time.Now()
		_, err := b.Read(make([]byte, 10))
		var f *fault
		if !errors.As(err, &f) || f.kind != stalled || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %v, want stalled after 30 s", time.Since(start), err)
		}
	})
}

func TestAWaitForAStreamIsNotAStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &streams{limit: 1, hosts: map[string]*slots{}}
		leave, err := s.enter(t.Context(), "h", newTurn())
		if err != nil || !s.full("h") || s.full("other") {
			t.Fatal(err, s.full("h"))
		}
		time.AfterFunc(time.Hour, leave)
		second, err := s.enter(t.Context(), "h", newTurn())
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(stop) })
		if _, err := s.enter(ctx, "h", newTurn()); !errors.Is(err, stop) {
			t.Errorf("got %v, want the cause", err)
		}
		leave() // twice is once
		second()
		if len(s.hosts) != 0 {
			t.Errorf("hosts are remembered for ever: %v", s.hosts)
		}
	})
}

// emptyReads is a source that is slow to say that it has ended.
type emptyReads struct{ n int }

func (s *emptyReads) Read([]byte) (int, error) {
	if s.n--; s.n > 0 {
		return 0, nil
	}
	return 0, io.ErrUnexpectedEOF
}

func (*emptyReads) Close() error { return nil }

func TestAMissingEndMarkerIsNoHarmWhenAllBytesAreThere(t *testing.T) {
	t.Parallel()
	_, w := newWatch(t.Context(), time.Minute)
	b := &body{src: &emptyReads{n: 3}, end: 5, watch: w, leave: func() {}}
	b.bind(t.Context())
	defer b.Close()
	if b.longer() {
		t.Error("a cut behind the last byte is not a byte")
	}
}

func TestAnAnswerOutlivesTheContextItWasAskedUnder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := slowBody(ctx, time.Minute, time.Second)
		defer b.Close()
		b.release()
		cancel()
		synctest.Wait()
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
		stop := errors.New("stop")
		ctx, stopNow := context.WithCancelCause(t.Context())
		b.bind(ctx)
		stopNow(stop)
		synctest.Wait()
		if n, err := b.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("Read under a context that has ended: %d, %v", n, err)
		}
	})
}
