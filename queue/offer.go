package queue

import (
	"context"
	"fmt"
)

// ReasonRenderTimeout is the reason of a video whose render took longer than REELKEEP_RENDER_WAIT. It is the one
// end that a sweep takes back: HeyGen shows the video as completed after all.
const ReasonRenderTimeout = "render_timeout"

// Offer hands in what a sweep found. Unlike EnqueueMany it leaves settled videos as they are: nobody asked for a
// failed or cancelled one again. Only a render that was given up for being slow is accepted afresh.
// A receipt that is no Duplicate is a video that was missing. Nor does it wait for Redis's disk: what a crash of Redis
// forgets, the next full sweep finds again.
func (c *Client) Offer(ctx context.Context, jobs []Job) ([]Result, error) {
	results, _, err := c.handIn(ctx, jobs, acceptFound)
	if err != nil {
		return results, fmt.Errorf("offer: %w", err)
	}
	return results, nil
}

// acceptFound is accept for a video that a sweep found.
func acceptFound(h *held, job Job, now int64) (*entry, Receipt) {
	r := h.record
	if h.entry == nil && r != nil && (r.State != StateFailed || r.Reason != ReasonRenderTimeout) {
		return nil, Receipt{VideoID: job.VideoID, State: r.State, Duplicate: true}
	}
	return accept(h, job, now)
}

// Known says of each video of an account whether a sweep would find it missing (false) or not. It changes nothing.
func (c *Client) Known(ctx context.Context, account string, videoIDs []string) ([]bool, error) {
	known := make([]bool, 0, len(videoIDs))
	for len(videoIDs) > 0 {
		n := min(enqueueBatch, len(videoIDs))
		fields := make([]string, n)
		for i, id := range videoIDs[:n] {
			job, err := Job{VideoID: id, Account: account}.normalize()
			if err != nil {
				return nil, err
			}
			fields[i] = fieldOf(job.Account, job.VideoID)
		}
		hs, err := c.ledger.read(ctx, fields...)
		if err != nil {
			return nil, fmt.Errorf("look which videos are known: %w", err)
		}
		for _, h := range hs {
			next, receipt := acceptFound(h, Job{Account: account, Priority: PriorityBackfill}, 0)
			known = append(known, next == nil || receipt.Duplicate)
		}
		videoIDs = videoIDs[n:]
	}
	return known, nil
}

// Restore writes settled videos into the index that Redis knows nothing of, as after it was emptied: the manifests in
// the bucket are the truth, the index is made of them. What Redis knows already stays as it is. It returns how many were
// written.
func (c *Client) Restore(ctx context.Context, settled []Status) (int, error) {
	written := 0
	for len(settled) > 0 {
		n := min(enqueueBatch, len(settled))
		w, err := c.restoreSome(ctx, settled[:n])
		written += w
		if err != nil {
			return written, fmt.Errorf("restore the index: %w", err)
		}
		settled = settled[n:]
	}
	return written, nil
}

func (c *Client) restoreSome(ctx context.Context, settled []Status) (int, error) {
	fields := make([]string, len(settled))
	for i, s := range settled {
		job, err := Job{VideoID: s.VideoID, Account: s.Account}.normalize()
		if err != nil {
			return 0, err
		}
		if !s.State.Settled() {
			return 0, fmt.Errorf("%w: %s is %s, which is not settled", ErrInvalidJob, s.VideoID, s.State)
		}
		fields[i] = fieldOf(job.Account, job.VideoID)
	}
	known, err := c.ledger.read(ctx, fields...)
	if err != nil {
		return 0, err
	}
	groups := map[string][]change{}
	for i, h := range known {
		if h.entry == nil && h.record == nil {
			e := settledEntry(h.field, settled[i])
			groups[e.Account] = append(groups[e.Account], change{from: h, done: e, now: c.now().UnixMilli()})
		}
	}
	written := 0
	for account, changes := range groups {
		done, err := c.ledger.apply(ctx, account, changes)
		if err != nil {
			return written, err
		}
		for _, ok := range done {
			written += int(ok)
		}
	}
	return written, nil
}

// settledEntry is a video as its last outcome would have left it.
func settledEntry(field string, s Status) *entry {
	account, id := splitField(field)
	e := &entry{
		ID: id, Account: account, Priority: PriorityInteractive, State: s.State, Reason: s.Reason, Step: StepStatus,
		Accepted: millis(s.AcceptedAt), Updated: millis(s.UpdatedAt), Title: clip(s.Title, 300),
		Bytes: s.Bytes, Assets: s.Assets, Metadata: s.Metadata, Attempts: s.Attempts, Error: s.Error,
	}
	if s.SealedAt != nil {
		e.Sealed = millis(*s.SealedAt)
	}
	if s.Deadline != nil {
		e.Deadline = millis(*s.Deadline)
	}
	return e
}
