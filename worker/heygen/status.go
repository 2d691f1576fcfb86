package heygen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Video asks for one video, with fresh links. A failed render is no error: see Video.Failure.
// An error is an *Error, ErrInvalidID, or the cause for which ctx ended.
func (c *Client) Video(ctx context.Context, id string) (*Video, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("ask HeyGen for video %q: %w", c.clean(id), ErrInvalidID)
	}
	t := c.turn()
	v, _, err := ask(ctx, t, func(ctx context.Context, api string) (*Video, error) { return t.detail(ctx, api, id) })
	if e, ok := errors.AsType[*Error](err); ok {
		err = t.settle(ctx, e)
	}
	if err = t.end(ctx, err); err != nil {
		return nil, fmt.Errorf("ask HeyGen for video %s: %w", id, err)
	}
	return v, nil
}

// detail asks one generation for one video.
func (t *turn) detail(ctx context.Context, api, id string) (*Video, error) {
	r := request{endpoint: "status", api: api, path: "/v3/videos/" + id}
	if api == VersionV1 {
		r.path, r.query = "/v1/video_status.get", url.Values{"video_id": {id}}
	}
	f, a, err := t.get(ctx, r)
	if err != nil {
		return nil, err
	}
	data, ok := object(f["data"])
	if !ok || data.text("status") == "" {
		return nil, t.unintelligible(a, "no status in it")
	}
	v := t.video(api, data, a.body)
	// Some bodies lack the id; one with another id describes another video, and its links must not be archived under ours.
	if v.ID != "" && v.ID != id && data.text("video_id") != id {
		return nil, t.unintelligible(a, "it describes another video")
	}
	v.ID = id
	return v, nil
}

// settle decides by looking what two kinds of answer leave open.
//
// A 404 that is not in HeyGen's envelope says that a path is missing, or was written by something in between: if the list
// of a generation answers, the endpoint is there and the video is what is missing.
//
// A 400 of v1 may be a throttle: it concerns the key, so the list is refused as well; or the request, and then only that.
func (t *turn) settle(ctx context.Context, e *Error) error {
	switch {
	case e.absent && e.HTTPStatus == http.StatusNotFound:
		if _, api, err := ask(ctx, t, t.peek); err == nil {
			return &Error{Kind: NotFound, HTTPStatus: e.HTTPStatus, Code: e.Code, Message: e.Message, RequestID: e.RequestID, api: api}
		}
	case e.api == VersionV1 && e.Kind == BadRequest && e.HTTPStatus == http.StatusBadRequest && !e.telling:
		if _, err := t.peek(ctx, e.api); KindOf(err) == Throttled {
			return err
		}
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return e
}

// peek makes the cheapest call there is.
func (t *turn) peek(ctx context.Context, api string) (page, error) {
	return t.page(ctx, api, cursor{limit: 1})
}

// Check makes one cheap call that only a good key passes.
func (c *Client) Check(ctx context.Context) error {
	t := c.turn()
	_, _, err := ask(ctx, t, t.peek)
	if err = t.end(ctx, err); err != nil {
		return fmt.Errorf("check the HeyGen key: %w", err)
	}
	return nil
}
