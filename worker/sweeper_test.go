package worker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// tray is the smallest in-tray: what is known, and what was handed in.
type tray struct {
	mu       sync.Mutex
	known    map[string]bool
	handedIn []string
	restored int
	indexed  bool
	horizon  time.Time
	ended    []worker.SweepReport
	due      map[string]bool
	ends     chan string
}

func newTray(known ...string) *tray {
	y := &tray{known: map[string]bool{}, indexed: true, due: map[string]bool{}, ends: make(chan string, 100)}
	for _, id := range known {
		y.known[id] = true
	}
	return y
}

func (y *tray) Offer(_ context.Context, _ string, found []*heygen.Video, dry bool) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	n := 0
	for _, v := range found {
		if y.known[v.ID] {
			continue
		}
		n++
		if !dry {
			y.known[v.ID] = true
			y.handedIn = append(y.handedIn, v.ID)
		}
	}
	return n, nil
}

func (y *tray) Restore(_ context.Context, sealed []*storage.Manifest) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, m := range sealed {
		y.known[m.VideoID] = true
	}
	y.restored += len(sealed)
	return len(sealed), nil
}

func (y *tray) Begin(_ context.Context, account string, _, _ time.Duration) (string, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.due[account] {
		return "", nil
	}
	y.due[account] = false
	return worker.SweepFull, nil
}

func (y *tray) Renew(context.Context, string) (bool, error) { return true, nil }

func (y *tray) End(_ context.Context, account string, r worker.SweepReport) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.ended = append(y.ended, r)
	if r.Err == nil {
		y.horizon = r.Horizon
	}
	y.ends <- account
	return nil
}

func (y *tray) Horizon(context.Context, string) (time.Time, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.horizon, nil
}

func (y *tray) Indexed(context.Context) (bool, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.indexed, nil
}

func (y *tray) BeginIndex(context.Context) (worker.Indexing, error) { return indexing{y}, nil }

type indexing struct{ y *tray }

func (i indexing) Done(context.Context) error {
	i.y.mu.Lock()
	defer i.y.mu.Unlock()
	i.y.indexed = true
	return nil
}

func (indexing) Renew(context.Context) error  { return nil }
func (indexing) GiveUp(context.Context) error { return nil }

// shelves is an archive with these videos in it, and nothing beside them.
type shelves []string

func (shelves) Folder(context.Context, storage.VideoKey) (*storage.Folder, error) {
	return &storage.Folder{}, nil
}
func (shelves) Tidy(context.Context, *storage.Folder, *storage.Manifest) error { return nil }

func (s shelves) Manifests(context.Context) iter.Seq2[*storage.Manifest, error] {
	return func(yield func(*storage.Manifest, error) bool) {
		for _, id := range s {
			if !yield(&storage.Manifest{VideoID: id, Account: "default", State: storage.StateArchived}, nil) {
				return
			}
		}
		yield(nil, &storage.DamagedError{Key: "x/manifest.json", What: "is not JSON"})
	}
}

// sweepLab is a HeyGen of pages of five, and a sweeper over it.
type sweepLab struct {
	sim     *heygensim.Sim
	tray    *tray
	sweeper *worker.Sweeper
}

func newSweepLab(t *testing.T, y *tray, archive shelves) *sweepLab {
	t.Helper()
	t.Parallel()
	sim, err := heygensim.New(heygensim.Options{PageSize: 5})
	must(t, err)
	t.Cleanup(func() { must(t, sim.Close()) })
	api, err := heygen.New(heygen.Config{BaseURL: sim.APIURL(), Key: secret.New(sim.Key())})
	must(t, err)
	t.Cleanup(api.Close)
	s, err := worker.NewSweeper(worker.SweeperConfig{Every: time.Hour, FullEvery: 24 * time.Hour, Look: 10 * time.Millisecond},
		worker.SweeperDeps{Lists: map[string]worker.Lister{"default": api}, Archive: archive, Intake: y, Timetable: y})
	must(t, err)
	return &sweepLab{sim: sim, tray: y, sweeper: s}
}

// add puts video n into the account; a higher n is newer. They are a minute apart.
func (l *sweepLab) add(n int, change func(*heygensim.Video)) {
	v := heygensim.Video{ID: vid(n), CreatedAt: time.Now().Add(-24*time.Hour + time.Duration(n)*time.Minute), Assets: map[string]heygensim.Asset{"video": {}}}
	if change != nil {
		change(&v)
	}
	l.sim.Add(v)
}

func vid(n int) string { return fmt.Sprintf("v%03d", n) }

func stillRendering(v *heygensim.Video) { v.RenderFor = 100 * time.Hour }

// pages is how many list calls were made.
func (l *sweepLab) pages() int {
	n := 0
	for _, r := range l.sim.Requests() {
		if r.Path == "/v3/videos" {
			n++
		}
	}
	return n
}

func (l *sweepLab) sweep(t *testing.T, opt worker.SweepOptions) worker.SweepReport {
	t.Helper()
	r := l.sweeper.Sweep(t.Context(), "default", opt)
	must(t, r.Err)
	if r.Kind == worker.SweepNewest {
		l.tray.horizon = r.Horizon
	}
	return r
}

func TestASweepHandsInWhatIsMissingAndOnlyWhatIsCompleted(t *testing.T) {
	l := newSweepLab(t, newTray(vid(1)), nil)
	for n := range 4 {
		l.add(n, nil)
	}
	l.add(4, stillRendering)
	l.add(5, func(v *heygensim.Video) { v.Draft = true })
	l.add(6, func(v *heygensim.Video) { v.Fail = &heygensim.Failure{Code: "40119"} })

	if r := l.sweep(t, worker.SweepOptions{Full: true, Dry: true}); r.Missing != 3 || len(l.tray.handedIn) != 0 {
		t.Errorf("a dry run counts %d and hands in %v", r.Missing, l.tray.handedIn)
	}
	r := l.sweep(t, worker.SweepOptions{Full: true})
	if r.Missing != 3 || r.Waiting != 1 || r.Drafts != 1 || r.Failed != 1 || r.Completed != 4 || r.Seen != 7 {
		t.Errorf("report %+v", r)
	}
	if got := fmt.Sprint(l.tray.handedIn); got != "[v003 v002 v000]" {
		t.Errorf("handed in %s", got)
	}
}

func TestASweepThatFindsNothingNewCostsOneCall(t *testing.T) {
	y := newTray()
	l := newSweepLab(t, y, nil)
	for n := range 200 {
		l.add(n, nil)
		y.known[vid(n)] = true
	}
	before := l.pages()
	if r := l.sweep(t, worker.SweepOptions{}); r.Pages != 1 || l.pages()-before != 1 {
		t.Errorf("read %d pages with %d calls, want 1", r.Pages, l.pages()-before)
	}
	for n := 200; n < 207; n++ { // a page and a half of new ones
		l.add(n, nil)
	}
	if r := l.sweep(t, worker.SweepOptions{}); r.Pages != 3 || r.Missing != 7 {
		t.Errorf("read %d pages and found %d, want 3 and 7", r.Pages, r.Missing)
	}
	if r := l.sweep(t, worker.SweepOptions{Full: true}); r.Pages != 42 {
		t.Errorf("a full sweep read %d pages, want 42", r.Pages)
	}
}

// A render that takes longer than others slips behind videos that are known; it must not wait for the full sweep.
func TestASlowRenderIsFoundBehindAPageThatIsKnown(t *testing.T) {
	y := newTray()
	l := newSweepLab(t, y, nil)
	for n := range 50 {
		l.add(n, nil)
		y.known[vid(n)] = true
	}
	l.add(50, stillRendering)
	l.sweep(t, worker.SweepOptions{})
	for n := 51; n < 64; n++ {
		l.add(n, nil)
	}
	l.sweep(t, worker.SweepOptions{})
	l.sim.Update(vid(50), func(v *heygensim.Video) { v.RenderFor = 0 })
	r := l.sweep(t, worker.SweepOptions{})
	if r.Missing != 1 || !y.known[vid(50)] {
		t.Errorf("the slow render was not found: %+v", r)
	}
	if r := l.sweep(t, worker.SweepOptions{}); r.Pages != 1 {
		t.Errorf("the sweep after it read %d pages, want 1", r.Pages)
	}
}

func TestSinceReadsAllThatIsYoungEnough(t *testing.T) {
	y := newTray()
	l := newSweepLab(t, y, nil)
	for n := range 30 {
		l.add(n, nil)
		y.known[vid(n)] = n != 12
	}
	r := l.sweep(t, worker.SweepOptions{Since: time.Now().Add(-24*time.Hour + 570*time.Second)})
	if r.Missing != 1 || r.Seen != 20 {
		t.Errorf("found %d of %d videos, want 1 of 20", r.Missing, r.Seen)
	}
}

func TestTheIndexIsMadeFromTheManifestsBeforeTheFirstSweep(t *testing.T) {
	y := newTray()
	y.indexed = false
	l := newSweepLab(t, y, shelves{vid(0), vid(1)})
	for n := range 3 {
		l.add(n, nil)
	}
	r := l.sweep(t, worker.SweepOptions{Full: true})
	if y.restored != 2 || !y.indexed || r.Missing != 1 {
		t.Errorf("restored %d, marked %v, missing %d; want 2, true, 1", y.restored, y.indexed, r.Missing)
	}
	l.sweep(t, worker.SweepOptions{Full: true})
	if y.restored != 2 {
		t.Error("a complete index was made again")
	}
}

// deaf is an archive of one fresh video whose folder can't be listed, for as long as somebody has the patience to wait.
type deaf struct {
	shelves

	asked func()
}

func (d deaf) Manifests(context.Context) iter.Seq2[*storage.Manifest, error] {
	return func(yield func(*storage.Manifest, error) bool) {
		yield(&storage.Manifest{VideoID: vid(0), Account: "default", State: storage.StateArchived, SealedAt: time.Now()}, nil)
	}
}

func (d deaf) Folder(ctx context.Context, _ storage.VideoKey) (*storage.Folder, error) {
	d.asked()
	return nil, errors.New("no answer")
}

// What is looked for behind seals is a favour: the index that others wait for, and its lease, must not.
func TestAnIndexIsMadeBeforeAnybodyLooksBehindSeals(t *testing.T) {
	t.Parallel()
	y, asked := newTray(), 0
	y.indexed = false
	d := deaf{asked: func() {
		asked++
		if complete, err := y.Indexed(t.Context()); !complete || err != nil {
			t.Errorf("the index is not there yet (%v)", err)
		}
	}}
	s, err := worker.NewSweeper(worker.SweeperConfig{}, worker.SweeperDeps{Lists: map[string]worker.Lister{"default": empty{}}, Archive: d, Intake: y, Timetable: y})
	must(t, err)
	must(t, s.Sweep(t.Context(), "default", worker.SweepOptions{}).Err)
	if asked != 1 || y.restored != 1 {
		t.Errorf("%d folders were looked at, %d videos restored; want one each", asked, y.restored)
	}
}

func TestAnAccountInTroubleDoesNotStopTheOthers(t *testing.T) {
	l := newSweepLab(t, newTray(), nil)
	l.add(0, nil)
	wrong, err := heygen.New(heygen.Config{BaseURL: l.sim.APIURL(), Key: secret.New("sk_wrong")})
	must(t, err)
	t.Cleanup(wrong.Close)
	right, err := heygen.New(heygen.Config{BaseURL: l.sim.APIURL(), Key: secret.New(l.sim.Key())})
	must(t, err)
	t.Cleanup(right.Close)
	y := l.tray
	y.due["default"], y.due["wrong"] = true, true
	s, err := worker.NewSweeper(worker.SweeperConfig{Every: time.Hour, Look: 10 * time.Millisecond},
		worker.SweeperDeps{Lists: map[string]worker.Lister{"default": right, "wrong": wrong}, Archive: shelves{}, Intake: y, Timetable: y})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	for range 2 {
		<-y.ends
	}
	stop()
	must(t, <-ran)
	failed := 0
	for _, r := range y.ended {
		if r.Err != nil {
			failed++
			if heygen.KindOf(r.Err) != heygen.Unauthorized {
				t.Errorf("the wrong key ended with %v", r.Err)
			}
		}
	}
	if failed != 1 || !y.known[vid(0)] {
		t.Errorf("%d of 2 sweeps failed, video found: %v; want 1 and true", failed, y.known[vid(0)])
	}
}

// One account's list is endless, it seems; the other account is swept again and again meanwhile.
func TestALongSweepDoesNotKeepOtherAccountsWaiting(t *testing.T) {
	l := newSweepLab(t, newTray(), nil)
	l.add(0, nil)
	y := l.tray
	y.due["slow"], y.due["default"] = true, true
	api, err := heygen.New(heygen.Config{BaseURL: l.sim.APIURL(), Key: secret.New(l.sim.Key())})
	must(t, err)
	t.Cleanup(api.Close)
	s, err := worker.NewSweeper(worker.SweeperConfig{Every: time.Hour, Look: time.Millisecond},
		worker.SweeperDeps{Lists: map[string]worker.Lister{"default": api, "slow": endless{}}, Archive: shelves{}, Intake: y, Timetable: y})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	for range 3 {
		if account := <-y.ends; account != "default" {
			t.Errorf("the sweep of %s ended", account)
		}
		y.mu.Lock()
		y.due["default"] = true
		y.mu.Unlock()
	}
	stop()
	must(t, <-ran)
}

// empty is an account without videos.
type empty struct{}

func (empty) Pages(context.Context, heygen.ListOptions) iter.Seq2[[]*heygen.Video, error] {
	return func(func([]*heygen.Video, error) bool) {}
}

// endless is a list whose first page never comes.
type endless struct{}

func (endless) Pages(ctx context.Context, _ heygen.ListOptions) iter.Seq2[[]*heygen.Video, error] {
	return func(yield func([]*heygen.Video, error) bool) {
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

func TestASweepThatIsToldToStopNotesItsEnd(t *testing.T) {
	l := newSweepLab(t, newTray(), nil)
	l.add(0, nil)
	l.tray.due["default"] = true
	ctx, stop := context.WithCancel(t.Context())
	stop()
	must(t, l.sweeper.Run(ctx))
	if len(l.tray.ended) != 1 || !errors.Is(l.tray.ended[0].Err, context.Canceled) || !l.tray.ended[0].Stopped {
		t.Errorf("ended as %+v, want one end with context.Canceled that says it was stopped", l.tray.ended)
	}
}
