package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// slowestRate is the least an upload must manage; slower is taken for a dead connection.
	slowestRate  = 64 << 10 // bytes a second
	answerWait   = time.Minute
	completeWait = 5 * time.Minute // stores copy or link all parts before they answer
)

// slowError ends one attempt that took too long. The SDK would take a plain deadline for the caller's own wish and
// not try again.
type slowError struct{ after time.Duration }

func (e *slowError) Error() string        { return fmt.Sprintf("no answer within %s", e.after) }
func (e *slowError) Timeout() bool        { return true }
func (e *slowError) Temporary() bool      { return true }
func (e *slowError) RetryableError() bool { return true }

// addAttemptDeadline gives each attempt a limit of its own, since the SDK has none for S3 and a read timeout would cut
// slow uploads. The limit covers everything up to the answer's headers; a body that is read later has its own watch.
func addAttemptDeadline(stack *middleware.Stack) error {
	limit := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		operation := middleware.GetOperationName(ctx)
		wait := attemptLimit(operation, in.Request)
		attempt, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(wait, func() { cancel(&slowError{wait}) })
		out, meta, err := next.HandleFinalize(attempt, in)
		timer.Stop()
		if err == nil && operation == "GetObject" {
			return out, meta, nil // the body is still to be read under this context; it ends with the caller's
		}
		if slow, ok := errors.AsType[*slowError](context.Cause(attempt)); ok && ctx.Err() == nil {
			err = slow
		}
		cancel(err)
		return out, meta, err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ReelkeepAttemptDeadline", limit), "Retry", middleware.After)
}

func attemptLimit(operation string, request any) time.Duration {
	if operation == "CompleteMultipartUpload" {
		return completeWait
	}
	if r, ok := request.(*smithyhttp.Request); ok && r.ContentLength > 0 {
		return answerWait + time.Duration(r.ContentLength/slowestRate)*time.Second
	}
	return answerWait
}

// keepEncodingUnsigned takes Accept-Encoding out of the signature. Google rewrites that header on the way, and the
// signature would look forged.
func keepEncodingUnsigned(stack *middleware.Stack) error {
	const header = "Accept-Encoding"
	type savedKey struct{}
	before := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			ctx = context.WithValue(ctx, savedKey{}, r.Header.Get(header))
			r.Header.Del(header)
		}
		return next.HandleFinalize(ctx, in)
	}
	after := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			if saved, _ := ctx.Value(savedKey{}).(string); saved != "" {
				r.Header.Set(header, saved)
			}
		}
		return next.HandleFinalize(ctx, in)
	}
	if err := stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ReelkeepDropEncoding", before), "Signing", middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ReelkeepKeepEncoding", after), "Signing", middleware.After)
}
