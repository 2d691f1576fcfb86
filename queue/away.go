package queue

import "errors"

// IsAway says whether waiting helps: Redis is out of reach, or full, or in some other trouble that passes without a change of
// our settings.
func IsAway(err error) bool {
	if _, ok := errors.AsType[*AwayError](err); ok {
		return true
	}
	refused, ok := errors.AsType[*RedisError](err)
	return ok && refused.Passing
}
