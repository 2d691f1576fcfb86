package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// withFleet gives an action the fleet's queue, once its arguments and all settings are checked.
func withFleet(check func(*cli.Command) error, action func(context.Context, *cli.Command, *queue.Client) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		cfg, err := loadConfig(c)
		if err := errors.Join(check(c), err, cfg.Need("REELKEEP_REDIS")); err != nil {
			return withCode(exitUsage, err)
		}
		client, err := dialFleet(cfg)
		if err != nil {
			return err
		}
		return errors.Join(action(ctx, c, client), client.Close())
	}
}

// dialFleet connects to REELKEEP_REDIS. Its error is about the URL: nothing is contacted yet.
func dialFleet(cfg config.Config) (*queue.Client, error) {
	client, err := queue.NewClient(cfg.Redis.Reveal())
	return client, withCode(exitUsage, err)
}

// fleetPatience is how long Redis may take for one request before a command gives up. By itself the client would try for
// more than half a minute when Redis accepts connections and says nothing.
const fleetPatience = 10 * time.Second

// patiently bounds one request to Redis.
func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, fleetPatience)
}

// fleetError is what a command ends with that Redis kept from its work: exit code 5 and the name of the setting, or,
// if somebody interrupted it, that.
func fleetError(ctx context.Context, err error) error {
	var otherFleet *queue.FingerprintError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case report.OfVideo(err), errors.As(err, &otherFleet):
		return err // Redis is fine
	case errors.Is(err, context.DeadlineExceeded):
		return withCode(exitDependency, fmt.Errorf("REELKEEP_REDIS: no answer within %s: %w", fleetPatience, err))
	}
	return withCode(exitDependency, queue.Explain(err))
}

// fleetAccountFlag picks an account by a name that the fleet knows; this machine may have no key for it.
func fleetAccountFlag() cli.Flag {
	return &cli.StringFlag{Name: "account", Value: defaultAccount, Usage: "`NAME` of the HeyGen account, as the fleet knows it"}
}

// archiveAccountFlag picks an account by a name that the archive knows.
func archiveAccountFlag() cli.Flag {
	return &cli.StringFlag{Name: "account", Value: defaultAccount, Usage: "`NAME` of the HeyGen account under which the video was archived"}
}

// validAccount checks the form of an account's name. Whether there is such an account is for the fleet or the archive
// to know: only who asks HeyGen needs its key.
func validAccount(name string) error {
	if config.ValidAccount(name) {
		return nil
	}
	return fmt.Errorf("--account: want 1 to 64 letters, digits, - or _, got %q", name)
}
