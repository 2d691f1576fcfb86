package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// defaultStore is where `archive` puts videos if nothing else is said; other commands that only read look there
// too, so that what was archived without settings is found without settings.
const defaultStore = "./archive"

func archiveCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:      "archive",
		Usage:     "archive videos now, in the foreground",
		ArgsUsage: "ID…",
		Description: "Archives the named videos, or with --all (--since) every completed video of the account.\n" +
			"What is archived already is left alone; what was interrupted goes on where it was.\n" +
			"The queue is private to this run: REELKEEP_REDIS is never touched.\n\n" + exitCodes,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "every completed video of the account"},
			&cli.DurationFlag{Name: "since", Usage: "with or without --all: every completed video created within this `DURATION`, such as 720h"},
			&cli.BoolFlag{Name: "wait", Usage: "wait for videos that are still being rendered"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be archived"},
			accountFlag(),
			&cli.BoolFlag{Name: "again", Usage: "fetch the named videos again if they were rendered again, as a new generation; nothing is overwritten"},
			jsonFlag(),
		}, settingFlags(config.HeyGen, config.Store, config.Transfer, config.Safety, config.Waiting, config.Logging)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			run, err := newArchiveRun(c, con)
			if err != nil {
				return err
			}
			return run.do(ctx)
		},
	}
}

// archiveRun is one run of `archive`.
type archiveRun struct {
	con     *console
	cfg     config.Config
	account string
	ids     []string
	all     bool
	since   time.Duration
	wait    bool
	dryRun  bool
	again   bool
	json    bool

	started time.Time
	hints   map[string]worker.Video // what the list said
	tally   tally
	left    atomic.Int64 // videos in work that are not settled yet
}

// unsettled is how many videos the run still has before it, of its one account.
func (r *archiveRun) unsettled(string) int { return int(r.left.Load()) }

// tally counts what became of the videos of a run.
type tally struct {
	archived, already, partial int
	waiting, failed, drafts    int // not taken, or HeyGen could not render them
	gone                       int
	undone                     int // named or taken, and not archived
	bytes                      int64
}

func newArchiveRun(c *cli.Command, con *console) (*archiveRun, error) {
	r := &archiveRun{
		con: con, account: c.String("account"), all: c.Bool("all") || c.IsSet("since"), since: c.Duration("since"), wait: c.Bool("wait"),
		dryRun: c.Bool("dry-run"), again: c.Bool("again"), json: c.Bool("json"), hints: map[string]worker.Video{},
	}
	var errs []error
	var err error
	if r.cfg, err = loadConfig(c); err != nil {
		errs = append(errs, err)
	}
	con.permalinks = r.cfg.PublicURL
	if r.cfg.Store == "" {
		errs = append(errs, r.cfg.UseStore(defaultStore))
	}
	errs = append(errs, r.cfg.Need("HEYGEN_API_KEY"), knownAccount(r.cfg, r.account), r.checkArgs(c))
	return r, withCode(exitUsage, errors.Join(errs...))
}

func (r *archiveRun) checkArgs(c *cli.Command) error {
	args := c.Args().Slice()
	switch {
	case len(args) == 0 && !r.all:
		return errors.New("name the videos to archive, or use --all")
	case len(args) > 0 && r.all:
		return errors.New("name videos or use --all (--since), not both")
	case c.IsSet("since") && r.since <= 0:
		return errors.New("--since wants a duration such as 720h")
	case r.again && r.all:
		return errors.New("--again wants the ids of the videos that were rendered again")
	}
	seen := map[string]bool{}
	var bad []error
	for _, id := range args {
		if !heygen.ValidID(id) {
			bad = append(bad, invalidID(id))
			continue
		}
		if !seen[id] {
			r.ids = append(r.ids, id)
		}
		seen[id] = true
	}
	if len(r.ids) == 0 {
		return errors.Join(bad...)
	}
	for _, err := range bad {
		r.con.sayf("%v; skipped", err)
		r.tally.undone++
	}
	return nil
}

// accountFlag picks one of several accounts.
func accountFlag() cli.Flag {
	return &cli.StringFlag{Name: "account", Value: defaultAccount, Usage: "`NAME` of the HeyGen account (REELKEEP_ACCOUNTS_FILE)"}
}

// knownAccount refuses the name of an account for which there is no key. If there is no key at all, that is what
// a person is told first.
func knownAccount(cfg config.Config, name string) error {
	if _, ok := cfg.Account(name); ok || len(cfg.Accounts) == 0 {
		return nil
	}
	return fmt.Errorf("--account: there is no account %q; the configured ones are: %s", name, strings.Join(cfg.AccountNames(), ", "))
}

func invalidID(id string) error {
	return fmt.Errorf("video id %q: want 1 to 128 letters, digits, - or _", id)
}

// do runs the whole command: parts, list, what is sealed already, the rest through the private queue.
func (r *archiveRun) do(ctx context.Context) (retErr error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.started = time.Now()
	log := newLog(r.cfg, stderrOf{r.con})
	screen := newScreen(r.con)
	defer screen.close()
	p, err := newParts(ctx, r.cfg, makings{observer: screen, open: openShelfToWrite, wanted: r.unsettled, waiting: r.unsettled, most: r.unsettled}, log)
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, p.Close()) }()
	defer p.shelf.watch(stop)()
	if r.all {
		if err := r.list(ctx, p.heygen[r.account]); err != nil && (len(r.ids) == 0 || ctx.Err() != nil) {
			return err
		} else if err != nil {
			r.con.sayf("the list broke off; what it named so far is archived: %v", err)
			defer func() { retErr = errors.Join(retErr, err) }()
		}
	}
	todo, err := r.unsealed(ctx, p)
	if err != nil {
		return err
	}
	if r.dryRun {
		return r.announce(todo, p.shelf)
	}
	if len(todo) > 0 {
		err = r.work(ctx, stop, p, screen, todo)
	}
	screen.close()
	r.tally.partial = screen.waiting()
	return r.conclude(ctx, p.shelf, err)
}

func (r *archiveRun) conclude(ctx context.Context, s *shelf, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		err = cause
	}
	t := r.tally
	line := fmt.Sprintf("%s archived", plural(t.archived, "video"))
	if t.archived > 0 {
		line += fmt.Sprintf(" (%s)", config.FormatBytes(t.bytes))
	}
	for _, part := range []struct {
		n    int
		text string
	}{
		{t.already, "already there"}, {t.partial, "sealed and still waiting for late assets"}, {t.waiting, "not rendered yet"}, {t.failed, "failed in HeyGen"},
		{t.drafts, "never rendered (drafts)"}, {t.gone, "gone"}, {t.undone, "could not be archived"},
	} {
		if part.n > 0 {
			line += fmt.Sprintf(", %d %s", part.n, part.text)
		}
	}
	r.con.sayf("%s → %s", line, s.where(r.cfg))
	if errors.Is(err, errInterrupted) {
		r.con.sayf("interrupted; run the same command again to go on where this one stopped")
		return withCode(exitInterrupted, errReported)
	}
	if err == nil && t.undone > 0 {
		return withCode(exitNotDone, errReported)
	}
	return err
}
