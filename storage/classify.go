package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// kind is what an answer means for us.
type kind int

const (
	kindOther     kind = iota
	kindNotFound       // no such key
	kindNoUpload       // no such multipart upload
	kindCondition      // If-None-Match or If-Match did not hold
	kindRace           // two conditional writes at once; try again
	kindRefused
	kindFull
	kindUnreachable
)

// fault is a failed request in our words. It is made of parts that carry no address and no signature.
type fault struct {
	kind    kind
	code    string
	message string
	status  int
}

// kindByCode sorts the words stores use. Where a word is missing, the HTTP status decides.
func kindByCode(code string) (kind, bool) {
	switch code {
	case "NoSuchKey":
		return kindNotFound, true
	case "NoSuchUpload":
		return kindNoUpload, true
	case "PreconditionFailed":
		return kindCondition, true
	case "ConditionalRequestConflict", "OperationAborted":
		return kindRace, true
	case "NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"TokenRefreshRequired", "AuthorizationHeaderMalformed", "PermanentRedirect", "AllAccessDisabled", "AccountProblem",
		"InvalidBucketName", "IllegalLocationConstraintException", "NotImplemented", "MethodNotAllowed", "NotSignedUp":
		return kindRefused, true
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "XMinioAdminBucketQuotaExceeded", "QuotaExceededException":
		return kindFull, true
	case "RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeTooSkewed":
		return kindUnreachable, true
	}
	return kindOther, false
}

func kindByStatus(status int) kind {
	switch {
	case status == http.StatusNotFound:
		return kindNotFound
	case status == http.StatusPreconditionFailed:
		return kindCondition
	case status == http.StatusConflict:
		return kindRace
	case status == http.StatusInsufficientStorage:
		return kindFull
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusMovedPermanently,
		status == http.StatusTemporaryRedirect, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		return kindRefused
	case status == http.StatusTooManyRequests, status >= 500:
		return kindUnreachable
	}
	return kindOther
}

// sortFault turns what the SDK returned into a fault.
func sortFault(err error) fault {
	f := fault{kind: kindUnreachable}
	var response *smithyhttp.ResponseError
	// A request that got no answer at all carries a response of status 0.
	if errors.As(err, &response) && response.HTTPStatusCode() != 0 {
		f.status = response.HTTPStatusCode()
		f.kind = kindByStatus(f.status)
		f.code = fmt.Sprintf("HTTP %d", f.status)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.message = plain(api.ErrorMessage())
		if k, ok := kindByCode(api.ErrorCode()); ok {
			f.kind = k
		}
		if api.ErrorCode() != "" && api.ErrorCode() != "UnknownError" {
			f.code = api.ErrorCode()
		}
		return f
	}
	if f.status == 0 && isNoIdentity(err) {
		return fault{kind: kindRefused, code: "NoCredentials", message: "no keys were found"}
	}
	if f.status == 0 {
		f.message = plain(networkReason(err))
	}
	return f
}

// notOffered says whether the store has no such request, whoever asks.
func (f fault) notOffered() bool {
	switch f.code {
	case "NotImplemented", "HTTP 501", "MethodNotAllowed", "HTTP 405":
		return true
	}
	return false
}

// isNoIdentity finds the SDK's failure to get any credentials. It has no type of its own.
func isNoIdentity(err error) bool {
	text := err.Error()
	return strings.Contains(text, "get identity: ") || strings.Contains(text, "get credentials: ")
}

// networkReason returns the innermost readable cause; *url.Error is skipped because it repeats the whole address.
func networkReason(err error) string {
	var slow *slowError
	if errors.As(err, &slow) {
		return slow.Error()
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// fail makes the error a caller gets. A caller who gave up gets the reason back, whatever the network said to it.
func (s *Store) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", op, key, context.Cause(ctx))
	}
	f := sortFault(err)
	if f.message == "" {
		f.message = "it gave no reason"
	}
	switch f.kind {
	case kindNotFound:
		return fmt.Errorf("%s %s: %w", op, key, ErrNotFound)
	case kindNoUpload:
		return fmt.Errorf("%s %s: %w", op, key, ErrUploadGone)
	case kindCondition, kindRace:
		return fmt.Errorf("%s %s: %w", op, key, ErrConflict)
	case kindRefused:
		return &RefusedError{Op: op, Key: key, Code: f.code, Reason: f.message, hint: s.hintFor(f)}
	case kindFull:
		return &UnreachableError{Op: op, Key: key, Reason: strings.TrimSpace(f.code + " " + f.message), Full: true}
	case kindUnreachable:
		return &UnreachableError{Op: op, Key: key, Reason: strings.TrimSpace(f.code + " " + f.message)}
	}
	return &answerError{op: op, key: key, code: f.code, message: f.message}
}

func (s *Store) hintFor(f fault) string {
	if f.notOffered() {
		return "check that AWS_ENDPOINT_URL_S3 names an S3 store; it does not offer this request"
	}
	switch f.code {
	case "NoSuchBucket", "InvalidBucketName":
		return "create bucket " + s.loc.bucket + " or correct REELKEEP_STORE"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "NoCredentials", "TokenRefreshRequired":
		return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE"
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException", "HTTP 301", "HTTP 307":
		return "check AWS_REGION and AWS_ENDPOINT_URL_S3"
	}
	return "allow s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and ListMultipartUploadParts on " +
		s.loc.String() + " for the keys in AWS_ACCESS_KEY_ID"
}

// addressQuery matches the query of an address inside a foreign text; presigned links carry their signature there.
var addressQuery = regexp.MustCompile(`(https?://[^\s"'<>?#]+)[?#][^\s"'<>]*`)

// addressUser matches a password in an address.
var addressUser = regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^\s/@"']*@`)

// plain makes foreign text fit for an error: no secrets of addresses, one line, not too long.
func plain(text string) string {
	text = addressUser.ReplaceAllString(addressQuery.ReplaceAllString(text, "$1"), "$1")
	return cut(strings.Join(strings.Fields(text), " "), 300)
}
