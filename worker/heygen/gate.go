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

const (
	// keyPause is how long a refused key keeps everybody away: only a person can mend it.
	keyPause = time.Minute
	// blink is the wait that goes with a request whose answer says nothing about HeyGen: it is no success, and a gate
	// that closes for a millisecond stays open for all who come by.
	blink = time.Millisecond
	// leaving bounds how long a gate that is out of reach can hold up who only wants to leave.
	leaving = 2 * time.Second
)

// turn is one question to HeyGen. It may take several requests (the other generation, a look at the list), and often
// only the last shows what the first answer was worth: a retired generation answers with web pages for ever, which is no outage.
// So the gate is told of all but the last request that they came back, and of the last how the question ended.
//
// Every request enters by itself: a gate that counts who is inside must not be asked for a second place by one who holds
// the first. A turn serves one goroutine.
type turn struct {
	*Client
	inside bool // the gate waits to be told of a request
	fine   bool // that request was answered as it should be
}

func (c *Client) turn() *turn { return &turn{Client: c} }

// enter asks the gate for one more request.
func (t *turn) enter(ctx context.Context, api string) error {
	if t.cfg.Gate == nil {
		return nil
	}
	if t.fine {
		t.tell(ctx, "", 0)
	} else {
		t.tell(ctx, "doubtful", blink)
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
	t.inside, t.fine = true, false
	return nil
}

// closed is what a caller hears whom the gate did not let in.
func (t *turn) closed(wait time.Duration, why, api string) *Error {
	e := &Error{Kind: Kind(why), Wait: wait, api: api, closed: true}
	switch e.Kind {
	case Throttled, Down, Unauthorized, Unintelligible:
	default:
		e.Kind = Down
	}
	e.Message = fmt.Sprintf("the fleet waits %s before it asks again", wait.Round(time.Millisecond))
	return e
}

// end closes the question: the gate is told, and an error learns how its hint has to call the key.
func (t *turn) end(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if ok {
		e.key = t.cfg.KeySetting
	}
	switch {
	case err == nil:
		t.tell(ctx, "", 0)
	case !ok && ctx.Err() != nil:
		t.tell(ctx, "given_up", blink)
	case !ok:
		t.tell(ctx, "", 0) // ErrUnsupported is an answer
	default:
		why, wait := e.closes()
		t.tell(ctx, why, wait)
	}
	return err
}

// closes says what an error means for everybody else who asks.
func (e *Error) closes() (why string, wait time.Duration) {
	switch e.Kind {
	case Throttled, Down:
		return string(e.Kind), e.Wait
	case Unauthorized:
		return string(e.Kind), keyPause
	case Unintelligible:
		if e.foreign {
			return string(e.Kind), e.Wait
		}
		return string(e.Kind), blink // it is about one video or one page
	}
	return "", 0
}

// tell reports the request that is inside, if there is one. A caller who has given up must still be counted out.
func (t *turn) tell(ctx context.Context, why string, wait time.Duration) {
	if !t.inside {
		return
	}
	t.inside = false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	t.cfg.Gate.Leave(ctx, why, wait)
}
