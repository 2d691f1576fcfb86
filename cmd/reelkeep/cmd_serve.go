package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/metrics"
)

// Roles of a service process.
const (
	roleWorker  = "worker"  // archives
	roleSweeper = "sweeper" // finds videos that nobody handed in
)

func serveCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service: archive what is handed in, find the rest",
		Description: "Works for a fleet of any number of processes that share REELKEEP_REDIS and REELKEEP_STORE, or with --embedded alone.\n" +
			"What is out of reach is waited for, and /readyz says so; SIGTERM hands everything back and ends within 10 s.\n\n" + exitCodes,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "roles", Value: roleWorker + "," + roleSweeper, Usage: "comma list of worker (archives) and sweeper (finds videos that nobody handed in)"},
			&cli.BoolFlag{Name: "embedded", Usage: "for one machine: a Redis in this process instead of REELKEEP_REDIS; its memory ends with the process"},
		}, settingFlags(config.HeyGen, config.Store, config.Transfer, config.Safety, config.Waiting, config.Service,
			config.API, config.Webhooks, config.Notify, config.Logging)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := newService(c, con)
			if err != nil {
				return err
			}
			return s.run(ctx)
		},
	}
}

// newService reads the command line; all that is wrong is named at once.
func newService(c *cli.Command, con *console) (*service, error) {
	cfg, err := loadConfig(c)
	s := &service{cfg: cfg, embedded: c.Bool("embedded")}
	errs := []error{err, noArgs(c), cfg.Need("HEYGEN_API_KEY", "REELKEEP_STORE")}
	switch {
	case s.embedded && !cfg.Redis.IsZero():
		errs = append(errs, errors.New("--embedded brings a Redis of its own: leave it out, or unset REELKEEP_REDIS"))
	case !s.embedded:
		errs = append(errs, cfg.Need("REELKEEP_REDIS"))
	}
	var roleErr error
	s.roles, roleErr = parseRoles(c.String("roles"))
	if err := errors.Join(append(errs, roleErr)...); err != nil {
		return nil, withCode(exitUsage, err)
	}
	s.log = newLog(cfg, stderrOf{con})
	s.board = newBoard(s.log)
	v := buildVersion()
	s.metrics = metrics.New(v.version, v.commit, v.goVersion)
	return s, nil
}

func parseRoles(text string) ([]string, error) {
	var roles []string
	for role := range strings.SplitSeq(text, ",") {
		switch role = strings.TrimSpace(role); role {
		case roleWorker, roleSweeper:
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		case "":
		default:
			return nil, fmt.Errorf("--roles: want worker, sweeper or both, got %q", role)
		}
	}
	if len(roles) == 0 {
		return nil, errors.New("--roles: name worker, sweeper or both")
	}
	return roles, nil
}
