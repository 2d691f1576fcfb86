package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

const (
	mib      = 1 << 20
	partSize = 5 * mib // the smallest that S3 allows, so that few bytes make many parts
	workers  = 3

	oneVideoEvery = time.Second
)

// What can happen to the fleet and to what it stands on.
const (
	killWorker    = "worker killed"    // SIGKILL, and started again
	stopWorker    = "worker stopped"   // SIGTERM, and started again: a deploy
	freezeWorker  = "worker frozen"    // SIGSTOP for longer than it takes to be given up for dead, then SIGCONT
	restartRedis  = "Redis killed"     // SIGKILL, and started again with what it had on disk
	flushRedis    = "Redis emptied"    // FLUSHALL
	restartStore  = "MinIO killed"     // SIGKILL, and started again
	breakStore    = "store errors"     // 503, or the reply never arrives
	lateSeal      = "late seals"       // a worker is killed while it seals, and the manifest arrives when another has sealed the video
	lateWrite     = "late writes"      // a worker is killed while it writes, and the write arrives a minute later all the same
	breakAPI      = "HeyGen errors"    // some answers of HeyGen's API are 429, 5xx, HTML or a cut connection
	heygenAway    = "HeyGen away"      // all of them, for a while
	removeVideo   = "video deleted"    // by its owner, at HeyGen
	handedIn      = "handed in"        // a video is completed, and its id enqueued
	leftForSweeps = "left for a sweep" // a video is completed, and nobody says so
)

// An event is one thing that happens.
type event struct {
	At    time.Duration
	Do    string
	Slot  int           // which worker
	For   time.Duration // how long it stays away
	Times int           // how many requests it hits
	Code  int           // with which HTTP status; 0 cuts the connection
	Route string        // of the store: which requests
	Video *video
}

func (e event) String() string {
	s := fmt.Sprintf("%7.1fs  %-16s", e.At.Seconds(), e.Do)
	switch e.Do {
	case killWorker, stopWorker, freezeWorker:
		s += fmt.Sprintf(" worker %d, back after %s", e.Slot, e.For)
	case restartRedis, restartStore:
		s += fmt.Sprintf(" back after %s", e.For)
	case heygenAway:
		s += fmt.Sprintf(" with status %d, back after %s", e.Code, e.For)
	case breakStore:
		s += fmt.Sprintf(" worker %d, %s × %d, status %d", e.Slot, e.Route, e.Times, e.Code)
	case lateWrite:
		s += fmt.Sprintf(" %s, after %s", e.Route, e.For)
	case breakAPI:
		s += fmt.Sprintf(" × %d, status %d", e.Times, e.Code)
	case handedIn, leftForSweeps, removeVideo:
		s += " " + e.Video.ID + " " + e.Video.What
	}
	return s
}

// A video is one video of the account and what is in store for it.
type video struct {
	heygensim.Video
	What    string
	InOrder bool // its source has no ranges: whoever takes it over has to read it from its start
	Removed bool // its owner deletes it some time after it was completed
}

// A plan is all that a seed decides.
type plan struct {
	Seed   uint64
	Length time.Duration
	Events []event // in order
	Videos []*video
}

func newPlan(seed uint64, length time.Duration) *plan {
	p := &plan{Seed: seed, Length: length}
	// A stream of random numbers for each kind of thing, so that a change of one leaves the others as they were.
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	p.addVideos(stream(1))
	p.every(stream(2), 2500*time.Millisecond, 5*time.Second, p.hitWorker)
	p.every(stream(3), 15*time.Second, 25*time.Second, func(r *rand.Rand, at time.Duration) event {
		return event{At: at, Do: restartRedis, For: between(r, 100*time.Millisecond, 1500*time.Millisecond)}
	})
	p.every(stream(4), 12*time.Second, 25*time.Second, func(r *rand.Rand, at time.Duration) event {
		return event{At: at, Do: restartStore, For: between(r, 100*time.Millisecond, 2*time.Second)}
	})
	p.every(stream(5), time.Second, 3*time.Second, hitStore)
	p.every(stream(6), 3*time.Second, 6*time.Second, hitAPI)
	// Once a minute, so that the short run has each of them too.
	p.every(stream(7), 25*time.Second, 45*time.Second, func(_ *rand.Rand, at time.Duration) event { return event{At: at, Do: flushRedis} })
	p.freezes(stream(8))
	p.every(stream(9), 12*time.Second, 24*time.Second, writeLate)
	// Not oftener: each costs whoever seals next its life, and if that is nearly everybody nothing is ever archived.
	p.every(stream(10), 12*time.Second, 20*time.Second, func(r *rand.Rand, at time.Duration) event {
		return event{At: at, Do: lateSeal, Route: routeManifest, For: time.Second}
	})
	slices.SortStableFunc(p.Events, func(a, b event) int { return cmp.Compare(a.At, b.At) })
	return p
}

func between[T time.Duration | int64](r *rand.Rand, from, to T) T {
	return from + T(r.Int64N(int64(to-from)))
}

// every adds an event after each pause of from to to, as long as there is time. Nothing breaks in the last few seconds
// that would be mended by the end anyway.
func (p *plan) every(r *rand.Rand, from, to time.Duration, make func(*rand.Rand, time.Duration) event) {
	for at := between(r, from, to); at < p.Length-2*time.Second; at += between(r, from, to) {
		p.Events = append(p.Events, make(r, at))
	}
}

func (p *plan) hitWorker(r *rand.Rand, at time.Duration) event {
	e := event{At: at, Do: killWorker, Slot: r.IntN(workers), For: between(r, 0, 1500*time.Millisecond)}
	if r.IntN(6) == 0 {
		e.Do = stopWorker
	}
	return e
}

// freezes lets a worker go on when others have long taken over its videos: it then holds parts, and even whole videos,
// that are somebody else's by now.
func (p *plan) freezes(r *rand.Rand) {
	for at := between(r, 6*time.Second, 12*time.Second); ; at += between(r, 60*time.Second, 90*time.Second) {
		e := event{At: at, Do: freezeWorker, Slot: r.IntN(workers), For: between(r, 36*time.Second, 42*time.Second)}
		if at+e.For > p.Length {
			return // it could not wake in time to do any harm
		}
		p.Events = append(p.Events, e)
	}
}

func hitStore(r *rand.Rand, at time.Duration) event {
	routes := []string{routePart, routeCreate, routeComplete, routeRecord, routeManifest, routeObject, routeRead, routeProbe}
	e := event{At: at, Do: breakStore, Slot: r.IntN(workers), Route: routes[r.IntN(len(routes))], Times: 1 + r.IntN(3)}
	if r.IntN(2) == 0 {
		e.Code = 503
	}
	return e
}

// writeLate: by the time the write arrives, another worker has long gone on, and mostly sealed the video. The records of
// uploads are spared: one that is created after the seal stays, since no store can refuse a write for being late.
func writeLate(r *rand.Rand, at time.Duration) event {
	routes := []string{routeComplete, routeObject, routePart}
	return event{At: at, Do: lateWrite, Route: routes[r.IntN(len(routes))], For: late(r)}
}

// late is longer than it takes until another worker has taken the video over and sealed it.
func late(r *rand.Rand) time.Duration { return between(r, 55*time.Second, 70*time.Second) }

// hitAPI: one wrong answer, or all of them for a moment. Not a number of answers: whoever stays away from a service in
// trouble, as reelkeep does, would meet the last of them minutes later.
func hitAPI(r *rand.Rand, at time.Duration) event {
	codes := []int{429, 429, 500, 502, 503, 504, 0}
	e := event{At: at, Do: breakAPI, Code: codes[r.IntN(len(codes))], Times: 1}
	if r.IntN(5) == 0 { // seldom: whoever meets one after the other stays away longer each time, and then nothing is tried
		e.Do, e.For = heygenAway, between(r, 300*time.Millisecond, 3*time.Second)
	}
	return e
}

// sources is what can be wrong with a video's file at its source. Every video has the next one, in an order that the
// seed shuffles, so that even a short run has met them all.
func sources() []string {
	return []string{
		"", "", "", heygensim.FaultDrop, heygensim.FaultStall, heygensim.FaultShort, heygensim.FaultReplaced, heygensim.FaultRetagged,
		heygensim.FaultWrongRange, heygensim.FaultNoRanges, heygensim.FaultHTML, heygensim.FaultForbidden, heygensim.FaultNotFound,
		heygensim.FaultServerError, heygensim.FaultTooMany, heygensim.FaultGzip, heygensim.FaultRedirect, heygensim.FaultChunked,
		heygensim.FaultWrongLength, heygensim.FaultLonger, heygensim.FaultShorter,
		"small", "small", "small", "small", "late", "late", "slow render", "render fails", "deleted", "large", "large",
	}
}

func (p *plan) addVideos(r *rand.Rand) {
	kinds := sources()
	for n, at := 0, 500*time.Millisecond; at < p.Length*85/100; n, at = n+1, at+between(r, oneVideoEvery/2, oneVideoEvery*3/2) {
		if n%len(kinds) == 0 {
			r.Shuffle(len(kinds), func(i, k int) { kinds[i], kinds[k] = kinds[k], kinds[i] })
		}
		v := newVideo(r, fmt.Sprintf("%08x%016x%08x", n, r.Uint64(), uint32(p.Seed)), kinds[n%len(kinds)])
		p.Videos = append(p.Videos, v)
		e := event{At: at, Do: handedIn, Video: v}
		// A sweep can't know of a render that has failed or of a video that is gone, so those are always handed in.
		if r.IntN(7) == 0 && !v.Removed && v.Fail == nil {
			e.Do = leftForSweeps
		}
		p.Events = append(p.Events, e)
		if v.Removed {
			p.Events = append(p.Events, event{At: at + between(r, 100*time.Millisecond, 6*time.Second), Do: removeVideo, Video: v})
		}
	}
}

func newVideo(r *rand.Rand, id, kind string) *video {
	size := between(r, partSize+1, 6*int64(partSize))
	file := heygensim.Asset{Size: size}
	v := &video{What: cmp.Or(kind, "medium")}
	v.ID, v.Title = id, v.What
	switch kind {
	case "small":
		file = heygensim.Asset{}
	case "large":
		file.Size = between[int64](r, 40*mib, 80*mib)
	case "late":
		file.Size = between[int64](r, 100_000, 2*mib)
	case "slow render":
		v.RenderFor = between(r, 2*time.Second, 8*time.Second)
	case "render fails":
		v.RenderFor, v.Fail = between(r, time.Second, 4*time.Second), &heygensim.Failure{Code: "40119", Message: "Video is too long"}
	case "deleted":
		v.Removed = true
	case "":
	default:
		file.Fault = newFault(r, kind, size)
		v.InOrder = kind == heygensim.FaultNoRanges || kind == heygensim.FaultChunked
	}
	v.Assets = map[string]heygensim.Asset{"video": file}
	if kind == "small" || kind == "late" || r.IntN(3) == 0 {
		v.Assets["thumbnail"], v.Assets["captions"] = heygensim.Asset{}, heygensim.Asset{}
	}
	if kind == "late" {
		v.Assets["gif"] = heygensim.Asset{After: between(r, 4*time.Second, 9*time.Second)}
	}
	return v
}

// newFault makes a fault of the kind. What goes away by itself strikes a few times, as it does in real life; the nature
// of a source stays.
func newFault(r *rand.Rand, kind string, size int64) *heygensim.Fault {
	f := &heygensim.Fault{Kind: kind, Times: 1 + r.IntN(4)}
	switch kind {
	case heygensim.FaultNoRanges, heygensim.FaultChunked, heygensim.FaultRedirect:
		f.Times = 0
	case heygensim.FaultDrop, heygensim.FaultShort:
		f.At, f.Times = -between[int64](r, 300_000, partSize), 3+r.IntN(8)
	case heygensim.FaultStall:
		f.At, f.Times = -between[int64](r, 300_000, partSize), 1+r.IntN(2)
	case heygensim.FaultReplaced, heygensim.FaultRetagged:
		f.At, f.Times = between(r, size/4, size*3/4), 1
	case heygensim.FaultGzip:
		f.Times = 1
	default:
		if r.IntN(2) == 0 {
			f.At = partSize
		}
	}
	return f
}
