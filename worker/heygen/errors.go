package heygen

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrUnsupported says that the generation in use has no such call: bulk statuses exist in v3 only.
var ErrUnsupported = errors.New("heygen: not offered by this generation of the API")

// ErrInvalidID says that a text can't be a video id. Nothing was sent.
var ErrInvalidID = errors.New("heygen: not a video id (want 1 to 128 of A-Z a-z 0-9 _ -)")

// Kind says what an error means for the one who asked. The words are stable: they may be stored and shown.
type Kind string

// Every error of HeyGen is of one of these kinds.
const (
	Unauthorized   Kind = "unauthorized"   // the key is not accepted; asking again can't help
	Forbidden      Kind = "forbidden"      // the key is good but may not do this
	NotFound       Kind = "not_found"      // HeyGen does not know the video, or hides it from this key
	Throttled      Kind = "throttled"      // too many requests: come back after Wait
	Down           Kind = "down"           // no answer, an outage, or something else than the API answers
	Unintelligible Kind = "unintelligible" // an answer that we can't read; it may be readable next time
	BadRequest     Kind = "bad_request"    // HeyGen understood the call and refuses it
)

// Error is an answer of HeyGen that is not what was asked for, or the lack of an answer. All its text is free of secrets.
type Error struct {
	Kind       Kind
	HTTPStatus int           // 0: no answer came
	Code       string        // HeyGen's own, from any of its three envelopes
	Message    string        // HeyGen's own, or ours where HeyGen gave none
	RequestID  string        // what HeyGen's support asks for
	Wait       time.Duration // how long to stay away; set for Throttled, and for Down where HeyGen said it

	api     string // the generation that was asked
	key     string // the setting that holds the key
	absent  bool   // it looks as if the endpoint itself were not there
	closed  bool   // no request was made: the gate did not let it in
	busy    bool   // nor is anything wrong: what the fleet allows itself is used up
	foreign bool   // it is not the API that speaks here
	webhook bool   // it is about a webhook and no video
	telling bool   // the code is one that we know to mean Kind
}

// KindOf returns the kind of an error of this package, or "" for any other error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// Held says whether no request was made because the gate did not let it in. What the error says of HeyGen or of the key is
// then what somebody else heard before.
func (e *Error) Held() bool { return e.closed }

// Busy says whether the gate is not closed for any trouble, but what all who share it allow themselves is used up.
func (e *Error) Busy() bool { return e.busy }

// Error tells what happened and what a person can do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.what())
	if d := e.details(); d != "" {
		fmt.Fprintf(&b, " (%s)", d)
	}
	b.WriteString(": ")
	b.WriteString(e.Hint())
	return b.String()
}

func (e *Error) what() string {
	if e.closed {
		return "HeyGen is not asked just now"
	}
	switch e.Kind {
	case Unauthorized:
		return "HeyGen does not accept the API key"
	case Forbidden:
		return "HeyGen denies access"
	case NotFound:
		if e.webhook {
			return "HeyGen does not know this webhook"
		}
		return "HeyGen does not know this video"
	case Throttled:
		return "HeyGen asks for fewer requests"
	case Down:
		if e.absent {
			return "this address does not answer like HeyGen's API"
		}
		return "HeyGen can't be reached or is out of order"
	case Unintelligible:
		return "HeyGen's answer can't be read"
	}
	return "HeyGen refuses the request"
}

func (e *Error) details() string {
	var parts []string
	if e.HTTPStatus != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.api != "" {
		parts = append(parts, e.api)
	}
	if said := strings.TrimSpace(e.Code + " " + e.Message); said != "" {
		parts = append(parts, said)
	}
	if e.RequestID != "" {
		parts = append(parts, "request "+e.RequestID)
	}
	return strings.Join(parts, ", ")
}

// Hint says what a person can do about it.
func (e *Error) Hint() string {
	switch e.Kind {
	case Unauthorized:
		return "check " + e.keySetting()
	case Forbidden:
		return "check that the key in " + e.keySetting() + " belongs to the account and plan that own the video"
	case NotFound:
		if e.webhook {
			return "reelkeep webhook list shows those of the account"
		}
		return "check the id, and that the key in " + e.keySetting() + " belongs to the account that made the video; a deleted video can't be brought back"
	case Throttled:
		return fmt.Sprintf("nothing to do; ask again in %s", e.Wait)
	case Down:
		if e.absent {
			return "check HEYGEN_API_URL, and leave HEYGEN_API_VERSION at auto"
		}
		return "nothing to do if HeyGen has an outage; otherwise check the network and HEYGEN_API_URL"
	case Unintelligible:
		return "try again later; if it stays, check HEYGEN_API_URL and tell the reelkeep project"
	}
	if e.webhook {
		return "the address must begin with https:// and answer OPTIONS with 200 within a second: is reelkeep reachable there, with REELKEEP_WEBHOOK_TOKEN or REELKEEP_WEBHOOK_SECRETS set?"
	}
	return "check the id; if it is right, tell the reelkeep project and name the request"
}

func (e *Error) keySetting() string { return firstOf(e.key, defaultKeySetting) }

// ItemError is one entry of a list that can't be used, such as one with an id that would not be safe as a key.
// The walk over the list goes on behind it.
type ItemError struct {
	ID  string // as HeyGen wrote it, made printable; may be empty
	Err error
}

func (e *ItemError) Error() string {
	return fmt.Sprintf("skip a video with the id %q in HeyGen's list: %v", e.ID, e.Err)
}

// Unwrap returns why the entry can't be used.
func (e *ItemError) Unwrap() error { return e.Err }
