package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// Exit codes are part of the contract: scripts branch on them.
const (
	exitOK          = 0
	exitNotDone     = 1
	exitUsage       = 2
	exitNotYet      = 3
	exitDamage      = 4
	exitDependency  = 5
	exitInterrupted = 130
)

// exitCodes is the table that the help text shows.
const exitCodes = `Exit codes:
  0    done
  1    something named could not be done
  2    usage or configuration: nothing was contacted
  3    not archived yet (url, get, status ID)
  4    verification found damage
  5    a dependency refuses or is out of reach (key, bucket, credentials, Redis)
  130  interrupted; what was stored so far is kept, the next run goes on there`

// exitError is an error with the code it asks for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

func usageErrorf(format string, args ...any) error {
	return withCode(exitUsage, fmt.Errorf(format, args...))
}

// errReported: the command has said on stdout what could not be done; only the code is left.
var errReported = errors.New("reported")

// codeOf decides the exit code of an error that a command returned.
func codeOf(ctx context.Context, err error) int {
	var coded *exitError
	var refused *worker.RefusedError
	var away *worker.OutageError
	var storeRefused *storage.RefusedError
	var storeAway *storage.UnreachableError
	var redisRefused *queue.RedisError
	var redisAway *queue.AwayError
	var otherFleet *queue.FingerprintError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &otherFleet):
		return exitUsage
	case errors.As(err, &redisRefused), errors.As(err, &redisAway), errors.As(err, &refused), errors.As(err, &away), errors.As(err, &storeRefused), errors.As(err, &storeAway), isHeyGenAway(err):
		return exitDependency
	}
	return exitNotDone
}

func isHeyGenAway(err error) bool {
	var he *heygen.Error
	if !errors.As(err, &he) {
		return false
	}
	switch he.Kind {
	case heygen.Unauthorized, heygen.Forbidden, heygen.Throttled, heygen.Down, heygen.Unintelligible:
		return true
	}
	return false
}

// complain writes an error for people, with its hint on a line of its own.
func complain(w io.Writer, err error) {
	if errors.Is(err, errReported) {
		return
	}
	text := scrubbed(err)
	fmt.Fprintf(w, "reelkeep: %s\n", printable(text))
	if hint := hintOf(err); !strings.Contains(text, hint) {
		fmt.Fprintf(w, "  hint: %s\n", printable(hint))
	}
}

// scrubbed is an error's text without keys and queries of links.
func scrubbed(err error) string { return secret.Scrub(err.Error()) }

// hintOf is what an error advises, or "".
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
