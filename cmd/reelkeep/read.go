package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

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
	return withShelfAndConfig(con,
		func(c *cli.Command, _ config.Config) error { return check(c) },
		func(ctx context.Context, c *cli.Command, _ config.Config, s *shelf) error { return action(ctx, c, s) })
}

// withShelfAndConfig is withShelf for a command that has to do with more settings than those of the store.
func withShelfAndConfig(
	con *console, check func(*cli.Command, config.Config) error, action func(context.Context, *cli.Command, config.Config, *shelf) error,
) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		cfg, err := readConfig(c)
		if err := errors.Join(check(c, cfg), err); err != nil {
			return withCode(exitUsage, err)
		}
		s, err := openShelf(ctx, cfg, newLog(cfg, stderrOf{con}))
		if err != nil {
			return err
		}
		return errors.Join(action(ctx, c, cfg, s), s.Close())
	}
}

// ofAccount says where a video was looked for that was not found: it may be another account's.
func ofAccount(name string) string {
	return fmt.Sprintf("the account %s (another one: --account NAME)", name)
}

func noArgs(c *cli.Command) error {
	if c.NArg() > 0 {
		return usageErrorf("%s takes no arguments; see %s --help", c.Name, c.FullName())
	}
	return nil
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
