package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// askAgain is the Retry-After of an answer that depends on something that is out of reach.
const askAgain = 5 * time.Second

const storeAway = "the store is out of reach"

// trouble turns an error into an answer. Addresses of Redis and store stay inside; the log has them.
func (a *api) trouble(err error, hint string) error {
	var p *problem.Problem
	var damaged *queue.EntryError
	var unreachable *storage.UnreachableError
	var storeRefused *storage.RefusedError
	var redisRefused *queue.RedisError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, queue.ErrUnknown), errors.Is(err, queue.ErrInvalidJob):
		return unknown()
	case errors.Is(err, queue.ErrSettled):
		return problem.New(http.StatusConflict, "archived", "it is archived already: there is nothing left to cancel", "what is archived stays")
	case errors.As(err, &damaged):
		return problem.New(http.StatusInternalServerError, "unreadable", damaged.Error(), "enqueue it again, that replaces it")
	case errors.As(err, &unreachable), errors.As(err, &storeRefused):
		return a.away(err, storeAway, hint)
	case queue.IsAway(err), errors.As(err, &redisRefused), errors.Is(err, context.DeadlineExceeded):
		return a.away(err, "Redis, where every accepted video is written down, is out of reach", hint)
	case errors.Is(err, context.Canceled):
		return a.away(err, "the request was broken off", hint)
	}
	a.Log.Error("a request could not be answered", "err", secret.Scrub(err.Error()))
	return problem.New(http.StatusInternalServerError, "internal", "something is wrong with reelkeep itself", "its log tells more")
}

func (a *api) away(err error, detail, hint string) error {
	a.Log.Debug("a request was not answered", "err", secret.Scrub(err.Error()))
	if hint == "" {
		hint = "ask again in a moment"
	}
	p := problem.New(http.StatusServiceUnavailable, "unavailable", detail, hint)
	p.RetryAfter = askAgain
	return p
}

// unknown is the answer about a video that nobody knows, or that the caller must not know of.
func unknown() error {
	return problem.New(http.StatusNotFound, "unknown", "this video is neither archived nor waiting", "hand it in: POST /api/v1/videos")
}

func invalidValue(location, message string) error {
	p := problem.New(http.StatusUnprocessableEntity, "invalid", "the request is not valid", "see errors, and /docs")
	p.Errors = []problem.Field{{Location: location, Message: message}}
	return p
}

// mostFields bounds what an answer says about a request in which everything is wrong.
const mostFields = 20

// inOurWords turns what the framework says about a request into a problem document of ours.
func inOurWords(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code, hint := codeAndHint(e.Status)
	p := problem.New(e.Status, code, e.Detail, hint)
	for _, d := range e.Errors {
		if d != nil && len(p.Errors) < mostFields {
			p.Errors = append(p.Errors, problem.Field{Location: d.Location, Message: d.Message})
		}
	}
	return p, nil
}

func codeAndHint(status int) (code, hint string) {
	switch status {
	case http.StatusBadRequest:
		return "malformed", "the body has to be a JSON object; see /docs"
	case http.StatusRequestTimeout:
		return "too_slow", "send the body faster, or in smaller requests"
	case http.StatusRequestEntityTooLarge:
		return "too_large", "send fewer ids at once, or less metadata"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type", "send JSON, with Content-Type: application/json"
	case http.StatusUnprocessableEntity:
		return "invalid", "see errors, and /docs"
	}
	return "internal", ""
}
