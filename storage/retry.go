package storage

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	maxAttempts = 6
	maxBackoff  = 20 * time.Second
)

// newRetryer repairs three things of the SDK's standard one. Its token bucket is shared by all calls, so that after 50
// failures nothing is retried any more, just when an outage hits many parts at once. It does not retry 429, the 52x of
// CDNs, 507 or a lost race of two conditional writes. And three attempts are few for a store that restarts.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{429: {}, 520: {}, 521: {}, 522: {}, 523: {}, 524: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{
				"ConditionalRequestConflict": {}, "OperationAborted": {}, "RequestTimeTooSkewed": {}, "TooManyRequests": {},
			}},
		)
	})
}
