package heygen

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Gate is asked before every request and told how it went. It is how all who ask HeyGen with one key share one budget, and
// stay away together when HeyGen asks for it.
type Gate interface {
	// Enter waits for a turn. closed > 0 says: not now, come back after that long; why is the word that closed it.
	Enter(ctx context.Context) (closed time.Duration, why string, err error)
	// Leave tells how the request ended. why == "": HeyGen answered as it should (a 404 of HeyGen's own is that too).
	// Otherwise the gate closes for wait, or, where wait is 0, for a time that it chooses.
	Leave(ctx context.Context, why string, wait time.Duration)
}

// Inconclusive is the word with which a request leaves that tells nothing of how HeyGen is: its caller gave up, or what it was
// asked for was never settled. It MUST NOT close the gate, nor count as an answer as it should be.
const Inconclusive = "inconclusive"

const (
	// keyPause is how long a refused key keeps everybody away: only a person can mend it.
	keyPause = time.Minute
	// leaving bounds how long a gate that is out of reach can hold up who only wants to leave.
	leaving = 2 * time.Second
)

// turn is one question to HeyGen. It may take several requests (the other generation, a look at the list), and often
// only the last shows what the first answer was worth: a retired generation answers with web pages for ever, which is no outage.
// So the gate is told of all of them at the end. A turn serves one goroutine.
type turn struct {
	*Client
	inside int // requests that the gate let in
}

func (c *Client) turn() *turn { return &turn{Client: c} }

// enter asks the gate for one more request.
func (t *turn) enter(ctx context.Context, api string) error {
	if t.cfg.Gate == nil {
		return nil
	}
	closed, why, err := t.cfg.Gate.Enter(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return ended(ctx)
	case err != nil:
		return &Error{Kind: Down, Message: t.clean("no turn could be had: " + err.Error()), api: api, closed: true}
	case closed > 0:
		return t.closed(closed, why, api)
	}
	t.inside++
	return nil
}

// closed is what a caller hears whom the gate did not let in. A word that is none of ours is the gate's own, such as when
// what the fleet allows itself is used up: that is a throttle as well.
func (t *turn) closed(wait time.Duration, why, api string) *Error {
	e := &Error{Kind: Kind(why), Wait: wait, api: api, closed: true}
	switch e.Kind {
	case Throttled, Down, Unauthorized, Unintelligible:
	default:
		e.Kind, e.busy = Throttled, true
	}
	e.Message = fmt.Sprintf("the fleet waits %s: %s", wait.Round(time.Millisecond), t.clean(why))
	return e
}

// end closes the question: the gate is told, and an error learns how its hint has to call the key.
func (t *turn) end(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if ok {
		e.key = t.cfg.KeySetting
	}
	switch {
	case ok:
		why, wait := e.closes()
		t.leave(ctx, why, wait)
	case err != nil && ctx.Err() != nil:
		t.leave(ctx, Inconclusive, 0)
	default:
		t.leave(ctx, "", 0) // ErrUnsupported is an answer, too
	}
	return err
}

// closes says what an error means for everybody else who asks.
func (e *Error) closes() (why string, wait time.Duration) {
	switch {
	case e.closed:
		return Inconclusive, 0
	case e.Kind == Throttled, e.Kind == Down:
		return string(e.Kind), e.Wait
	case e.Kind == Unauthorized:
		return string(e.Kind), keyPause
	case e.Kind == Unintelligible && e.foreign:
		return string(e.Kind), e.Wait
	case e.Kind == Unintelligible: // it is about one video or one page
		return Inconclusive, 0
	}
	return "", 0
}

// leave reports every request that is inside. One whose caller has given up must still be counted out.
func (t *turn) leave(ctx context.Context, why string, wait time.Duration) {
	if t.inside == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	for ; t.inside > 0; t.inside-- {
		t.cfg.Gate.Leave(ctx, why, wait)
	}
}
