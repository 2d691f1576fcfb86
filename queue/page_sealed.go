package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A walk over sealed videos begins with the recent ones, which have an order, and goes on through ledger and index. There it
// leaves out what it has shown. Its cursor is a mark at first, and then that of a plain walk behind the last mark.

// sealed says whether only sealed videos match.
func (f Filter) sealed() bool {
	return len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s State) bool { return s != StateArchived && s != StatePartial })
}

func (c *Client) pageSealed(ctx context.Context, f Filter, text string, limit int) (Page, error) {
	from, err := parseMark(text)
	if err != nil && text != "" {
		at, err := parseSealed(text)
		if err != nil {
			return Page{}, err
		}
		return c.page(ctx, f, at, limit)
	}
	page, end, err := c.recentPage(ctx, f, from, limit)
	if err != nil || page.Next != "" {
		return page, err
	}
	if rest := (cursor{past: end}); len(page.Videos) > 0 {
		page.Next = rest.String()
		return page, nil
	}
	return c.page(ctx, f, cursor{past: end}, limit)
}

func (c cursor) stringSealed() string {
	return base64.RawURLEncoding.EncodeToString([]byte("s." + strconv.FormatInt(c.past.at, 36) + "." + c.past.field + "." + c.place()))
}

func parseSealed(text string) (cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	rest, ours := strings.CutPrefix(string(raw), "s.")
	if err != nil || !ours {
		return parseCursor(text) // of a walk in which no video was recent
	}
	parts := strings.SplitN(rest, ".", 3)
	if len(parts) != 3 || parts[1] == "" {
		return cursor{}, ErrCursor
	}
	past, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil || past <= 0 {
		return cursor{}, ErrCursor
	}
	at, err := parsePlace(parts[2])
	at.past = mark{past, parts[1]}
	return at, err
}

// take is cursor.take without what the walk has shown as recent.
func (l *ledger) take(ctx context.Context, f Filter, at cursor, kvs []string, limit int) (found []Status, last string, err error) {
	if at.past == (mark{}) {
		found, last = at.take(f, kvs, limit)
		return found, last, nil
	}
	found, _ = at.take(f, kvs, len(kvs)) // most of it may have been shown
	if found, err = l.ungiven(ctx, found, at.past); err != nil || len(found) <= limit {
		return found, "", err
	}
	found = found[:limit]
	return found, markOf(found[limit-1]).field, nil
}

// ungiven leaves out the videos that a walk has shown as recent ones down to past: those that have a mark there, and
// those that have lost it to newer ones since. What was sealed meanwhile is left out too, but not what has no mark because
// another version has sealed it.
func (l *ledger) ungiven(ctx context.Context, videos []Status, past mark) ([]Status, error) {
	if len(videos) == 0 {
		return nil, nil
	}
	pipe := l.rdb.Pipeline()
	reach := pipe.HMGet(ctx, keyReach, "score", "field")
	marks := make([]mark, len(videos))
	scores := make([]*redis.FloatCmd, len(videos))
	for i, v := range videos {
		marks[i] = markOf(v)
		scores[i] = pipe.ZScore(ctx, keyRecent, marks[i].field)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, Explain(fmt.Errorf("list videos: %w", err))
	}
	at, _ := strconv.ParseInt(text(reach.Val(), 0), 10, 64) // absent: nothing was ever dropped
	dropped := mark{at, text(reach.Val(), 1)}
	out := videos[:0]
	for i, v := range videos {
		m := marks[i]
		marked := scores[i].Err() == nil && int64(scores[i].Val()) == m.at
		if m.before(past) || !marked && dropped.before(m) {
			out = append(out, v)
		}
	}
	return out, nil
}

// markOf is where a sealed video belongs among the recent ones.
func markOf(v Status) mark {
	var sealed int64
	if v.SealedAt != nil {
		sealed = millis(*v.SealedAt)
	}
	return mark{sealedAt(v.State, sealed, millis(v.UpdatedAt)), fieldOf(v.Account, v.VideoID)}
}
