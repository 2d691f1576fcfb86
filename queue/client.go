package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Client hands jobs in and asks where they stand. It is safe for use by several goroutines.
//
// Its methods answer with ErrUnknown, ErrSettled and errors that wrap ErrInvalidJob, to be told apart by errors.Is.
// Any other error is Redis's, or the context's: nothing is known then of what was asked for, and asking again is
// harmless. go-redis has tried a few times before, for some ten seconds at the most.
type Client struct {
	ledger  *ledger
	owned   bool
	now     func() time.Time
	kick    func()
	syncer  *syncer
	budgets *budgets
	stuck   atomic.Bool // a server on this connection has not stopped
}

// NewClient connects to the Redis that url names; see Connect for the forms. The connection is made when it is
// first needed, so an error is always about the URL. It names REELKEEP_REDIS and never repeats what it holds.
func NewClient(url string) (*Client, error) {
	rdb, err := Connect(url)
	if err != nil {
		return nil, err
	}
	c := NewClientFromRedis(rdb)
	c.owned = true
	return c, nil
}

// NewClientFromRedis uses a connection the caller keeps: Close leaves it open. Set ContextTimeoutEnabled on it,
// or a deadline will not interrupt a call to a Redis that hangs.
func NewClientFromRedis(rdb redis.UniversalClient) *Client {
	return &Client{ledger: newLedger(rdb), now: time.Now, kick: func() {}, syncer: new(syncer), budgets: newBudgets()}
}

// Close ends the connection if NewClient made it. It stays open after ErrNotStopped: the process is about to end.
func (c *Client) Close() error {
	if !c.owned || c.stuck.Load() {
		return nil
	}
	return c.ledger.rdb.Close()
}

// NewServer returns a server on the client's connection; see NewServer. The client must not be closed before the
// server's Run has returned.
func (c *Client) NewServer(cfg ServerConfig, h Handler) (*Server, error) {
	s, err := NewServer(c.ledger.rdb, cfg, h)
	if err != nil {
		return nil, err
	}
	s.stuck = func() { c.stuck.Store(true) }
	return s, nil
}

// Check looks whether Redis is what it must be; see CheckRedis.
func (c *Client) Check(ctx context.Context) ([]Warning, error) { return CheckRedis(ctx, c.ledger.rdb) }

// CheckFingerprint says whether the fleet behind this Redis has this fingerprint, which becomes its own if it has none
// yet. The error is a *FingerprintError, or Redis is out of reach.
func (c *Client) CheckFingerprint(ctx context.Context, fingerprint string) error {
	return checkFingerprint(ctx, c.ledger.rdb, fingerprint)
}

// Fingerprint is the fingerprint of the fleet behind this Redis; "" if it has none yet.
func (c *Client) Fingerprint(ctx context.Context) (string, error) {
	theirs, err := c.ledger.rdb.Get(ctx, keyFingerprint).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", Explain(fmt.Errorf("read fingerprint: %w", err))
	}
	return theirs, nil
}

// Status says where a video of the default account stands, or ErrUnknown if it was never handed in. It asks Redis
// alone: neither HeyGen nor the archive is contacted.
func (c *Client) Status(ctx context.Context, videoID string) (Status, error) {
	return c.StatusIn(ctx, DefaultAccount, videoID)
}

// StatusIn is Status for a video of any account; "" is DefaultAccount.
func (c *Client) StatusIn(ctx context.Context, account, videoID string) (Status, error) {
	h, err := c.held(ctx, account, videoID)
	if err != nil {
		return Status{}, err
	}
	return h.status()
}

func (h *held) status() (Status, error) {
	switch {
	case h.entry != nil:
		return h.entry.status(h.prog), nil
	case h.record != nil:
		return h.record.status(h.field), nil
	case h.unreadable != nil:
		account, id := splitField(h.field)
		return Status{}, &EntryError{VideoID: id, Account: account, Err: h.unreadable}
	}
	return Status{}, fmt.Errorf("status of %s: %w", h.field, ErrUnknown)
}

func (c *Client) held(ctx context.Context, account, videoID string) (*held, error) {
	job, err := Job{VideoID: videoID, Account: account}.normalize()
	if err != nil {
		return nil, err
	}
	hs, err := c.ledger.read(ctx, fieldOf(job.Account, job.VideoID))
	if err != nil {
		return nil, err
	}
	return hs[0], nil
}

// Retry makes the video due at once and forgets its failures; a failed, gone or cancelled one starts afresh. For an
// archived video it changes nothing and says so in the receipt. A video that was never handed in is ErrUnknown.
// account "" is DefaultAccount.
func (c *Client) Retry(ctx context.Context, account, videoID string) (Receipt, error) {
	var receipt Receipt
	err := c.change(ctx, account, videoID, func(h *held, now int64) (*change, error) {
		receipt = Receipt{VideoID: videoID, State: h.state(), Duplicate: true}
		switch {
		case h.entry != nil:
			next := h.entry.clone()
			next.Failures, next.Updated = 0, now
			if !next.Flight {
				next.Due = 0
			}
			return &change{from: h, next: next, now: now}, nil
		case h.record == nil:
			return nil, fmt.Errorf("retry %s: %w", h.field, ErrUnknown)
		case h.record.State == StateArchived:
			return nil, nil
		}
		receipt = Receipt{VideoID: videoID, State: StateAccepted}
		return &change{from: h, next: h.afresh(now), now: now}, nil
	})
	if err != nil {
		return Receipt{}, err
	}
	c.kick()
	return receipt, nil
}

// Cancel ends the video; a worker that has it in hand hears of it within a few seconds (ErrCancelled). What is
// sealed stays: cancelling an archived video is ErrSettled, cancelling any other settled one changes nothing. A video
// that was never handed in is ErrUnknown. account "" is DefaultAccount.
func (c *Client) Cancel(ctx context.Context, account, videoID string) error {
	var done *entry
	err := c.change(ctx, account, videoID, func(h *held, now int64) (*change, error) {
		done = nil
		switch {
		case h.entry != nil:
			done = h.entry.clone()
			done.State, done.Reason, done.Updated = StateCancelled, "", now
			return &change{from: h, done: done, now: now}, nil
		case h.record == nil:
			return nil, fmt.Errorf("cancel %s: %w", h.field, ErrUnknown)
		case h.record.State == StateArchived:
			return nil, fmt.Errorf("cancel %s: %w", h.field, ErrSettled)
		}
		return nil, nil
	})
	if err != nil || done == nil {
		return err
	}
	// A server tells of it (OnChange): a client may be gone the next moment. The video is cancelled whether or not this arrives.
	_ = c.ledger.rdb.RPush(ctx, keyCancelled, done.field()).Err()
	c.kick()
	return nil
}

// afresh starts a settled video again, keeping what the index knows of it.
func (h *held) afresh(now int64) *entry {
	account, id := splitField(h.field)
	e := &entry{ID: id, Account: account, Priority: PriorityInteractive, State: StateAccepted, Step: StepStatus,
		Accepted: now, Updated: now, Epoch: h.epoch()}
	if r := h.record; r != nil {
		e.Title, e.Deadline, e.Metadata = r.Title, r.Deadline, r.Metadata
	}
	return e
}

var errContended = errors.New("queue: the video keeps changing under our hands; try again")

// maxContention bounds compare-and-set loops. A video is changed by one worker and a person or two, so that even
// a handful of defeats in a row means a bug, not load.
const maxContention = 20

// change reads, decides and writes until nobody interferes. decide may return nil: nothing to do.
func (c *Client) change(ctx context.Context, account, videoID string, decide func(*held, int64) (*change, error)) error {
	for range maxContention {
		h, err := c.held(ctx, account, videoID)
		if err != nil {
			return err
		}
		ch, err := decide(h, c.now().UnixMilli())
		if err != nil || ch == nil {
			return err
		}
		acc, _ := splitField(h.field)
		done, err := c.ledger.apply(ctx, acc, []change{*ch})
		if err != nil {
			return err
		}
		if done[0] == 1 {
			return nil
		}
	}
	return fmt.Errorf("change %s: %w", videoID, errContended)
}
