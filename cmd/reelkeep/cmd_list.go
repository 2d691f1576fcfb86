package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

func listCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the archive",
		Description: "Prints one line for every archived video: its state, id, account (@NAME, unless it is default), size, number\n" +
			"of assets and title. With REELKEEP_REDIS it reads the fleet's index, in no order, and --state finds videos in any\n" +
			"state; else the archive's manifests.\n\n" + exitCodes,
		Flags: readFlags(
			&cli.StringSliceFlag{Name: "state", Usage: "only videos in this `STATE`; several: --state failed,gone (default: archived,partial)", HideDefault: true},
			&cli.StringFlag{Name: "account", Usage: "only videos of the account `NAME`; all, unless said"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			cfg, err := readConfig(c)
			con.permalinks = cfg.PublicURL
			l, lerr := newListing(c, con, !cfg.Redis.IsZero())
			if err := errors.Join(noArgs(c), err, lerr); err != nil {
				return withCode(exitUsage, err)
			}
			if !cfg.Redis.IsZero() {
				client, err := dialFleet(cfg)
				if err != nil {
					return err
				}
				return errors.Join(l.fleet(ctx, client), client.Close())
			}
			s, err := openShelf(ctx, cfg, newLog(cfg, stderrOf{con}))
			if err != nil {
				return err
			}
			return errors.Join(l.archive(ctx, s), s.Close())
		},
	}
}

// listing is one run of `list`.
type listing struct {
	con    *console
	json   bool
	filter queue.Filter

	videos, unreadable int
	bytes              int64
}

func newListing(c *cli.Command, con *console, fleet bool) (*listing, error) {
	l := &listing{con: con, json: c.Bool("json"), filter: queue.Filter{Account: c.String("account")}}
	known := []string{string(queue.StatePartial), string(queue.StateArchived)}
	if fleet {
		known = nil
		for _, s := range queue.States() {
			known = append(known, string(s))
		}
	}
	var errs []error
	for _, name := range c.StringSlice("state") {
		switch {
		case slices.Contains(known, name):
			l.filter.States = append(l.filter.States, queue.State(name))
		case !fleet && slices.Contains(queue.States(), queue.State(name)):
			errs = append(errs, fmt.Errorf("--state %s: only a fleet knows such videos: set REELKEEP_REDIS", name))
		default:
			errs = append(errs, fmt.Errorf("--state: want %s, got %q", strings.Join(known, ", "), name))
		}
	}
	if len(l.filter.States) == 0 {
		l.filter.States = []queue.State{queue.StatePartial, queue.StateArchived}
	}
	if l.filter.Account != "" {
		errs = append(errs, validAccount(l.filter.Account))
	}
	return l, errors.Join(errs...)
}

// fleet prints what the fleet's Redis knows, as it comes: 100,000 videos need no more memory than their names.
func (l *listing) fleet(ctx context.Context, client *queue.Client) error {
	for s, err := range client.List(ctx, l.filter) {
		var damaged *queue.EntryError
		switch {
		case errors.As(err, &damaged):
			l.unreadable++
			l.con.sayf("%v", err)
			continue
		case err != nil:
			return fleetError(ctx, err)
		}
		if err := l.show(reportOfStatus(s)); err != nil {
			return err
		}
	}
	return l.conclude("entry of the fleet", "entries of the fleet")
}

// archive prints every manifest. One that cannot be read does not hide the others.
func (l *listing) archive(ctx context.Context, s *shelf) error {
	for m, err := range s.Manifests(ctx) {
		var broken *storage.DamagedError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &broken):
			l.unreadable++
			l.con.sayf("%v", err)
			continue
		case err != nil:
			return err
		}
		report := reportOfManifest(m)
		if !slices.Contains(l.filter.States, queue.State(report.State)) || (l.filter.Account != "" && l.filter.Account != report.Account) {
			continue
		}
		if err := l.show(report); err != nil {
			return err
		}
	}
	return l.conclude("manifest", "manifests")
}

func (l *listing) show(r videoReport) error {
	l.videos++
	l.bytes += r.Bytes
	return r.print(l.con, l.json)
}

func (l *listing) conclude(one, many string) error {
	l.con.sayf("%s, %s", plural(l.videos, "video"), config.FormatBytes(l.bytes))
	if l.unreadable == 1 {
		return withCode(exitNotDone, fmt.Errorf("1 %s could not be read", one))
	}
	if l.unreadable > 1 {
		return withCode(exitNotDone, fmt.Errorf("%d %s could not be read", l.unreadable, many))
	}
	return nil
}
