package queue

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	keyRecent = "{reelkeep}:recent" // zset: account/id of sealed videos by the time of their seal
	// keyReach is how far back keyRecent goes. score and field name the newest video that was dropped from it, so that it
	// holds every sealed video above that; filled is when a server last looked for what it lacks.
	keyReach = "{reelkeep}:recent:reach"
)

const (
	// maxRecent bounds keyRecent: a million archived videos must not each cost Redis a second mark.
	maxRecent = 10_000
	// spareRecent more are let in before those above maxRecent are dropped. To find them takes the embedded Redis a look at
	// all of them.
	spareRecent = 500
)

// rememberLua is for the scripts that may add a video to keyRecent. What is older than the newest ever dropped stays
// out, or there would be a gap behind which nobody looks.
func rememberLua() string {
	return strings.NewReplacer("KEEP", strconv.Itoa(maxRecent), "MOST", strconv.Itoa(maxRecent+spareRecent)).Replace(`
local function remember(recent, reach, score, field)
	local at, floor = tonumber(score), redis.call('HMGET', reach, 'score', 'field')
	local bottom = floor[1] and tonumber(floor[1])
	if bottom and (at < bottom or at == bottom and field <= floor[2]) then
		redis.call('ZREM', recent, field)
		return
	end
	redis.call('ZADD', recent, score, field)
	if redis.call('ZCARD', recent) > MOST then
		local over = redis.call('ZREVRANGE', recent, KEEP, KEEP, 'WITHSCORES')
		redis.call('ZREMRANGEBYRANK', recent, 0, -KEEP - 1)
		redis.call('HSET', reach, 'score', over[2], 'field', over[1])
	end
end`)
}

// sealedAt is the place of a sealed video in keyRecent; 0: it has none.
func (e *entry) sealedAt() int64 { return sealedAt(e.State, e.Sealed, e.Updated) }

// sealedAt takes the time of a video's last change for that of a seal that nobody has noted.
func sealedAt(state State, sealed, updated int64) int64 {
	if state != StateArchived && state != StatePartial {
		return 0
	}
	return cmp.Or(sealed, updated)
}

// mark is a place in keyRecent. Redis orders by time, then by name.
type mark struct {
	at    int64
	field string
}

// mark is where the video belongs in keyRecent; zero: it is not sealed.
func (h *held) mark() mark {
	var at int64
	switch {
	case h.entry != nil:
		at = h.entry.sealedAt()
	case h.record != nil:
		at = sealedAt(h.record.State, h.record.Sealed, h.record.Settled)
	}
	if at == 0 {
		return mark{}
	}
	return mark{at, h.field}
}

// before says whether m is older than other.
func (m mark) before(other mark) bool {
	return m.at < other.at || m.at == other.at && m.field < other.field
}

// within is the same place for whoever may know of one account alone: what he is given names no video of another. Behind it come
// exactly the account's marks that come behind m.
func (m mark) within(account string) mark {
	first := fieldOf(account, "") // sorts before all of its videos
	switch {
	case account == "" || m == (mark{}) || strings.HasPrefix(m.field, first):
	case first < m.field:
		m.field = account + "0" // "0" comes next to "/": this sorts behind all of its videos, none of which was passed
	default:
		m.field = first
	}
	return m
}

func (m mark) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte("r." + strconv.FormatInt(m.at, 36) + "." + m.field))
}

func parseMark(text string) (mark, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	parts := strings.SplitN(string(raw), ".", 3)
	if err != nil || len(parts) != 3 || parts[0] != "r" || parts[2] == "" {
		return mark{}, ErrCursor
	}
	at, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil || at <= 0 {
		return mark{}, ErrCursor
	}
	return mark{at, parts[2]}, nil
}

// Recent returns up to limit sealed videos (archived and partial), those sealed last first, from where cursor says on;
// "" is the newest. It reaches back over at least the last 10,000 seals and ends there, however many there are: Page walks over
// all. A page may hold fewer than limit, even none, though there are more: only an empty Next is the end. Videos that
// are sealed meanwhile move nothing. In a Redis that an older version has filled, the first server looks for what to show.
func (c *Client) Recent(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	var from mark
	if cursor != "" {
		var err error
		if from, err = parseMark(cursor); err != nil {
			return Page{}, err
		}
	}
	page, _, err := c.recentPage(ctx, f, from, limit)
	return page, err
}

// recentPage is Recent from a mark on. end is the last mark looked at.
func (c *Client) recentPage(ctx context.Context, f Filter, from mark, limit int) (page Page, end mark, err error) {
	limit = max(limit, 1)
	batch := int64(scanCount)
	if f.Account == "" && f.Text == "" { // nearly all of them match
		batch = min(batch, int64(limit))
	}
	for until := c.now().Add(pageTime); ; {
		marks, err := c.ledger.recent(ctx, from, batch)
		if err != nil {
			return Page{}, mark{}, err
		}
		if len(marks) == 0 {
			return page, from.within(f.Account), nil
		}
		found, last, err := c.ledger.sealed(ctx, f, marks, limit-len(page.Videos))
		if err != nil {
			return Page{}, mark{}, err
		}
		page.Videos = append(page.Videos, found...)
		from = last
		if len(page.Videos) >= limit || c.now().After(until) {
			from = from.within(f.Account)
			page.Next = from.String()
			return page, from, nil
		}
	}
}

// recent reads the next marks behind from, a batch at the most; the zero mark is the beginning. None is the end.
func (l *ledger) recent(ctx context.Context, from mark, batch int64) ([]mark, error) {
	top := "+inf"
	if from != (mark{}) {
		top = strconv.FormatInt(from.at, 10)
	}
	for skip := int64(0); ; skip += batch { // more may share the time of from than one batch holds
		zs, err := l.rdb.ZRevRangeByScoreWithScores(ctx, keyRecent, &redis.ZRangeBy{Min: "-inf", Max: top, Offset: skip, Count: batch}).Result()
		if err != nil {
			return nil, Explain(fmt.Errorf("list recent videos: %w", err))
		}
		marks := make([]mark, 0, len(zs))
		for _, z := range zs {
			field, _ := z.Member.(string)
			if m := (mark{int64(z.Score), field}); from == (mark{}) || m.before(from) {
				marks = append(marks, m)
			}
		}
		if len(marks) > 0 || int64(len(zs)) < batch {
			return marks, nil
		}
	}
}

// sealed reads what is at the marks: up to limit videos that match. last is the last mark looked at. A version from
// before there were marks leaves those of videos that are not sealed any more, or were sealed anew.
func (l *ledger) sealed(ctx context.Context, f Filter, marks []mark, limit int) (found []Status, last mark, err error) {
	fields := make([]string, len(marks))
	for i, m := range marks {
		fields[i] = m.field
	}
	hs, err := l.read(ctx, fields...)
	if err != nil {
		return nil, mark{}, err
	}
	for i, h := range hs {
		last = marks[i]
		if st, err := h.status(); err == nil && h.mark() == marks[i] && f.match(st) {
			found = append(found, st)
		}
		if len(found) >= limit {
			break
		}
	}
	return found, last, nil
}
