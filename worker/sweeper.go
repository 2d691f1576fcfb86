package worker

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// A Sweeper is responsible for videos that nobody handed in: it compares HeyGen's list with what the in-tray and the
// archive know and hands in what is missing.
//
// Two kinds of sweep: the newest pages until one holds nothing new, which costs one call where nothing happened; and
// the whole list, now and then, because HeyGen promises no order. Only completed videos are handed in. One that is
// still being rendered is found by a later sweep: the next one reads on at least to the oldest of them.
//
// When the in-tray has lost its index (Redis was emptied), it is made from the manifests first; otherwise every
// archived video would look missing.
type Sweeper struct {
	cfg  SweeperConfig
	deps SweeperDeps
}

// Kinds of a sweep, as the timetable spells them.
const (
	SweepNewest = "newest"
	SweepFull   = "full"
)

// SweeperConfig is the Sweeper's settings.
type SweeperConfig struct {
	Every     time.Duration // REELKEEP_SWEEP_EVERY; 0 = off
	FullEvery time.Duration // REELKEEP_SWEEP_FULL_EVERY; 0 = off
	// Look is how often the timetable is asked whether a sweep is due; 5 s. It bounds how long an emptied Redis goes
	// unnoticed.
	Look time.Duration
	// RenderWait bounds how far back a render that is still waited for makes the next sweep read.
	RenderWait time.Duration
	Now        func() time.Time
	Log        *slog.Logger
}

// Lister lists the videos of one account, a page at a time, newest first as far as HeyGen keeps to that.
type Lister interface {
	Pages(ctx context.Context, opt heygen.ListOptions) iter.Seq2[[]*heygen.Video, error]
}

// Intake takes what a sweep found.
type Intake interface {
	// Offer hands videos in, unless dry, and says how many of them were missing.
	Offer(ctx context.Context, account string, found []*heygen.Video, dry bool) (missing int, err error)
	// Restore takes over sealed videos that it does not know, and returns how many those were.
	Restore(ctx context.Context, sealed []*storage.Manifest) (int, error)
}

// Timetable says which sweep is due. Only one process of the fleet gets it.
type Timetable interface {
	// Begin returns the kind of sweep that is due, or "".
	Begin(ctx context.Context, account string, newest, full time.Duration) (kind string, err error)
	// Renew keeps it; false: somebody else has taken it over.
	Renew(ctx context.Context, account string) (bool, error)
	End(ctx context.Context, account string, r SweepReport) error
	Horizon(ctx context.Context, account string) (time.Time, error)
	Indexed(ctx context.Context) (bool, error)
	// BeginIndex takes the making of the index; nil: somebody else is at it.
	BeginIndex(ctx context.Context) (Indexing, error)
}

// Indexing is the making of the index from all manifests. It must be renewed while it goes on.
type Indexing interface {
	Renew(ctx context.Context) error
	Done(ctx context.Context) error
	GiveUp(ctx context.Context) error
}

// SweeperDeps are the parts a Sweeper works with.
type SweeperDeps struct {
	Lists     map[string]Lister // by account
	Archive   Archive
	Intake    Intake
	Timetable Timetable
}

// Archive is everything that is sealed.
type Archive interface {
	folders

	Manifests(ctx context.Context) iter.Seq2[*storage.Manifest, error]
}

// SweepOptions say what one sweep reads.
type SweepOptions struct {
	Full  bool
	Since time.Time // only what was made since then, all of it; zero: no such limit
	Dry   bool      // hand nothing in
}

// SweepReport is what one sweep found.
type SweepReport struct {
	Kind    string
	Started time.Time
	Err     error // why it ended early; nil: it did not
	Stopped bool  // it ended early because we were told to stop

	Pages     int
	Seen      int // videos in the list
	Completed int
	Missing   int // completed and known neither to the in-tray nor to the archive; handed in unless dry
	Waiting   int // not rendered yet
	Failed    int // HeyGen could not render them
	Drafts    int // never rendered
	// Horizon is when the oldest video of those not rendered yet was made; zero: none.
	Horizon time.Time
}

// NewSweeper puts a sweeper together.
func NewSweeper(cfg SweeperConfig, deps SweeperDeps) (*Sweeper, error) {
	if len(deps.Lists) == 0 || deps.Archive == nil || deps.Intake == nil || deps.Timetable == nil {
		return nil, errors.New("build the sweeper: lists, archive, intake and timetable are required")
	}
	cfg.Look = cmp.Or(cfg.Look, 5*time.Second)
	cfg.RenderWait = cmp.Or(cfg.RenderWait, 72*time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Sweeper{cfg: cfg, deps: deps}, nil
}

// Run sweeps on schedule until ctx ends, then returns nil. Each account goes its own way: neither trouble with one nor a long
// list keeps the others waiting.
func (s *Sweeper) Run(ctx context.Context) error {
	if s.cfg.Every <= 0 && s.cfg.FullEvery <= 0 {
		<-ctx.Done()
		return nil
	}
	var accounts sync.WaitGroup
	for account := range s.deps.Lists {
		accounts.Go(func() { s.follow(ctx, account) })
	}
	accounts.Wait()
	return nil
}

// follow sweeps one account whenever it is due.
func (s *Sweeper) follow(ctx context.Context, account string) {
	look := time.NewTicker(s.cfg.Look)
	defer look.Stop()
	for {
		if err := s.turn(ctx, account); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("the sweep will be tried again", "account", account, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// turn sweeps the account if it is due and ours.
func (s *Sweeper) turn(ctx context.Context, account string) error {
	kind, err := s.deps.Timetable.Begin(ctx, account, s.cfg.Every, s.cfg.FullEvery)
	if err != nil {
		// Whoever watches Redis tells of its outages, once and not at every look.
		s.cfg.Log.Debug("the timetable can't be asked", "account", account, "err", err)
		return nil
	}
	if kind == "" {
		return nil
	}
	sweeping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keep(sweeping, account, stop)
	}()
	r := s.Sweep(sweeping, account, SweepOptions{Full: kind == SweepFull})
	stop(nil)
	<-kept
	if errors.Is(context.Cause(sweeping), errTakenOver) {
		return errTakenOver
	}
	// The end is noted even if we are told to stop: another process goes on at once instead of waiting for the lease.
	r.Stopped = ctx.Err() != nil
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(r.Err, s.deps.Timetable.End(ending, account, r))
}

var errTakenOver = errors.New("worker: another process has taken the sweep over")

// keep holds the lease while a sweep is under way. One that cannot be renewed for a while (Redis is away) is not given
// up here: a second sweep at the same time is harmless.
func (s *Sweeper) keep(ctx context.Context, account string, stop context.CancelCauseFunc) {
	const every = 15 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ours, err := s.deps.Timetable.Renew(ctx, account); err == nil && !ours {
			stop(errTakenOver)
			return
		}
	}
}
