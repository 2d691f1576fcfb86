package fetch

import (
	"context"

	"golang.org/x/time/rate"
)

// A meter keeps all reads of a Client together below a number of bytes a second. Nil means no limit.
type meter struct {
	bucket *rate.Limiter
	piece  int // the most that one read takes: small against a second, so that the flow is smooth and others get their turn
}

// A turn belongs to one file. However many streams a file has, one of them at a time stands in the line for the bucket,
// so that files get equal shares.
type turn struct{ line chan struct{} }

func newTurn() *turn { return &turn{line: make(chan struct{}, 1)} }

func newMeter(perSecond int64) *meter {
	if perSecond <= 0 {
		return nil
	}
	piece := int(min(max(perSecond/64, 4<<10), 256<<10))
	return &meter{bucket: rate.NewLimiter(rate.Limit(perSecond), piece), piece: piece}
}

// pay waits until n bytes that were read are covered. It does not wait for whoever gives up: the next read tells.
func (m *meter) pay(ctx context.Context, t *turn, n int) {
	if n == 0 {
		return
	}
	select {
	case t.line <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-t.line }()
	_ = m.bucket.WaitN(ctx, n) // fails only when ctx has ended: n is never more than a piece
}
