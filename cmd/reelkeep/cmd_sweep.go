package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

func sweepCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "hand the fleet what HeyGen lists and the archive lacks, now",
		Description: "Reads HeyGen's list from the newest video on until a page holds nothing new; with --full all of it.\n" +
			"Needs REELKEEP_REDIS. The service does this by itself (REELKEEP_SWEEP_EVERY). Prints one line for every account.\n\n" + exitCodes,
		Flags: append([]cli.Flag{
			&cli.DurationFlag{Name: "since", Usage: "everything created within this `DURATION`, such as 720h"},
			&cli.BoolFlag{Name: "full", Usage: "read the whole list"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only count"},
			&cli.StringFlag{Name: "account", Usage: "only the account `NAME`; all, unless said"},
			jsonFlag(),
		}, settingFlags(config.HeyGen, config.Store, config.Waiting, config.Logging)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			run, err := newSweepRun(c, con)
			if err != nil {
				return err
			}
			return run.do(ctx)
		},
	}
}

// sweepRun is one run of `sweep`.
type sweepRun struct {
	con      *console
	cfg      config.Config
	accounts []string
	opt      worker.SweepOptions
	json     bool
}

func newSweepRun(c *cli.Command, con *console) (*sweepRun, error) {
	cfg, err := loadConfig(c)
	r := &sweepRun{con: con, cfg: cfg, accounts: cfg.AccountNames(), json: c.Bool("json"),
		opt: worker.SweepOptions{Full: c.Bool("full"), Dry: c.Bool("dry-run")}}
	errs := []error{err, noArgs(c), cfg.Need("REELKEEP_REDIS", "HEYGEN_API_KEY", "REELKEEP_STORE")}
	if c.IsSet("since") {
		if c.Duration("since") <= 0 {
			errs = append(errs, errors.New("--since wants a duration such as 720h"))
		}
		r.opt.Since = time.Now().Add(-c.Duration("since"))
	}
	if account := c.String("account"); account != "" {
		errs = append(errs, knownAccount(cfg, account))
		r.accounts = []string{account}
	}
	return r, withCode(exitUsage, errors.Join(errs...))
}

func (r *sweepRun) do(ctx context.Context) (err error) {
	log := newLog(r.cfg, stderrOf{r.con})
	client, err := dialFleet(r.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	p, err := newParts(ctx, r.cfg, makings{open: openShelf, gate: func(account string) heygen.Gate { return client.Budget(account) }}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if !r.opt.Dry { // another bucket's manifests in this fleet's index would hide what is missing
		if err := client.CheckFingerprint(ctx, fingerprintOf(r.cfg, p.shelf)); err != nil {
			return fleetError(ctx, err)
		}
	}
	sweeper, err := newSweeper(r.cfg, client, p, log)
	if err != nil {
		return err
	}
	var failed []error
	for _, account := range r.accounts {
		failed = append(failed, r.sweep(ctx, sweeper, timetable{client.Sweeps()}, account))
	}
	return errors.Join(failed...)
}

// sweep sweeps one account and tells the service's timetable, so that it neither does the same again nor takes a part for
// the whole.
func (r *sweepRun) sweep(ctx context.Context, sweeper *worker.Sweeper, t timetable, account string) error {
	if !r.opt.Dry {
		if err := t.Open(ctx, account); err != nil {
			return fleetError(ctx, err)
		}
	}
	report := sweeper.Sweep(ctx, account, r.opt)
	err := report.Err
	if err == nil || report.Pages > 0 {
		err = errors.Join(r.print(account, report), err)
	}
	if r.opt.Dry || err != nil || !r.opt.Since.IsZero() {
		return err
	}
	return t.End(ctx, account, report)
}

func (r *sweepRun) print(account string, s worker.SweepReport) error {
	if r.json {
		return r.con.dataJSON(map[string]any{
			"account": account, "kind": s.Kind, "pages": s.Pages, "videos": s.Seen, "completed": s.Completed, "missing": s.Missing,
			"not_rendered_yet": s.Waiting, "failed": s.Failed, "drafts": s.Drafts, "dry_run": r.opt.Dry, "complete": s.Err == nil,
		})
	}
	verb := "handed in"
	if r.opt.Dry {
		verb = "would be handed in"
	}
	return r.con.dataf("%s  %d %s  (%s on %s, %d completed, %d not rendered yet, %d failed in HeyGen, %s)", account, s.Missing, verb,
		plural(s.Seen, "video"), plural(s.Pages, "page"), s.Completed, s.Waiting, s.Failed, plural(s.Drafts, "draft"))
}

func healthCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "ask the service of this machine how it is, for a container's health check",
		Description: "Asks REELKEEP_OPS_LISTEN whether the process is alive (exit code 0 or 1); with --ready, whether it can work:\n" +
			"a service that waits for Redis or the store is alive and not ready, and restarting it would not help.\n\n" + exitCodes,
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "ready", Usage: "ask whether it is ready"}}, settingFlags(config.Service)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			cfg, err := loadConfig(c)
			if err := errors.Join(err, noArgs(c)); err != nil {
				return withCode(exitUsage, err)
			}
			path := "/livez"
			if c.Bool("ready") {
				path = "/readyz"
			}
			text, err := askOps(ctx, cfg.OpsListen, path)
			if err != nil {
				return withCode(exitNotDone, fmt.Errorf("REELKEEP_OPS_LISTEN: %w", err))
			}
			return con.dataf("%s", text)
		},
	}
}
