package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// lookup is where `status` finds videos: the fleet or the archive.
type lookup interface {
	video(ctx context.Context, id string) (*videoReport, error) // nil: unknown
	counts(ctx context.Context, r *statusRun) error
	Close() error
}

func (r *statusRun) lookup(ctx context.Context) (lookup, error) {
	if !r.cfg.Redis.IsZero() {
		client, err := dialFleet(r.cfg)
		if err != nil {
			return nil, err
		}
		return &fleetLookup{run: r, client: client}, nil
	}
	s, err := r.openShelf(ctx)
	if err != nil {
		return nil, err
	}
	return archiveLookup{s, r.account}, nil
}

func (r *statusRun) openShelf(ctx context.Context) (*shelf, error) {
	return openShelf(ctx, r.cfg, newLog(r.cfg, stderrOf{r.con}))
}

// fleetLookup asks the fleet, and the archive, once it is needed and if it is known where it is, for what the fleet does
// not know: what `archive` put there, or what a Redis that was emptied has forgotten.
type fleetLookup struct {
	run     *statusRun
	client  *queue.Client
	archive *shelf
}

func (f *fleetLookup) video(ctx context.Context, id string) (*videoReport, error) {
	asking, cancel := patiently(ctx)
	defer cancel()
	s, err := f.client.StatusIn(asking, f.run.account, id)
	if errors.Is(err, queue.ErrUnknown) {
		return f.archived(ctx, id)
	}
	if err != nil {
		return nil, fleetError(ctx, err)
	}
	report := reportOfStatus(s)
	return &report, nil
}

func (f *fleetLookup) archived(ctx context.Context, id string) (*videoReport, error) {
	if !f.run.hasStore {
		return nil, nil
	}
	if f.archive == nil {
		var err error
		if f.archive, err = f.run.openShelf(ctx); err != nil {
			return nil, err
		}
	}
	return archiveLookup{f.archive, f.run.account}.video(ctx, id)
}

func (f *fleetLookup) counts(ctx context.Context, r *statusRun) error {
	asking, cancel := patiently(ctx)
	defer cancel()
	o, err := f.client.Overview(asking)
	if err != nil {
		return fleetError(ctx, err)
	}
	if err := printCounts(r.con, o.States, r.json); err != nil {
		return err
	}
	if text := urgency(o, time.Now()); text != "" {
		r.con.sayf("%s", text)
	}
	return nil
}

// urgency says how much time the fleet has, or nothing if nothing waits.
func urgency(o queue.Overview, now time.Time) string {
	if o.EarliestDeadline == nil {
		return ""
	}
	text := fmt.Sprintf("%d at risk (less than a day left), %d overdue; the earliest deadline ", o.AtRisk, o.Overdue)
	at := o.EarliestDeadline.UTC().Format(time.RFC3339)
	if left := o.EarliestDeadline.Sub(now); left > 0 {
		return text + "is in " + roughly(left) + ", " + at
	}
	return text + "was " + roughly(now.Sub(*o.EarliestDeadline)) + " ago, " + at
}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d/time.Hour), int(d%time.Hour/time.Minute))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

func (f *fleetLookup) Close() error {
	err := f.client.Close()
	if f.archive != nil {
		err = errors.Join(err, f.archive.Close())
	}
	return err
}

type archiveLookup struct {
	*shelf
	account string
}

func (a archiveLookup) video(ctx context.Context, id string) (*videoReport, error) {
	m, err := a.Manifest(ctx, storage.VideoKey{Account: a.account, VideoID: id})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	report := reportOfManifest(m)
	return &report, nil
}

func (a archiveLookup) counts(ctx context.Context, r *statusRun) error {
	counts := map[queue.State]int64{queue.StateArchived: 0, queue.StatePartial: 0}
	for m, err := range a.Manifests(ctx) {
		if err != nil {
			r.con.sayf("%v", err)
			continue
		}
		counts[queue.State(m.State)]++
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return printCounts(r.con, counts, r.json)
}

func printCounts(con *console, counts map[queue.State]int64, asJSON bool) error {
	if asJSON {
		return con.dataJSON(counts)
	}
	for _, state := range queue.States() {
		if n, ok := counts[state]; ok {
			if err := con.dataf("%-12s %d", state, n); err != nil {
				return err
			}
		}
	}
	return nil
}
