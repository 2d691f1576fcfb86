package heygen

import "time"

// soonFor is how long a video that was seen completed is expected to be asked for. By then whoever counts the wanted ones has
// counted it, or it is transferred elsewhere.
const soonFor = 2 * time.Second

// soon knows the videos that a call about many has just found completed: their transfers come next, and ask for links one
// after the other before anybody has counted them. It is guarded by Desk.mu.
type soon struct {
	until map[string]time.Time // by id
	first time.Time            // nothing ends before
}

// wanted expects that links to the video will be asked for.
func (s *soon) wanted(id string, now time.Time) {
	if len(s.until) == 0 {
		s.until, s.first = map[string]time.Time{}, now.Add(soonFor)
	}
	s.until[id] = now.Add(soonFor)
}

func (s *soon) served(id string) { delete(s.until, id) }

func (s *soon) count(now time.Time) int {
	if now.Before(s.first) {
		return len(s.until)
	}
	s.first = now.Add(soonFor)
	for id, until := range s.until {
		switch {
		case !now.Before(until):
			delete(s.until, id)
		case until.Before(s.first):
			s.first = until
		}
	}
	return len(s.until)
}
