package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

func listCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the archive",
		Description: "Prints one line for every archived video: its state, id, size, number of assets and title, read from the manifests.",
		Flags:       readFlags(),
		Action: withShelf(con, noArgs, func(ctx context.Context, c *cli.Command, s *shelf) error {
			return listArchive(ctx, con, s, c.Bool("json"))
		}),
	}
}

// listArchive prints every manifest. One that cannot be read does not hide the others.
func listArchive(ctx context.Context, con *console, s *shelf, asJSON bool) error {
	damaged, n, bytes := 0, 0, int64(0)
	for m, err := range s.Manifests(ctx) {
		var broken *storage.DamagedError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &broken):
			damaged++
			con.sayf("%v", err)
			continue
		case err != nil:
			return err
		}
		report := reportOfManifest(m)
		n++
		bytes += report.Bytes
		if err := report.print(con, asJSON); err != nil {
			return err
		}
	}
	con.sayf("%s, %s", plural(n, "video"), config.FormatBytes(bytes))
	if damaged > 0 {
		return withCode(exitNotDone, fmt.Errorf("%s could not be read", plural(damaged, "manifest")))
	}
	return nil
}

func noArgs(c *cli.Command) error {
	if c.NArg() > 0 {
		return usageErrorf("%s takes no arguments; see %s --help", c.Name, c.FullName())
	}
	return nil
}

func statusCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "state and progress of videos", ArgsUsage: "[ID…]",
		Description: "Without ids: how many videos are in which state. With REELKEEP_REDIS it asks the fleet, else the archive's manifests.\n\n" + exitCodes,
		Flags:       readFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			ids, err := idArgs(c)
			if err != nil {
				return err
			}
			cfg, err := readConfig(c)
			if err != nil {
				return err
			}
			look, done, err := newLookup(ctx, cfg, con)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				err = look.counts(ctx, con, c.Bool("json"))
			} else {
				err = statusOf(ctx, con, look, ids, c.Bool("json"))
			}
			return errors.Join(err, done())
		},
	}
}

// statusOf prints the state of each video. What is not archived makes the exit code 3.
func statusOf(ctx context.Context, con *console, look lookup, ids []string, asJSON bool) error {
	missing := 0
	for _, id := range ids {
		report, err := look.video(ctx, id)
		if err != nil {
			return err
		}
		if report == nil {
			missing++
			con.sayf("%s is not archived and not in the queue", id)
			continue
		}
		if report.State != string(queue.StateArchived) && report.State != string(queue.StatePartial) {
			missing++
		}
		if err := report.print(con, asJSON); err != nil {
			return err
		}
	}
	if missing > 0 {
		return withCode(exitNotYet, errReported)
	}
	return nil
}

// lookup is where `status` finds videos: the fleet or the archive.
type lookup interface {
	video(ctx context.Context, id string) (*videoReport, error) // nil: unknown
	counts(ctx context.Context, con *console, asJSON bool) error
}

func newLookup(ctx context.Context, cfg config.Config, con *console) (lookup, func() error, error) {
	if !cfg.Redis.IsZero() {
		client, err := queue.NewClient(cfg.Redis.Reveal())
		if err != nil {
			return nil, nil, withCode(exitUsage, fmt.Errorf("REELKEEP_REDIS: %w", err))
		}
		return fleetLookup{client}, client.Close, nil
	}
	s, err := openShelf(ctx, cfg, newLog(cfg, stderrOf{con}))
	if err != nil {
		return nil, nil, err
	}
	return archiveLookup{s}, s.Close, nil
}

type fleetLookup struct{ client *queue.Client }

func (f fleetLookup) video(ctx context.Context, id string) (*videoReport, error) {
	s, err := f.client.Status(ctx, id)
	if errors.Is(err, queue.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, withCode(exitDependency, fmt.Errorf("REELKEEP_REDIS: ask for %s: %w", id, err))
	}
	report := reportOfStatus(s)
	return &report, nil
}

func (f fleetLookup) counts(ctx context.Context, con *console, asJSON bool) error {
	counts, err := f.client.Counts(ctx)
	if err != nil {
		return withCode(exitDependency, fmt.Errorf("REELKEEP_REDIS: count the videos: %w", err))
	}
	return printCounts(con, counts, asJSON)
}

type archiveLookup struct{ *shelf }

func (a archiveLookup) video(ctx context.Context, id string) (*videoReport, error) {
	m, err := a.Manifest(ctx, storage.VideoKey{Account: defaultAccount, VideoID: id})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	report := reportOfManifest(m)
	return &report, nil
}

func (a archiveLookup) counts(ctx context.Context, con *console, asJSON bool) error {
	counts := map[queue.State]int64{queue.StateArchived: 0, queue.StatePartial: 0}
	for m, err := range a.Manifests(ctx) {
		if err != nil {
			con.sayf("%v", err)
			continue
		}
		counts[queue.State(m.State)]++
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return printCounts(con, counts, asJSON)
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

func readFlags(more ...cli.Flag) []cli.Flag {
	return append(append(more, jsonFlag()), settingFlags(config.Store, config.Logging)...)
}

// readConfig is the configuration of a command that only reads: the archive is looked for where `archive`
// puts it.
func readConfig(c *cli.Command) (config.Config, error) {
	cfg, err := loadConfig(c)
	if err == nil && cfg.Store == "" {
		err = withCode(exitUsage, cfg.UseStore(defaultStore))
	}
	return cfg, err
}

// withShelf gives an action the store, once its arguments are checked.
func withShelf(con *console, check func(*cli.Command) error, action func(context.Context, *cli.Command, *shelf) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		cfg, err := readConfig(c)
		if err := errors.Join(check(c), err); err != nil {
			return withCode(exitUsage, err)
		}
		s, err := openShelf(ctx, cfg, newLog(cfg, stderrOf{con}))
		if err != nil {
			return err
		}
		return errors.Join(action(ctx, c, s), s.Close())
	}
}

// idArgs checks all arguments as video ids.
func idArgs(c *cli.Command) ([]string, error) {
	var errs []error
	for _, id := range c.Args().Slice() {
		if !heygen.ValidID(id) {
			errs = append(errs, invalidID(id))
		}
	}
	return c.Args().Slice(), withCode(exitUsage, errors.Join(errs...))
}
