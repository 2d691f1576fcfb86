package queue

import (
	"context"
	"fmt"
	"maps"
)

// enqueueBatch is how many jobs go to Redis in one script: enough to make the round trip cheap, few enough that
// Redis is not held up for long (a script of this size runs for a few milliseconds).
const enqueueBatch = 250

// Enqueue hands one job in. Once it has returned without an error, the job is in Redis and will be worked on by
// whichever worker is free. A video that is known already is not an error: see Receipt. The errors are one that wraps
// ErrInvalidJob, for a job that could never be worked on, and those of Redis.
func (c *Client) Enqueue(ctx context.Context, job Job) (Receipt, error) {
	results, err := c.EnqueueMany(ctx, []Job{job})
	if err != nil {
		return Receipt{}, err
	}
	return results[0].Receipt, results[0].Err
}

// EnqueueMany hands jobs in; results come in the same order. An invalid job carries its error, which wraps
// ErrInvalidJob, in its own result, and the others are accepted. There is no limit to their number: they go to Redis
// in batches. If Redis fails on the way, the error is returned with the results so far. A job whose result has
// neither State nor Err then got no answer, and may have been accepted or not: handing it in again is harmless.
//
// Redis 7.2 and later with an append-only file is given time to bring them to its disk: up to a second with appendfsync
// everysec, however many they are.
func (c *Client) EnqueueMany(ctx context.Context, jobs []Job) ([]Result, error) {
	results, fresh, err := c.handIn(ctx, jobs, accept)
	if err == nil && fresh {
		err = c.synced(ctx)
	}
	if err != nil {
		return results, fmt.Errorf("enqueue: %w", err)
	}
	return results, nil
}

// acceptor decides what a job means for a video about which h is known. The entry is nil if nothing changes.
type acceptor func(h *held, job Job, now int64) (*entry, Receipt)

// handIn does the work of EnqueueMany and Offer. fresh: what the receipts say may not be on Redis's disk yet.
func (c *Client) handIn(ctx context.Context, jobs []Job, decide acceptor) (results []Result, fresh bool, err error) {
	results = make([]Result, len(jobs))
	b := &batch{jobs: make([]Job, len(jobs)), results: results, decide: decide}
	for i, job := range jobs {
		j, err := job.normalize()
		results[i].VideoID = job.VideoID
		if err != nil {
			results[i].Err = err
			continue
		}
		b.jobs[i] = j
		b.todo = append(b.todo, i)
	}
	for round := 0; len(b.todo) > 0; round++ {
		if round == maxContention {
			return results, false, fmt.Errorf("%d videos: %w", len(b.todo), errContended)
		}
		if err := c.enqueueRound(ctx, b); err != nil {
			return results, false, err
		}
	}
	c.kick()
	return results, b.fresh, nil
}

// batch is the jobs of one EnqueueMany that still need an answer.
type batch struct {
	jobs    []Job
	results []Result
	todo    []int
	decide  acceptor
	fresh   bool // what the receipts say may not be on Redis's disk yet
}

// enqueueRound tries each open job once; those overtaken by somebody else stay open.
func (c *Client) enqueueRound(ctx context.Context, b *batch) error {
	var again []int
	groups := map[string][]int{}
	for _, i := range b.todo {
		groups[b.jobs[i].Account] = append(groups[b.jobs[i].Account], i)
	}
	for account, group := range groups {
		for len(group) > 0 {
			n := min(enqueueBatch, len(group))
			open, err := c.enqueueSome(ctx, account, b, group[:n])
			if err != nil {
				return err
			}
			again = append(again, open...)
			group = group[n:]
		}
	}
	b.todo = again
	return nil
}

// mention is what one batch says of one video, which may be named in it several times.
type mention struct {
	from     *held
	next     *entry // nil: nothing changes
	which    []int
	receipts []Receipt
}

// seen is the video as the next job of the batch finds it.
func (m *mention) seen() *held {
	if m.next == nil {
		return m.from
	}
	return &held{field: m.from.field, entry: m.next}
}

func (c *Client) enqueueSome(ctx context.Context, account string, b *batch, which []int) (open []int, err error) {
	mentions, err := c.mentions(ctx, account, b, which)
	if err != nil {
		return nil, err
	}
	now := c.now().UnixMilli()
	var changes []change
	var changed []*mention
	for _, m := range mentions {
		for _, i := range m.which {
			next, receipt := b.decide(m.seen(), b.jobs[i], now)
			if next != nil {
				m.next = next
			}
			m.receipts = append(m.receipts, receipt)
			b.fresh = b.fresh || m.next != nil || m.from.fresh(now, c.syncer.window())
		}
		if m.next == nil {
			b.answer(m)
			continue
		}
		changes = append(changes, change{from: m.from, next: m.next, now: now})
		changed = append(changed, m)
	}
	if len(changes) == 0 {
		return nil, nil
	}
	done, err := c.ledger.apply(ctx, account, changes)
	if err != nil {
		return nil, err
	}
	for k, ok := range done {
		if ok == 1 {
			b.answer(changed[k])
		} else {
			open = append(open, changed[k].which...)
		}
	}
	return open, nil
}

// mentions reads what is held about the videos of some jobs of one account.
func (c *Client) mentions(ctx context.Context, account string, b *batch, which []int) ([]*mention, error) {
	var fields []string
	byField := map[string]*mention{}
	for _, i := range which {
		field := fieldOf(account, b.jobs[i].VideoID)
		m := byField[field]
		if m == nil {
			m = new(mention)
			byField[field] = m
			fields = append(fields, field)
		}
		m.which = append(m.which, i)
	}
	known, err := c.ledger.read(ctx, fields...)
	if err != nil {
		return nil, err
	}
	out := make([]*mention, len(known))
	for k, h := range known {
		out[k] = byField[h.field]
		out[k].from = h
	}
	return out, nil
}

// answer gives the jobs of a mention their receipts.
func (b *batch) answer(m *mention) {
	for k, i := range m.which {
		b.results[i].Receipt = m.receipts[k]
	}
}

// accept is the acceptor of a job that somebody asks for.
func accept(h *held, job Job, now int64) (next *entry, receipt Receipt) {
	receipt = Receipt{VideoID: job.VideoID, State: h.state(), Duplicate: true}
	if h.entry != nil {
		next = h.entry.clone()
		changed := next.merge(job)
		if !changed {
			return nil, receipt
		}
		next.Updated = now
		return next, receipt
	}
	if h.record != nil && h.record.State == StateArchived {
		return nil, receipt
	}
	next = h.afresh(now)
	next.Priority = job.Priority
	next.Metadata = maps.Clone(job.Metadata)
	next.Deadline = earliest(next.Deadline, millis(job.Deadline))
	return next, Receipt{VideoID: job.VideoID, State: StateAccepted}
}

// merge adds what a second job for a waiting video brings: a higher priority, new metadata keys (known keys
// keep their value), an earlier deadline. It says whether anything changed.
func (e *entry) merge(job Job) bool {
	changed := false
	if e.Priority == PriorityBackfill && job.Priority == PriorityInteractive {
		e.Priority, changed = PriorityInteractive, true
	}
	meta := maps.Clone(e.Metadata)
	for k, v := range job.Metadata {
		if _, ok := meta[k]; ok || metadataSize(meta)+len(k)+len(v) > MaxMetadata {
			continue
		}
		if meta == nil {
			meta = map[string]string{}
		}
		meta[k] = v
		changed = true
	}
	e.Metadata = meta
	if d := earliest(e.Deadline, millis(job.Deadline)); d != e.Deadline {
		e.Deadline, changed = d, true
	}
	return changed
}

// earliest of two times where 0 is unknown.
func earliest(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
