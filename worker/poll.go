package worker

import (
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Each video is polled by its age, as if it were alone; but how often HeyGen is asked in all has a bound, however many
// videos of an account wait.
//
// On v3 one call tells the status of 100 videos. At one call in 2 s, a crowd of n has its turn every n/100 · 2 s: 10,000
// are asked for every 200 s, which is 0.01 calls a video and turn. A v1 call tells of one video; at one call in
// 0.4 s, 1,000 have their turn every 400 s.
//
// A bulk call is only worth it if it is full, so the videos of a crowd must become due together: their due times lie on a
// common grid of the wall clock, of a power of two in seconds, so that coarse grids lie on fine ones and videos of
// every age meet.
const (
	crowdFrom  = 10 // from that many on the grid is used
	bulkSize   = 100
	bulkEvery  = 2 * time.Second
	plainEvery = 400 * time.Millisecond

	shortestPoll  = 2 * time.Second
	longestPoll   = 5 * time.Minute
	longestPollV1 = 30 * time.Minute

	longestOutageDelay = time.Minute // what HeyGen itself asks for may be longer
)

// waiting is how many videos of the account wait for HeyGen.
func (a *Archiver) waiting(account string) int {
	if a.cfg.Waiting == nil {
		return 0
	}
	return a.cfg.Waiting(accountName(account))
}

// pollDelay spaces the status calls of one video by its age. Renders take minutes, so asking more often than every few
// seconds finds nothing; a render that is stuck for hours is asked for every five minutes.
func (a *Archiver) pollDelay(v Video, hv *heygen.Video) time.Duration {
	n := a.waiting(v.Account)
	alone := min(max(a.since(v.AcceptedAt)/10, shortestPoll), longestPoll)
	delay := max(alone, crowdDelay(n, hv.API))
	return onGrid(a.cfg.Now(), delay, delay, n)
}

// crowdDelay is how far apart the polls of each of n videos are, so that those of all stay within bounds.
func crowdDelay(n int, api string) time.Duration {
	if api == heygen.VersionV1 {
		return min(time.Duration(n)*plainEvery, longestPollV1)
	}
	return min(time.Duration(n)*bulkEvery/bulkSize, longestPoll)
}

// outageDelay lengthens the wait of an outage for a crowd: thousands that come back every ten seconds to hear that HeyGen is
// still away are a load on Redis, and afterwards they shall fill their bulk calls again.
func (a *Archiver) outageDelay(v Video, wait time.Duration) time.Duration {
	n := a.waiting(v.Account)
	delay := max(wait, min(crowdDelay(n, heygen.VersionV3), longestOutageDelay))
	return onGrid(a.cfg.Now(), delay, delay, n)
}

// lateDelay is crowdDelay for looks at late assets. Each worker needs pages of the list of its own for them, and nobody
// waits for a GIF as for a video: they may take four times as long.
func lateDelay(n int, api string) time.Duration { return 4 * crowdDelay(n, api) }

// onGrid lengthens the delay of one of n videos so that it ends together with those of others that go at the same pace. It
// grows by half of the pace at most.
func onGrid(now time.Time, delay, pace time.Duration, n int) time.Duration {
	if n < crowdFrom {
		return delay
	}
	grid := time.Second
	for grid*2 <= pace/2 {
		grid *= 2
	}
	due := now.Add(delay)
	// Truncate counts from the year 1, for everybody alike.
	if on := due.Truncate(grid); !on.Equal(due) {
		due = on.Add(grid)
	}
	return due.Sub(now)
}
