// Package talk keeps the log from being filled with what is met again and again: strangers may knock as often as they like, and
// many videos may be on a host that is away.
package talk

import (
	"sync"
	"time"
)

const (
	// every is how often the same trouble is told.
	every = 30 * time.Second
	// most bounds what is remembered. Whatever is forgotten may be told once more.
	most = 1000
)

// Limit says when a trouble is worth a line of the log again. The zero value is ready; it is safe for concurrent use.
type Limit struct {
	Now func() time.Time // nil: time.Now

	mu   sync.Mutex
	told map[string]time.Time
}

// Speaks says whether it is time to tell of a trouble, and takes it for told then. What names its kind.
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
	if l.told == nil || len(l.told) >= most {
		l.told = map[string]time.Time{}
	}
	l.told[what] = now
	return true
}
