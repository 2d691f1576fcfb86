package fetch

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
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

// A file with many streams does not keep others from a busy host: the next free slot goes to who has fewest.
func TestAHostsSlotsGoToTheFileWithFewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &streams{limit: 2, hosts: map[string]*slots{}}
		giant, small := newTurn(), newTurn()
		var leaves []func()
		for range 2 {
			leave, err := s.enter(t.Context(), "h", giant)
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		served := make(chan string, 4)
		wait := func(file *turn, name string) {
			go func() {
				leave, err := s.enter(t.Context(), "h", file)
				if err != nil {
					t.Error(err)
					return
				}
				served <- name
				leave()
			}()
			synctest.Wait()
		}
		wait(giant, "giant")
		wait(giant, "giant")
		wait(small, "small")
		leaves[0]()
		if first := <-served; first != "small" {
			t.Errorf("%s was served first", first)
		}
		leaves[1]()
		<-served
		<-served
		synctest.Wait()
		if len(s.hosts) != 0 {
			t.Errorf("hosts are remembered for ever: %v", s.hosts)
		}
	})
}

// Two files share the bandwidth equally, however many streams each has, and all together stay at it.
func TestTheBandwidthIsKeptAndSharedByFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate, span = 10_000_000, 10 * time.Second
		m := newMeter(rate)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(span, cancel) // no deadline: the bucket would not wait beyond it, and neither has a read one
		var one, many atomic.Int64
		var all sync.WaitGroup
		stream := func(file *turn, sum *atomic.Int64) {
			all.Go(func() {
				for m.pay(ctx, file, m.piece); ctx.Err() == nil; m.pay(ctx, file, m.piece) {
					sum.Add(int64(m.piece))
				}
			})
		}
		first, second := newTurn(), newTurn()
		stream(first, &one)
		for range 31 {
			stream(second, &many)
		}
		all.Wait()
		if got, want := one.Load()+many.Load(), int64(rate*span.Seconds()); got < want*98/100 || got > want*102/100 {
			t.Errorf("%d bytes in %s, want %d", got, span, want)
		}
		if one.Load() < many.Load()*9/10 {
			t.Errorf("one stream got %d bytes, 31 of another file %d", one.Load(), many.Load())
		}
	})
}

func TestALimitedReadAllocatesNothing(t *testing.T) {
	_, w := newWatch(t.Context(), time.Minute)
	m, file := newMeter(1<<40), newTurn()
	b := &body{src: endless{}, end: -1, watch: w, leave: func() {}, piece: m.piece}
	b.pay = func(n int) { m.pay(t.Context(), file, n) }
	b.bind(t.Context())
	defer b.Close()
	buf := make([]byte, 64<<10)
	if n := testing.AllocsPerRun(1000, func() { _, _ = b.Read(buf) }); n > 0 {
		t.Errorf("%.0f allocations a read", n)
	}
}

func BenchmarkRead(b *testing.B) {
	_, w := newWatch(b.Context(), time.Minute)
	body := &body{src: endless{}, end: -1, watch: w, leave: func() {}}
	body.bind(b.Context())
	defer body.Close()
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := body.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// endless is a source that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }
