package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrCursor says that a cursor is none that Page gave.
var ErrCursor = errors.New("queue: not a cursor")

// pageTime bounds how long Page looks for videos that match: with a narrow filter there may be a million that don't.
const pageTime = 2 * time.Second

// Page is some of the videos that List would yield.
type Page struct {
	Videos []Status
	Next   string // for the next call; "" at the end
}

// Page returns up to limit videos of a walk like List's, beginning where cursor says; "" is the beginning. If the filter
// asks for archived or partial videos alone, the 10,000 that were sealed last come first, the newest before the others. A page may
// hold fewer than limit, even none, though there are more: only an empty Next is the end. Entries that can't be read
// are left out. A video that changes state between two calls may be seen twice, or not at all.
func (c *Client) Page(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	if f.sealed() {
		return c.pageSealed(ctx, f, cursor, limit)
	}
	at, err := parseCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	return c.page(ctx, f, at, limit)
}

// page walks over ledger and index.
func (c *Client) page(ctx context.Context, f Filter, at cursor, limit int) (Page, error) {
	var page Page
	for until := c.now().Add(pageTime); ; {
		if at.key = f.nextKey(at.key); at.key == keysWalked {
			return page, nil
		}
		if len(page.Videos) >= limit || len(page.Videos) > 0 && c.now().After(until) {
			page.Next = at.String()
			return page, nil
		}
		kvs, next, err := c.ledger.rdb.HScan(ctx, walked(at.key), at.scan, "", scanCount).Result()
		if err != nil {
			return Page{}, Explain(fmt.Errorf("list videos: %w", err))
		}
		found, last, err := c.ledger.take(ctx, f, at, kvs, limit-len(page.Videos))
		if err != nil {
			return Page{}, err
		}
		if at.key == 0 {
			if err := c.ledger.addProgress(ctx, found); err != nil {
				return Page{}, err
			}
		}
		page.Videos = append(page.Videos, found...)
		if at = at.after(last, next); at.scan != 0 && c.now().After(until) {
			page.Next = at.String()
			return page, nil
		}
	}
}

// walked names the hashes that a walk goes through.
func walked(key int) string { return [keysWalked]string{keyLedger, keyIndex}[key] }

const keysWalked = 2

// heldIn is a video as a hash that a walk goes through has it.
func heldIn(key int, field, raw string) *held {
	if walked(key) == keyIndex {
		return newHeld(field, "", raw, "")
	}
	return newHeld(field, raw, "", "")
}

// nextKey is the first hash, from key on, that may hold what the filter asks for: settled videos are in the index, all
// others in the ledger.
func (f Filter) nextKey(key int) int {
	settled := slices.ContainsFunc(f.States, State.Settled)
	waiting := slices.ContainsFunc(f.States, func(s State) bool { return !s.Settled() })
	switch {
	case len(f.States) == 0:
	case key == 0 && !waiting:
		return 1
	case key == 1 && !settled:
		return keysWalked
	}
	return key
}

// cursor is a place in a walk: a hash, a cursor of Redis's for it, and the last video already given of the batch that
// Redis returns there. Redis orders nothing, so a batch is put into the order of its names.
type cursor struct {
	key   int
	scan  uint64
	given string
	past  mark // how far back the walk has shown recent videos; zero: it has shown none
}

func (c cursor) String() string {
	if c.past != (mark{}) {
		return c.stringSealed()
	}
	return base64.RawURLEncoding.EncodeToString([]byte(c.place()))
}

// place is what parsePlace reads.
func (c cursor) place() string {
	return strconv.Itoa(c.key) + "." + strconv.FormatUint(c.scan, 36) + "." + c.given
}

func parseCursor(text string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, ErrCursor
	}
	return parsePlace(string(raw))
}

func parsePlace(text string) (cursor, error) {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 || len(parts[0]) != 1 || parts[0] >= strconv.Itoa(keysWalked) {
		return cursor{}, ErrCursor
	}
	key, err1 := strconv.Atoi(parts[0])
	scan, err2 := strconv.ParseUint(parts[1], 36, 64)
	if err1 != nil || err2 != nil {
		return cursor{}, ErrCursor
	}
	return cursor{key: key, scan: scan, given: parts[2]}, nil
}

// take decodes a batch: up to limit videos that match and were not given yet. last is the name of the last video looked
// at, or "" if all were.
func (c cursor) take(f Filter, kvs []string, limit int) (found []Status, last string) {
	values := map[string]string{}
	fields := make([]string, 0, len(kvs)/2)
	for i := 0; i+1 < len(kvs); i += 2 {
		if values[kvs[i]] == "" && kvs[i] > c.given { // Redis may name one twice
			fields = append(fields, kvs[i])
		}
		values[kvs[i]] = kvs[i+1]
	}
	slices.Sort(fields)
	for i, field := range fields {
		if st, err := heldIn(c.key, field, values[field]).status(); err == nil && f.match(st) {
			found = append(found, st)
		}
		if len(found) == limit && i+1 < len(fields) {
			return found, field
		}
	}
	return found, ""
}

// after is the place behind a batch: inside it, if last names a video, else where Redis says that it goes on.
func (c cursor) after(last string, next uint64) cursor {
	switch {
	case last != "":
		return cursor{c.key, c.scan, last, c.past}
	case next == 0:
		return cursor{key: c.key + 1, past: c.past}
	}
	return cursor{key: c.key, scan: next, past: c.past}
}

// addProgress adds how far waiting videos have come.
func (l *ledger) addProgress(ctx context.Context, videos []Status) error {
	if len(videos) == 0 {
		return nil
	}
	fields := make([]string, len(videos))
	for i, v := range videos {
		fields[i] = fieldOf(v.Account, v.VideoID)
	}
	hs, err := l.read(ctx, fields...)
	if err != nil {
		return err
	}
	for i, h := range hs {
		if st, err := h.status(); err == nil && h.entry != nil {
			videos[i] = st
		}
	}
	return nil
}
