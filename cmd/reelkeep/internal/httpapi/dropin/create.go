package dropin

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// longestReceipt is well above the answer to a creation, some 200 bytes.
const longestReceipt = 64 << 10

// listenIn enqueues the video that an answer names as created, so that nobody has to ask for its status first. The answer
// goes its way unchanged and waits for nothing.
func (h *Handler) listenIn(ctx context.Context, res *http.Response, account string) {
	encoding := res.Header.Get("Content-Encoding")
	if res.StatusCode < 200 || res.StatusCode > 299 || !isJSON(res.Header) || encoding != "" && encoding != "gzip" {
		return
	}
	res.Body = &overheard{ReadCloser: res.Body, over: func(body []byte) {
		if id := created(body, encoding); id != "" {
			h.enqueue(ctx, storage.VideoKey{Account: account, VideoID: id})
		}
	}}
}

// created is the id of the video that was created; "" if the answer is about something else. All generations put it into
// the same place.
func created(body []byte, encoding string) string {
	if encoding == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return ""
		}
		if body, err = io.ReadAll(io.LimitReader(unpacked, longestReceipt)); err != nil {
			return ""
		}
	}
	whole, err := parseObject(body)
	if err != nil {
		return ""
	}
	data, err := parseObject(whole.get("data"))
	if err != nil {
		return ""
	}
	if id := data.text("video_id"); heygen.ValidID(id) {
		return id
	}
	return ""
}

// overheard is a body of which a copy is kept, if it is short, until it is closed.
type overheard struct {
	io.ReadCloser
	copy []byte
	once sync.Once
	over func(body []byte)
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if len(o.copy) <= longestReceipt {
		o.copy = append(o.copy, p[:n]...)
	}
	return n, err
}

func (o *overheard) Close() error {
	o.once.Do(func() {
		if len(o.copy) <= longestReceipt {
			o.over(o.copy)
		}
	})
	return o.ReadCloser.Close()
}
