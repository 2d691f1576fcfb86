package worker

import (
	"cmp"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// linkLife is how long HeyGen says its links live.
const linkLife = 7 * 24 * time.Hour

// deadline is the moment at which the copy of a link that somebody holds dies. Where nothing tells how old that is, it
// counts as new, and links as living as long as the last one that was seen.
func (a *Archiver) deadline(v Video, hv *heygen.Video) time.Time {
	if first := firstExpiry(hv); !first.IsZero() {
		return first
	}
	if old := OldestLinkDies(hv.CompletedAt, createdAt(v, hv)); !old.IsZero() {
		return old
	}
	return firstCompleted(v, a.cfg.Now()).Add(cmp.Or(time.Duration(a.life.Load()), linkLife))
}

// OldestLinkDies is the deadline of a video as far as its age tells: somebody may have copied its link as soon as there was
// one. Both times may be zero for unknown, and so may the answer.
func OldestLinkDies(completed, created time.Time) time.Time {
	switch {
	case !completed.IsZero():
		return completed.Add(linkLife)
	case !created.IsZero():
		return created.Add(linkLife)
	}
	return time.Time{}
}

// firstExpiry is when the first link of an answer dies; zero: none is known to.
func firstExpiry(hv *heygen.Video) time.Time {
	var first time.Time
	for _, link := range hv.Links {
		if !link.Expires.IsZero() && (first.IsZero() || link.Expires.Before(first)) {
			first = link.Expires
		}
	}
	return first
}

// learn notes how long links live.
func (a *Archiver) learn(hv *heygen.Video) {
	if life := firstExpiry(hv).Sub(a.asOf(hv)); life > 0 {
		a.life.Store(int64(life))
	}
}

// asOf is when HeyGen said what it says of the video.
func (a *Archiver) asOf(hv *heygen.Video) time.Time {
	if hv.AsOf.IsZero() {
		return a.cfg.Now()
	}
	return hv.AsOf
}

// completedAt is when the render ended, as far as it can be known: v3 says it; else it is the moment when we
// first saw it completed, but no later than a day after it was created.
func completedAt(v Video, hv *heygen.Video, now time.Time) time.Time {
	if !hv.CompletedAt.IsZero() {
		return hv.CompletedAt
	}
	seen := firstCompleted(v, now)
	if created := createdAt(v, hv); !created.IsZero() && created.Add(24*time.Hour).Before(seen) {
		return created.Add(24 * time.Hour)
	}
	return seen
}

func createdAt(v Video, hv *heygen.Video) time.Time {
	if !hv.CreatedAt.IsZero() {
		return hv.CreatedAt
	}
	return v.CreatedAt
}

func firstCompleted(v Video, now time.Time) time.Time {
	if v.FirstCompleted.IsZero() {
		return now
	}
	return v.FirstCompleted
}

// LateUntil says until when an optional asset of a partial video may still turn up.
func (a *Archiver) LateUntil(m *storage.Manifest) time.Time {
	from := m.SealedAt
	if !m.Video.CompletedAt.IsZero() {
		from = m.Video.CompletedAt
	}
	return from.Add(a.cfg.LateAssetsWait)
}

// LookAgain says when a partial video is worth another look: HeyGen makes GIFs and captions within seconds to
// minutes, so the looks grow apart.
func (a *Archiver) LookAgain(m *storage.Manifest) time.Duration {
	now, n := a.cfg.Now(), a.waiting(m.Account)
	next := min(max(now.Sub(m.SealedAt)/2, 2*time.Second), time.Minute)
	left := max(a.LateUntil(m).Sub(now), 0)
	pace := max(next, lateDelay(n, m.Source.API))
	// The last looks of a crowd, each at its own time, would each need a page of their own: it must be newer than that.
	return onGrid(now, min(pace, left+time.Second), pace, n)
}

// oldNews says whether an answer is too old to tell what has turned up since a video was sealed without it. What counts for
// the last look is that it was given when nothing more could turn up; for one before, that it is likely to be
// younger than the look before that one.
func (a *Archiver) oldNews(m *storage.Manifest, hv *heygen.Video) bool {
	now, until, asOf := a.cfg.Now(), a.LateUntil(m), a.asOf(hv)
	if now.After(until) {
		return !asOf.After(until)
	}
	return now.Sub(asOf) > max(lateNews, lateDelay(a.waiting(m.Account), m.Source.API)/2)
}

// lateNews is how old an answer about the late assets of a single video may be.
const lateNews = time.Minute

// late says whether an optional asset that is not offered yet may still turn up. What counts is when HeyGen did not offer
// it, not when we come to act on that.
func (a *Archiver) late(v Video, hv *heygen.Video) bool {
	at := a.asOf(hv)
	return at.Before(completedAt(v, hv, at).Add(a.cfg.LateAssetsWait))
}
