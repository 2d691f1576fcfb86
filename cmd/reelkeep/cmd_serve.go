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
	roleAPI     = "api"     // answers
)

// allRoles is what a process does unless it is told otherwise.
const allRoles = roleWorker + "," + roleSweeper + "," + roleAPI

func serveCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service: archive what is handed in, find the rest, answer",
		Description: "Works for a fleet of any number of processes that share REELKEEP_REDIS and REELKEEP_STORE, or with --embedded alone.\n" +
			"What is out of reach is waited for, and /readyz says so; SIGTERM hands everything back and ends within 10 s.\n\n" + exitCodes,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "roles", Value: allRoles, Usage: "comma list of worker (archives), sweeper (finds videos that nobody handed in) and api (answers at REELKEEP_LISTEN)"},
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
	errs := []error{err, noArgs(c), cfg.Need("REELKEEP_STORE")}
	switch {
	case s.embedded && !cfg.Redis.IsZero():
		errs = append(errs, errors.New("--embedded brings a Redis of its own: leave it out, or unset REELKEEP_REDIS"))
	case !s.embedded:
		errs = append(errs, cfg.Need("REELKEEP_REDIS"))
	}
	var roleErr error
	s.roles, roleErr = parseRoles(c.String("roles"))
	if !s.only(roleAPI) {
		errs = append(errs, cfg.Need("HEYGEN_API_KEY"))
	}
	if s.has(roleWorker) && err == nil {
		errs = append(errs, checkNotify(cfg))
	}
	if s.has(roleAPI) && err == nil {
		errs = append(errs, mayListen(cfg), mayDropIn(cfg), checkWebhooks(cfg))
	}
	if err := errors.Join(append(errs, roleErr)...); err != nil {
		return nil, withCode(exitUsage, err)
	}
	s.equip(con)
	return s, nil
}

// equip gives the service what it tells by.
func (s *service) equip(con *console) {
	s.log = newLog(s.cfg, stderrOf{con})
	s.board = newBoard(s.log)
	v := buildVersion()
	s.metrics = metrics.New(v.version, v.commit, v.goVersion)
	s.bars = &bars{Observer: s.metrics}
}

func parseRoles(text string) ([]string, error) {
	var roles []string
	for role := range strings.SplitSeq(text, ",") {
		switch role = strings.TrimSpace(role); role {
		case roleWorker, roleSweeper, roleAPI:
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		case "":
		default:
			return nil, fmt.Errorf("--roles: want a comma list of worker, sweeper and api, got %q", role)
		}
	}
	if len(roles) == 0 {
		return nil, errors.New("--roles: name at least one of worker, sweeper and api")
	}
	return roles, nil
}

func (s *service) has(role string) bool { return slices.Contains(s.roles, role) }

func (s *service) only(role string) bool { return len(s.roles) == 1 && s.has(role) }
