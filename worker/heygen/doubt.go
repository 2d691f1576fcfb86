package heygen

import (
	"context"
	"fmt"
	"time"
)

const (
	// doubtfulCalls is how many plain calls are made at once about videos that a call about many left open. A list with ten
	// thousand ids that HeyGen does not know needs as many calls: they must leave places for those who want links, and may not
	// hold up everybody who wants to know how far a video is.
	doubtfulCalls = plainCalls / 2
	// doubtfulWait is how long a place is waited for. Whoever has none by then makes room for others and comes back:
	// at that pace, and after doubtfulMost at the latest. To come too early costs a hundredth of a call.
	doubtfulWait = time.Second
	doubtfulPace = 100 * time.Millisecond
	doubtfulMost = time.Minute
)

// settle asks about a video that a call about many left open, unless too many others do.
func (d *Desk) settle(ctx context.Context, id string) (*Video, error) {
	patience := time.NewTimer(doubtfulWait)
	defer patience.Stop()
	select {
	case d.doubtful <- struct{}{}:
		defer func() { <-d.doubtful }()
		return d.look(ctx, id)
	case <-patience.C:
		return nil, d.crowded()
	case <-ctx.Done():
		return nil, fmt.Errorf("ask HeyGen for video %s: %w", id, ended(ctx))
	}
}

// crowded is what those hear who found no place: when it is their turn to try again.
func (d *Desk) crowded() *Error {
	now := d.api.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.turn.Before(now) {
		d.turn = now
	}
	if last := now.Add(doubtfulMost); d.turn.After(last) {
		d.turn = last
	}
	d.turn = d.turn.Add(doubtfulPace)
	return &Error{
		Kind: Throttled, Wait: d.turn.Sub(now), Message: "many videos are asked about one by one just now",
		key: d.api.cfg.KeySetting, closed: true, busy: true,
	}
}
