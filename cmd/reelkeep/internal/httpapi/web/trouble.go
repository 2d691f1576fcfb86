package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// trouble tells what stands in the way. Addresses of Redis and store stay inside; the log has them.
func (h *Handler) trouble(ctx context.Context, err error) *notice {
	var p *problem.Problem
	var damaged *queue.EntryError
	var redisRefused *queue.RedisError
	var storeAway *storage.UnreachableError
	var storeRefused *storage.RefusedError
	switch {
	case errors.As(err, &p):
		return &notice{Bad: true, Text: p.Detail, Hint: p.Hint, status: p.Status}
	case errors.Is(err, queue.ErrUnknown), errors.Is(err, queue.ErrInvalidJob):
		return &notice{Bad: true, Text: "This video is neither archived nor waiting.", Hint: "Hand it in: reelkeep enqueue ID, or POST /api/v1/videos.", status: http.StatusNotFound}
	case errors.Is(err, queue.ErrSettled):
		return &notice{Bad: true, Text: "It is archived already: there is nothing left to cancel.", status: http.StatusConflict}
	case errors.As(err, &damaged):
		return &notice{Bad: true, Text: "What Redis holds about this video can't be read.", Hint: "Enqueue it again, that replaces it.", status: http.StatusInternalServerError}
	}
	n := &notice{Bad: true, status: http.StatusServiceUnavailable}
	switch {
	case errors.As(err, &storeAway), errors.As(err, &storeRefused):
		n.Text, n.Hint = "The store is out of reach.", "Load the page again in a moment; /readyz tells more."
	case queue.IsAway(err), errors.As(err, &redisRefused), errors.Is(err, context.DeadlineExceeded):
		n.Text = "Redis is out of reach: what waits and what runs can't be told at the moment."
		n.Hint = "Nothing is lost. What is archived still plays: search for a whole video id, or open its permalink."
	case ctx.Err() != nil:
		n.Text = "The request was broken off."
	default:
		h.Log.Error("a page could not be filled", "err", secret.Scrub(err.Error()))
		n.Text, n.Hint, n.status = "Something is wrong with reelkeep itself.", "Its log tells more.", http.StatusInternalServerError
		return n
	}
	h.Log.Debug("a page was not filled", "err", secret.Scrub(err.Error()))
	return n
}
