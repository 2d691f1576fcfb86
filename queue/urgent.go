package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// urgentBatch and urgentReach bound how far Urgent looks for the videos of one account among those of the others.
	urgentBatch = 1000
	urgentReach = 10_000
)

// Urgent returns the unsealed videos of an account, or of all of them (""), that matter most to whoever looks on, at most
// limit: those at risk, the earliest deadline first, then those that are transferred just now, then the others by their
// deadlines. It reads no more than it needs for that, so it may be called every second. Of an account with a small part
// of a long queue it may leave out videos before which 10,000 others are due.
func (c *Client) Urgent(ctx context.Context, account string, limit int) ([]Status, error) {
	flights, err := c.ledger.rdb.ZRange(ctx, keyFlight(StepTransfer), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("look at what is urgent: %w", err)
	}
	due, err := c.due(ctx, account, limit)
	if err != nil {
		return nil, fmt.Errorf("look at what is urgent: %w", err)
	}
	var moving []string
	for _, m := range flights {
		if field, _, ok := splitFlight(m); ok && ofAccount(field, account) {
			moving = append(moving, field)
		}
	}
	slices.Sort(moving)
	fields := slices.Concat(due, moving[:min(limit, len(moving))])
	slices.Sort(fields)
	out, err := c.those(ctx, slices.Compact(fields), func(s Status) bool { return s.SealedAt == nil && !s.State.Settled() })
	if err != nil {
		return nil, err
	}
	c.sortUrgent(out)
	return out[:min(limit, len(out))], nil
}

// due are the first of an account's unsealed videos, by deadline.
func (c *Client) due(ctx context.Context, account string, limit int) (fields []string, err error) {
	for from := int64(0); from < urgentReach && len(fields) < limit; from += urgentBatch {
		batch := int64(urgentBatch)
		if account == "" {
			batch = int64(limit)
		}
		members, err := c.ledger.rdb.ZRange(ctx, keyDeadlines, from, from+batch-1).Result()
		if err != nil {
			return nil, err
		}
		for _, field := range members {
			if ofAccount(field, account) && len(fields) < limit {
				fields = append(fields, field)
			}
		}
		if account == "" || len(members) < urgentBatch {
			break
		}
	}
	return fields, nil
}

func ofAccount(field, account string) bool {
	of, _, _ := strings.Cut(field, "/")
	return account == "" || of == account
}

func (c *Client) sortUrgent(list []Status) {
	now := c.now()
	rank := func(s Status) int {
		switch {
		case s.AtRisk(now):
			return 0
		case s.Working && s.State == StateTransferring:
			return 1
		}
		return 2
	}
	due := func(s Status) int64 {
		if s.Deadline == nil {
			return s.AcceptedAt.Add(linkLife).UnixMilli()
		}
		return s.Deadline.UnixMilli()
	}
	slices.SortStableFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(due(a), due(b)), cmp.Compare(a.Account, b.Account), cmp.Compare(a.VideoID, b.VideoID))
	})
}
