package main

import (
	"sync"
	"time"
)

const (
	// sparinglyEvery is how often one thing is told that many videos meet.
	sparinglyEvery = 30 * time.Second
	// mostTold bounds what is remembered. Whatever is forgotten may be told once more.
	mostTold = 1000
)

// sparingly keeps what is met again and again from being told each time. The zero value is ready to use.
type sparingly struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// again says whether it is time to tell it, and takes it for told then.
func (s *sparingly) again(what string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, told := s.last[what]; told && now.Sub(last) < sparinglyEvery {
		return false
	}
	if s.last == nil || len(s.last) >= mostTold {
		s.last = map[string]time.Time{}
	}
	s.last[what] = now
	return true
}
