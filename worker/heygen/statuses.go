package heygen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Statuses asks for many videos at once, without links. Ids that HeyGen leaves out of its answer are left out of the result,
// so that nobody takes silence for "not found". ErrUnsupported where only v1 answers.
func (c *Client) Statuses(ctx context.Context, ids []string) (map[string]Status, error) {
	words, err := c.words(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Status, len(words))
	for id, word := range words {
		out[id] = bulkStatus(word)
	}
	return out, nil
}

// words is Statuses in HeyGen's own words.
func (c *Client) words(ctx context.Context, ids []string) (map[string]string, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !ValidID(id) {
			return nil, fmt.Errorf("ask HeyGen for the status of %q: %w", c.clean(id), ErrInvalidID)
		}
		wanted[id] = true
	}
	if len(wanted) == 0 {
		return map[string]string{}, nil
	}
	if _, sure := c.memory.order(); !sure {
		if err := c.Check(ctx); err != nil {
			return nil, err
		}
	}
	if generations, _ := c.memory.order(); generations[0] != VersionV3 {
		return nil, fmt.Errorf("ask HeyGen for %d statuses: %w", len(ids), ErrUnsupported)
	}
	out := make(map[string]string, len(wanted))
	for batch := range slices.Chunk(ids, pageSize) {
		t := c.turn()
		if err := t.end(ctx, t.bulk(ctx, batch, wanted, out)); err != nil {
			return nil, fmt.Errorf("ask HeyGen for %d statuses: %w", len(batch), err)
		}
	}
	return out, nil
}

// bulk asks for one batch and notes in out what was wanted.
func (t *turn) bulk(ctx context.Context, batch []string, wanted map[string]bool, out map[string]string) error {
	r := request{endpoint: "statuses", api: VersionV3, path: "/v3/videos/statuses", query: url.Values{"video_ids": {strings.Join(batch, ",")}}}
	for tokens := map[string]bool{}; ; {
		f, a, err := t.get(ctx, r)
		if e, ok := errors.AsType[*Error](err); ok && e.notOffered() {
			return ErrUnsupported
		}
		if err != nil {
			return err
		}
		p, why := readPage(f)
		if why != "" {
			return t.unintelligible(a, why)
		}
		for _, raw := range p.items {
			item, _ := object(raw)
			if id := item.text("video_id", "id"); wanted[id] {
				out[id] = item.text("status")
			}
		}
		if p.next == "" || tokens[p.next] {
			return nil
		}
		tokens[p.next] = true
		r.query.Set("token", p.next)
	}
}

// notOffered says whether the error means that v3 does not have the call: it takes "statuses" for a video id that it does
// not know, or knows no such path. A web page with any other status is an outage: taking it for the lack of a call would
// turn one call into a hundred at the worst moment.
func (e *Error) notOffered() bool {
	switch e.HTTPStatus {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusUpgradeRequired, http.StatusNotImplemented:
		return true
	}
	return false
}

func bulkStatus(word string) Status {
	if strings.EqualFold(word, "not_found") {
		return StatusNotFound
	}
	return status(word)
}
