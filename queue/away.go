package queue

import "errors"

// IsAway says whether an error means that Redis is out of reach for now: waiting helps.
func IsAway(err error) bool {
	var refused *RedisError
	var other *FingerprintError
	return err != nil && !errors.As(err, &refused) && !errors.As(err, &other)
}
