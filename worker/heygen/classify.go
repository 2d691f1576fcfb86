package heygen

import (
	"net/http"
	"strconv"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	defaultWait = 30 * time.Second // when HeyGen throttles without saying for how long
	longestWait = time.Hour        // a longer Retry-After is a mistake or would outlast a person's patience
)

// codeKind tells what HeyGen's own code means. It refines the statuses that say too little (200, 400, 404, 410);
// elsewhere the HTTP status is the better witness, because the lists of codes are incomplete.
func codeKind(code string) (Kind, bool) {
	switch code {
	case "unauthorized", "authentication_failed", "400112", "40009", "401056", "401057":
		return Unauthorized, true
	case "forbidden", "resource_access_denied", "ai_vendor_access_restricted", "insufficient_credit",
		"400562", "400573", "400599", "400631", "900001":
		return Forbidden, true
	case "not_found", "video_not_found", "resource_not_found", "40031":
		return NotFound, true
	case "rate_limit_exceeded", "quota_exceeded", "resource_limit_reached", "resource_limit_exceeded":
		return Throttled, true
	case "gateway_timeout", "internal_error":
		return Down, true
	case "invalid_parameter", "validation_error":
		return BadRequest, true
	}
	return "", false
}

// classify turns an answer that is not a success into an error.
func (c *Client) classify(a *answer) *Error {
	e := &Error{HTTPStatus: a.status, RequestID: c.clean(a.header.Get("X-Request-Id")), api: a.api}
	env := a.envelope()
	e.Code, e.Message = c.clean(env.code), c.clean(env.message)
	if e.Message == "" && a.page() {
		e.Message = "a web page instead of JSON"
	}
	if to := a.header.Get("Location"); to != "" {
		e.Message = "a redirect to " + c.clean(secret.New(to).String()) + ", which is not followed"
	}
	told, known := codeKind(env.code)
	e.telling = known
	e.Kind, e.absent = statusKind(a.status, env.ours)
	if a.page() && a.status < 500 && e.Kind != Unauthorized && e.Kind != Throttled {
		e.Kind, e.absent = Down, true
	}
	switch vague := a.status/100 == 2 || a.status == http.StatusBadRequest; {
	case vague && known:
		e.Kind = told
	case a.status == http.StatusGone && told == NotFound:
		e.Kind, e.absent = NotFound, false
	}
	e.Wait = c.wait(e.Kind, a.header.Get("Retry-After"))
	if e.Kind == BadRequest && e.Wait > 0 {
		// Nobody asks to retry a request that can never be right: v1 throttles with 400.
		e.Kind = Throttled
	}
	return e
}

// statusKind maps the HTTP status. ours says whether the body was in one of HeyGen's error envelopes: only HeyGen
// can say that a video does not exist, any router can say that a path does not.
func statusKind(status int, ours bool) (k Kind, absent bool) {
	switch {
	case status >= 200 && status < 300:
		return BadRequest, false // an envelope that carries an error although the status is fine
	case status >= 300 && status < 400:
		return Down, true
	case status == http.StatusUnauthorized:
		return Unauthorized, false
	case status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return Forbidden, false
	case status == http.StatusNotFound && ours:
		return NotFound, false
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone,
		status == http.StatusUpgradeRequired, status == http.StatusNotImplemented:
		return Down, true
	case status == http.StatusTooManyRequests:
		return Throttled, false
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusProxyAuthRequired:
		return Down, false
	case status >= 400:
		return BadRequest, false
	}
	return Unintelligible, false
}

// wait reads Retry-After: seconds, whole or not, or a date.
func (c *Client) wait(k Kind, header string) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseFloat(header, 64); err == nil && n > 0 {
		d = time.Duration(min(n, longestWait.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(c.cfg.Now())
	}
	if d <= 0 && k == Throttled {
		return defaultWait
	}
	return min(max(d, 0), longestWait)
}
