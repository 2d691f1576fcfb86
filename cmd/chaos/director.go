package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// What of the store breaks.
const (
	routePart     = "a part"
	routeCreate   = "the begin of an upload"
	routeComplete = "the end of an upload"
	routeRecord   = "an upload's record"
	routeManifest = "a manifest"
	routeObject   = "a small file"
	routeRead     = "a read"
	routeProbe    = "a probe" // what a worker tries when it starts
)

func routes() map[string]func(*http.Request) bool {
	probe := func(r *http.Request) bool { return strings.Contains(r.URL.Path, probes) }
	plain := func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.RawQuery == "x-id=PutObject" }
	has := storagetest.Request
	return map[string]func(*http.Request) bool{
		routePart:     has(http.MethodPut, "partNumber="),
		routeCreate:   has(http.MethodPost, "?uploads"),
		routeComplete: has(http.MethodPost, "uploadId="),
		routeRecord:   func(r *http.Request) bool { return plain(r) && has(http.MethodPut, "/.upload/")(r) },
		routeManifest: isManifest,
		routeObject: func(r *http.Request) bool {
			return plain(r) && !isManifest(r) && !has(http.MethodPut, "/.upload/")(r) && !probe(r)
		},
		routeRead:  has(http.MethodGet, "/"+prefix+"/"),
		routeProbe: probe,
	}
}

// director makes the events of a plan happen.
type director struct {
	*world
	log    *slog.Logger
	routes map[string]func(*http.Request) bool

	mu       sync.Mutex
	happened map[string]int
	accepted map[string]time.Time // when reelkeep promised it
	wakings  []window
	kills    []window        // of MinIO and of workers
	lateEnds map[string]bool // videos of which the end of an upload arrived late
	over     bool            // nothing breaks any more
	later    sync.WaitGroup
	errs     []error // of the stage itself: the run is worth nothing then
}

func newDirector(w *world, log *slog.Logger) *director {
	return &director{world: w, log: log, routes: routes(), happened: map[string]int{}, accepted: map[string]time.Time{}, lateEnds: map[string]bool{}}
}

// play lets the plan happen, event by event. It returns when the last one has, and everything is mended.
func (d *director) play(ctx context.Context, p *plan) error {
	for _, m := range d.fleet {
		if err := m.start(); err != nil {
			return err
		}
	}
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, e := range append(p.Events[:len(p.Events):len(p.Events)], event{At: p.Length}) {
		timer.Reset(time.Until(began.Add(e.At)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			d.later.Wait()
			return context.Cause(ctx)
		}
		if e.Do != "" {
			d.log.Info("event", "what", e.String())
			d.do(ctx, e)
		}
	}
	return d.mend(ctx)
}

// do begins an event. What takes time goes on by itself, so that the next event is not late.
func (d *director) do(ctx context.Context, e event) {
	switch e.Do {
	case handedIn, leftForSweeps:
		d.happens(e)
		v := e.Video.Video
		if e.Video.What != "late" { // else an asset that isn't there would be waited for
			v.CreatedAt = time.Now().Add(-30 * 24 * time.Hour)
		}
		d.sim.Add(v)
		if e.Do == handedIn {
			d.later.Go(func() { d.handIn(ctx, e.Video.ID) })
		}
	case removeVideo:
		d.happens(e)
		d.sim.Remove(e.Video.ID)
	case killWorker:
		d.later.Go(func() { d.endWorker(ctx, e, syscall.SIGKILL) })
	case stopWorker:
		d.later.Go(func() { d.endWorker(ctx, e, syscall.SIGTERM) })
	case freezeWorker:
		if m := d.fleet[e.Slot]; m.freeze() {
			d.happens(e)
			d.later.Go(func() { sleep(ctx, e.For); d.wake(m) })
		}
	case restartRedis:
		d.happens(e)
		d.later.Go(func() { d.redis.Kill(); sleep(ctx, e.For); d.fail(d.redis.Start(ctx)) })
	case flushRedis:
		d.later.Go(func() { d.flush(ctx, e) })
	case restartStore:
		d.happens(e)
		d.later.Go(func() {
			d.kill(d.minio.Kill)
			sleep(ctx, e.For)
			d.fail(d.minio.Start()) //nolint:contextcheck // it is waited for a minute at most, whatever ends the run
		})
	case breakStore:
		d.breakStore(e)
	case lateWrite, lateSeal:
		d.writeLate(ctx, e)
	case breakAPI:
		d.happens(e)
		d.sim.APIFault(e.Code, "<html>out of order</html>", e.Times)
	case heygenAway:
		d.happens(e)
		var retryAfter time.Duration
		if e.Code == http.StatusTooManyRequests || e.Code == http.StatusServiceUnavailable {
			retryAfter = time.Second
		}
		lift := d.sim.APIOutage(e.Code, "<html>back soon</html>", retryAfter)
		d.later.Go(func() { sleep(ctx, e.For); lift() })
	}
}

func (d *director) happens(e event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.happened[e.Do]++
}

func (d *director) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.errs = append(d.errs, err)
	}
}

func (d *director) endWorker(ctx context.Context, e event, sig syscall.Signal) {
	m := d.fleet[e.Slot]
	d.kill(func() {
		if m.end(sig) {
			d.happens(e)
		}
	})
	sleep(ctx, e.For)
	d.fail(m.start())
}

// kill notes when somebody is killed.
func (d *director) kill(do func()) {
	w := window{from: time.Now()}
	do()
	w.to = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kills = append(d.kills, w)
}

// flush empties Redis, when it is there to be emptied.
func (d *director) flush(ctx context.Context, e event) {
	for ctx.Err() == nil {
		if err := d.emptyRedis(ctx); err == nil {
			break
		}
		sleep(ctx, 200*time.Millisecond)
	}
	d.happens(e)
}

// breakStore breaks the next requests of a kind: an error in the store's place, or the store does it and nobody hears.
func (d *director) breakStore(e event) {
	match := d.routes[e.Route]
	d.fleet[e.Slot].proxy.Break(storagetest.Rule{
		Times: e.Times, Status: e.Code, DropReply: e.Code == 0,
		Body:   "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
		Match:  d.untilOver(match),
		Before: func(*http.Request) { d.happens(e) },
	})
}

// untilOver matches nothing any more once the play is over.
func (d *director) untilOver(match func(*http.Request) bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return !d.over && match(r)
	}
}

// writeLate kills whichever worker makes the next write of a kind, and delivers the write when nobody expects it any more.
func (d *director) writeLate(ctx context.Context, e event) {
	var first sync.Once
	for slot, m := range d.fleet {
		match := d.untilOver(d.routes[e.Route])
		mine := func(r *http.Request) (mine bool) {
			if match(r) {
				first.Do(func() { mine = true })
			}
			return mine
		}
		rule := storagetest.Rule{Times: 1, Late: e.For, Match: mine}
		if e.Do == lateSeal {
			rule.Until = func(r *http.Request) bool { return d.seals.wait(ctx, r) }
		}
		rule.Before = func(r *http.Request) {
			d.happens(e)
			if e.Route == routeComplete {
				d.mu.Lock()
				d.lateEnds[path.Base(path.Dir(r.URL.Path))] = true
				d.mu.Unlock()
			}
			d.later.Go(func() {
				d.endWorker(ctx, event{Do: killWorker, Slot: slot, For: time.Second}, syscall.SIGKILL)
			})
		}
		m.proxy.Break(rule)
	}
}

// wake lets a frozen worker go on, and notes for how long it may believe that its videos are still its own: until its next
// sign of life, which it shows every five seconds.
func (d *director) wake(m *member) {
	w := window{from: time.Now(), to: time.Now().Add(10 * time.Second)}
	m.thaw()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wakings = append(d.wakings, w)
}

// handIn enqueues a video as a caller does who wants it archived: again and again until it is accepted.
func (d *director) handIn(ctx context.Context, id string) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := d.client.Enqueue(asking, queue.Job{VideoID: id, Metadata: map[string]string{"order": id}})
		cancel()
		if err == nil {
			d.mu.Lock()
			d.accepted[id] = time.Now()
			d.mu.Unlock()
			return
		}
		if errors.Is(err, queue.ErrInvalidJob) {
			d.fail(fmt.Errorf("hand in %s: %w", id, err))
			return
		}
		sleep(ctx, 300*time.Millisecond)
	}
}

// mend ends everything that breaks: from here on the fleet only has to do its work.
func (d *director) mend(ctx context.Context) error {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.sim.APIFault(0, "", 0)
	d.later.Wait() // what was away comes back, who was frozen goes on
	for _, m := range d.fleet {
		d.fail(m.start())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.errs...); err != nil {
		return fmt.Errorf("the stage broke, which says nothing about reelkeep: %w", err)
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
