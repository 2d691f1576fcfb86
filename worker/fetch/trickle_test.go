package fetch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// drip brings n bytes after each pause, for ever.
type drip struct {
	n     int
	pause time.Duration
	cut   <-chan struct{}
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		return min(d.n, len(p)), nil
	case <-d.cut:
		return 0, errors.New("cut")
	}
}

func (drip) Close() error { return nil }

// dripping returns a range whose every answer drips, and counts the answers.
func dripping(ctx context.Context, f *File, n int, pause time.Duration) (r *reader, asked *int) {
	asked = new(int)
	r = &reader{file: f, end: 1 << 30}
	r.mend = func(broke error) (*body, error) {
		if broke != nil {
			if err := f.resume(ctx, &r.effort, broke); err != nil {
				return nil, err
			}
		}
		*asked++
		own, w := newWatch(ctx, f.client.cfg.StallTimeout)
		b := &body{src: drip{n, pause, own.Done()}, pos: r.pos, end: -1, watch: w, leave: func() {}}
		b.bind(ctx)
		return b, nil
	}
	return r, asked
}

func nobodysFile() *File {
	return &File{client: &Client{cfg: Config{}.withDefaults()}, links: &links{}, log: slog.New(slog.DiscardHandler)}
}

func TestASourceThatTricklesIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := nobodysFile()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		r, asked := dripping(ctx, f, 1, 29*time.Second)
		_, err := io.Copy(io.Discard, r)
		var gaveUp *GiveUpError
		if !errors.As(err, &gaveUp) || gaveUp.Tries != 8 || *asked != 8 {
			t.Fatalf("after %s and %d requests: %v", time.Since(begin), *asked, err)
		}
		if !gaveUp.Away || gaveUp.Since.Sub(begin).Abs() > 30*time.Second {
			t.Errorf("away: %v, since %s after the first byte was asked for", gaveUp.Away, gaveUp.Since.Sub(begin))
		}
	})
}

// A line that is shared by everybody in a village is no trickle, and neither is one stream of a file whose others are fast.
func TestASlowLineIsLeftInPeace(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		n, others int
		pause     time.Duration
	}{
		"a slow line":                 {1100, 0, time.Second},
		"one with pauses":             {32 << 10, 0, 25 * time.Second},
		"one slow stream among more":  {1, 40 << 10, 25 * time.Second},
		"our own store or bandwidth,": {1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := nobodysFile()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			r, asked := dripping(ctx, f, tt.n, tt.pause)
			buf := make([]byte, 64<<10)
			for ctx.Err() == nil {
				if _, err := r.Read(buf); err != nil && ctx.Err() == nil {
					t.Fatalf("%s: %v", name, err)
				}
				f.came.Add(int64(tt.others))
				if tt.pause == 0 {
					time.Sleep(10 * time.Second) // nothing is read meanwhile
				}
			}
			r.Close()
			if *asked != 1 {
				t.Errorf("%s: asked %d times", name, *asked)
			}
		})
	}
}
