package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/queue"
)

func statusCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "state and progress of videos", ArgsUsage: "[ID…]",
		Description: "Without ids: how many videos are in which state. With REELKEEP_REDIS it asks the fleet, and REELKEEP_STORE, if it is set,\n" +
			"for ids that the fleet does not know; else the archive's manifests. The exit code is 3 while something named may still be\n" +
			"archived or is unknown, 1 if all of that has ended and something failed, is gone or was cancelled.\n\n" +
			"--watch goes on looking: at the fleet until Ctrl-C, at the named videos until all have ended. On a terminal it keeps a\n" +
			"screen; elsewhere it prints a line, or with --json a document, whenever something changes.\n\n" + exitCodes,
		Flags: readFlags(
			&cli.BoolFlag{Name: "watch", Usage: "go on looking, once a second; needs REELKEEP_REDIS"},
			&cli.StringFlag{Name: "account", Value: defaultAccount, Usage: "`NAME` of the HeyGen account whose videos are named"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			r, err := newStatusRun(c, con)
			if err != nil {
				return err
			}
			return r.do(ctx)
		},
	}
}

// statusRun is one run of `status`.
type statusRun struct {
	con      *console
	cfg      config.Config
	hasStore bool // REELKEEP_STORE is set, not only assumed
	account  string
	ids      []string
	json     bool
	watch    bool
}

func newStatusRun(c *cli.Command, con *console) (*statusRun, error) {
	r := &statusRun{con: con, account: c.String("account"), json: c.Bool("json"), watch: c.Bool("watch")}
	var err, errIDs, errStore, errRedis error
	r.cfg, err = loadConfig(c)
	r.hasStore, con.permalinks = r.cfg.Store != "", r.cfg.PublicURL
	if !r.hasStore {
		errStore = r.cfg.UseStore(defaultStore)
	}
	if r.watch {
		errRedis = r.cfg.Need("REELKEEP_REDIS")
	}
	r.ids, errIDs = idArgs(c)
	return r, withCode(exitUsage, errors.Join(errIDs, validAccount(r.account), err, errStore, errRedis))
}

func (r *statusRun) do(ctx context.Context) (err error) {
	look, err := r.lookup(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, look.Close()) }()
	fleet, _ := look.(*fleetLookup)
	switch {
	case r.watch && len(r.ids) > 0:
		return r.newWatch().do(ctx, &watchedVideos{run: r, fleet: fleet})
	case r.watch:
		return r.newWatch().do(ctx, &watchedFleet{run: r, client: fleet.client})
	case len(r.ids) > 0:
		return r.videos(ctx, look)
	}
	return look.counts(ctx, r)
}

// videos prints the state of each video.
func (r *statusRun) videos(ctx context.Context, look lookup) error {
	var ends ends
	for _, id := range r.ids {
		report, err := look.video(ctx, id)
		if err != nil {
			return err
		}
		ends.add(report)
		if report == nil {
			r.unknown(id)
			continue
		}
		if err := report.print(r.con, r.json); err != nil {
			return err
		}
	}
	return ends.err()
}

func (r *statusRun) unknown(id string) {
	r.con.sayf("%s is not archived and not in the queue of %s", id, ofAccount(r.account))
}

// ends counts what the exit code of `status ID…` depends on.
type ends struct{ open, lost int }

// add takes a video; nil is one that nobody knows.
func (e *ends) add(r *videoReport) {
	switch {
	case r == nil:
		e.open++
	case r.State == string(queue.StateArchived), r.State == string(queue.StatePartial):
	case queue.State(r.State).Settled():
		e.lost++
	default:
		e.open++
	}
}

// err is "not yet" as long as anything may still come, so that a script can wait for another code.
func (e *ends) err() error {
	switch {
	case e.open > 0:
		return withCode(exitNotYet, errReported)
	case e.lost > 0:
		return withCode(exitNotDone, errReported)
	}
	return nil
}
