package dropin

import (
	"context"
	"encoding/json"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// lookAhead is how many manifests of a page are looked for at once.
const lookAhead = 16

// relinkList puts our links into the items of a list of either generation. What can't be read as a list stays as it is;
// so does an item that HeyGen does not call completed: it is being rendered again, and has no links of its own. What the store
// has not told in time stays as it is too.
func (h *Handler) relinkList(ctx context.Context, account string, body []byte) []byte {
	whole, err := parseObject(body)
	if err != nil {
		return body
	}
	var items []json.RawMessage
	if json.Unmarshal(whole.get("data"), &items) == nil { // v3: the items themselves
		whole.set("data", h.relinkItems(ctx, account, items))
		return whole.encode()
	}
	data, err := parseObject(whole.get("data"))
	if err != nil || json.Unmarshal(data.get("videos"), &items) != nil {
		return body
	}
	data.set("videos", h.relinkItems(ctx, account, items))
	whole.set("data", data.encode())
	return whole.encode()
}

func (h *Handler) relinkItems(ctx context.Context, account string, items []json.RawMessage) json.RawMessage {
	ctx, cancel := context.WithTimeout(ctx, h.lookTimeout)
	defer cancel()
	var looking errgroup.Group
	looking.SetLimit(lookAhead)
	for i := range items {
		looking.Go(func() error {
			if item, ok := h.relinkItem(ctx, account, items[i]); ok {
				items[i] = item
			}
			return nil
		})
	}
	_ = looking.Wait() // nothing above returns an error
	if items == nil {
		items = []json.RawMessage{}
	}
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

func (h *Handler) relinkItem(ctx context.Context, account string, raw json.RawMessage) (json.RawMessage, bool) {
	item, err := parseObject(raw)
	if err != nil || item.text("status") != "completed" {
		return nil, false
	}
	id := item.text("id")
	if id == "" {
		id = item.text("video_id")
	}
	if !heygen.ValidID(id) {
		return nil, false
	}
	m := h.sealed(ctx, storage.VideoKey{Account: account, VideoID: id})
	if m == nil {
		return nil, false
	}
	ours, err := h.links.of(m)
	if err != nil {
		h.cfg.Log.Warn("link not made", "video_id", id, "err", err)
		return nil, false
	}
	for asset, link := range ours {
		for _, name := range []string{heygen.LinkName(v3, asset), heygen.LinkName(v1, asset)} {
			if item.has(name) {
				item.set(name, link)
			}
		}
	}
	return item.encode(), true
}
