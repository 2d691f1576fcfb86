package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// keyTrouble names the videos that went wrong last, by time. Ledger and index have no order in which the newest
// failure could be found without reading all of them.
const keyTrouble = "{reelkeep}:trouble"

// maxTrouble is how many videos keyTrouble remembers: more than a screen shows, so that some may have recovered.
const maxTrouble = 50

// StatusResult is the answer for one video of many: Err belongs to this video alone.
type StatusResult struct {
	Status
	Err error
}

// StatusMany says where videos of one account ("" is DefaultAccount) stand, in the order asked and in one round trip
// for every few hundred of them. A result's Err is ErrUnknown for a video that was never handed in; the error of the
// call is Redis's.
func (c *Client) StatusMany(ctx context.Context, account string, videoIDs []string) ([]StatusResult, error) {
	results := make([]StatusResult, len(videoIDs))
	var fields []string
	var which []int
	for i, id := range videoIDs {
		job, err := Job{VideoID: id, Account: account}.normalize()
		results[i].VideoID, results[i].Account = id, job.Account
		if results[i].Err = err; err == nil {
			fields, which = append(fields, fieldOf(job.Account, id)), append(which, i)
		}
	}
	for len(fields) > 0 {
		n := min(enqueueBatch, len(fields))
		hs, err := c.ledger.read(ctx, fields[:n]...)
		if err != nil {
			return nil, err
		}
		for k, h := range hs {
			r := &results[which[k]]
			if st, err := h.status(); err != nil {
				r.Err = err
			} else {
				r.Status = st
			}
		}
		fields, which = fields[n:], which[n:]
	}
	return results, nil
}

// Working returns videos that are in a worker's hands for this step just now, or will be in a moment, with their
// progress: the first limit of them, by account and id. How many there are in all is in Overview.Tasks. It reads
// what is under way and nothing else, so it may be called every second.
func (c *Client) Working(ctx context.Context, step Step, limit int) ([]Status, error) {
	members, err := c.ledger.rdb.ZRange(ctx, keyFlight(step), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("look at what is under way: %w", err)
	}
	fields := make([]string, 0, len(members))
	for _, m := range members {
		if field, _, ok := splitFlight(m); ok {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	fields = slices.Compact(fields)
	return c.those(ctx, fields[:min(max(limit, 0), len(fields))], func(st Status) bool { return st.Working })
}

// Troubled returns the videos that went wrong last, the newest first: those that failed or are gone, and those that
// wait for another try. A video that has recovered since is not among them. No more than 50 are remembered.
func (c *Client) Troubled(ctx context.Context) ([]Status, error) {
	fields, err := c.ledger.rdb.ZRevRange(ctx, keyTrouble, 0, maxTrouble-1).Result()
	if err != nil {
		return nil, fmt.Errorf("look at what went wrong: %w", err)
	}
	return c.those(ctx, fields, func(st Status) bool {
		if st.State.Settled() {
			return st.State == StateFailed || st.State == StateGone
		}
		return st.Error != nil
	})
}

// those reads the videos and keeps what show accepts. One that can't be read is left out: List names it.
func (c *Client) those(ctx context.Context, fields []string, show func(Status) bool) ([]Status, error) {
	hs, err := c.ledger.read(ctx, fields...)
	if err != nil {
		return nil, err
	}
	out := make([]Status, 0, len(hs))
	for _, h := range hs {
		if st, err := h.status(); err == nil && show(st) {
			out = append(out, st)
		}
	}
	return out, nil
}

// noteTrouble remembers the videos that a change has made fail. It is a help for people who look on, so its own
// failing stops nothing.
func (l *ledger) noteTrouble(ctx context.Context, changes []change, done []int64) {
	var zs []redis.Z
	for i, c := range changes {
		if done[i] == 1 && c.wentWrong() {
			zs = append(zs, redis.Z{Score: float64(c.now), Member: c.from.field})
		}
	}
	if len(zs) == 0 {
		return
	}
	pipe := l.rdb.Pipeline()
	pipe.ZAdd(ctx, keyTrouble, zs...)
	pipe.ZRemRangeByRank(ctx, keyTrouble, 0, -maxTrouble-1)
	_, _ = pipe.Exec(ctx)
}

// wentWrong says whether the change brings a failure with it: an end without an archived video, or an error that
// wasn't there before.
func (c change) wentWrong() bool {
	e := cmp.Or(c.next, c.done)
	if e.State == StateFailed || e.State == StateGone {
		return true
	}
	return e.State != StateCancelled && e.Error != nil && (c.from.entry == nil || e.Error != c.from.entry.Error)
}

// EntryError is an entry of the ledger or the index that can't be read. Enqueueing the video again replaces it.
type EntryError struct {
	VideoID, Account string
	Err              error
}

func (e *EntryError) Error() string {
	return "what Redis holds about " + strconv.Quote(clip(e.VideoID, 140)) + " can't be read: " + e.Err.Error()
}

func (e *EntryError) Unwrap() error { return e.Err }

// Hint says what a person can do.
func (e *EntryError) Hint() string { return "reelkeep enqueue " + clip(e.VideoID, 140) }
