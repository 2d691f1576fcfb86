package heygen

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// memory knows which generation of the API answers at this address.
type memory struct {
	fixed string // Config.Version

	mu     sync.Mutex
	proven string // "" until one gave an intelligible answer
}

// order returns the generations to ask, the likelier first. sure says that the first has answered before.
func (m *memory) order() (generations []string, sure bool) {
	if m.fixed != VersionAuto {
		return []string{m.fixed}, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proven == VersionV1 {
		return []string{VersionV1, VersionV3}, true
	}
	return []string{VersionV3, VersionV1}, m.proven != ""
}

// prove notes that a generation answered, and says whether that is news.
func (m *memory) prove(generation string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := m.fixed == VersionAuto && m.proven != generation
	m.proven = generation
	return news
}

func (c *Client) remember(ctx context.Context, generation string) {
	if c.memory.prove(generation) {
		c.cfg.Log.DebugContext(ctx, "heygen generation found", "api", generation)
	}
}

// ask puts a question to the generation that is likely to answer, and to the other one where the first answer leaves open
// whether the other would know better. It returns which generation the result came from.
func ask[T any](ctx context.Context, t *turn, try func(ctx context.Context, api string) (T, error)) (T, string, error) {
	generations, sure := t.memory.order()
	api := generations[0]
	got, err := try(ctx, api)
	if err == nil {
		t.remember(ctx, api)
		return got, api, nil
	}
	first, ok := errors.AsType[*Error](err)
	if !ok || len(generations) == 1 || !first.doubtful(sure) {
		return got, api, err
	}
	got, err = try(ctx, generations[1])
	if err == nil {
		if !first.outage() {
			t.remember(ctx, generations[1])
		}
		return got, generations[1], nil
	}
	second, ok := errors.AsType[*Error](err)
	if !ok {
		return got, generations[1], err
	}
	return got, api, weigh(first, second, sure)
}

// outage says that a server had a bad moment. The other generation may help out, but is not preferred from then on.
func (e *Error) outage() bool { return e.Kind == Down && !e.absent }

// doubtful says whether the other generation should be asked before this error is believed. sure: this generation has
// answered before, so only the loss of its endpoint raises doubt. And when v1, whose end is announced, says "no such video"
// with a code never seen for it, it may be speaking of itself: believing it would write off every video of the account.
func (e *Error) doubtful(sure bool) bool {
	if e.absent {
		return true
	}
	if e.closed {
		return false
	}
	if sure {
		return e.api == VersionV1 && e.Kind == NotFound && !e.telling
	}
	switch e.Kind {
	case Unauthorized, Forbidden, NotFound, Unintelligible, BadRequest:
		return true
	case Down:
		return e.HTTPStatus >= http.StatusInternalServerError
	}
	return false
}

// weigh picks the error to believe when both generations gave one. "Not found" ends the life of a job, so it is only
// believed if the other generation did not leave it open.
func weigh(first, second *Error, sure bool) *Error {
	switch {
	case second.closed:
		return second
	case first.absent && sure && second.Kind != NotFound:
		return first
	case first.absent && second.absent:
		if second.HTTPStatus == http.StatusNotFound {
			return second
		}
		return first
	case first.absent, first.Kind == Unintelligible, first.Kind == BadRequest:
		if second.absent || second.Kind == Unintelligible {
			return first
		}
		return second
	case first.Kind == NotFound && !second.absent:
		switch second.Kind {
		case Down, Throttled, Unintelligible:
			return second
		}
	}
	return first
}
