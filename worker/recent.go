package worker

import (
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// recentFor is how long an answer of HeyGen serves the transfer that follows the check: long enough to save the
// second call for a video that is taken at once, short enough that its links are as good as new.
const recentFor = time.Minute

// recentVideos remembers the last answers of HeyGen, in this process only: links must not reach Redis.
type recentVideos struct {
	now func() time.Time

	mu sync.Mutex
	m  map[string]recentVideo
}

type recentVideo struct {
	video *heygen.Video
	at    time.Time
}

func newRecentVideos(now func() time.Time) *recentVideos {
	return &recentVideos{now: now, m: map[string]recentVideo{}}
}

func (r *recentVideos) put(v Video, hv *heygen.Video) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, old := range r.m {
		if r.now().Sub(old.at) > recentFor {
			delete(r.m, k)
		}
	}
	r.m[recentKey(v)] = recentVideo{hv, r.now()}
}

// take returns the answer once: whoever comes later asks HeyGen.
func (r *recentVideos) take(v Video) (*heygen.Video, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got, ok := r.m[recentKey(v)]
	delete(r.m, recentKey(v))
	return got.video, ok && r.now().Sub(got.at) <= recentFor
}

func recentKey(v Video) string { return accountName(v.Account) + "/" + v.ID }
