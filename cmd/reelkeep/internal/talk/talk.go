// Package talk keeps strangers from filling the log: they may knock as often as they like.
package talk

import (
	"sync"
	"time"
)

// every is how often the same trouble is told.
const every = 30 * time.Second

// Limit says when a trouble is worth a line of the log again. The zero value is ready; it is safe for concurrent use.
type Limit struct {
	Now func() time.Time // nil: time.Now

	mu   sync.Mutex
	told map[string]time.Time
}

// Speaks says whether it is time to tell of a trouble. What names its kind, of which there must be few: each is remembered.
func (l *Limit) Speaks(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.Now != nil {
		now = l.Now()
	}
	if last, ok := l.told[what]; ok && now.Sub(last) < every {
		return false
	}
	if l.told == nil {
		l.told = map[string]time.Time{}
	}
	l.told[what] = now
	return true
}
