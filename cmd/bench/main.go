//go:build linux

// Command bench measures reelkeep against its peers and against the limit of the machine, on real servers, and writes
// docs/benchmarks.md. `make bench` runs it; see CONTRIBUTING.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == bareCommand {
		return bareMain(ctx, args[1:], os.Stdin)
	}
	opt, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	l, err := openLab(ctx, opt)
	if err != nil {
		return err
	}
	err = measureAll(ctx, l, opt)
	return errors.Join(err, l.close())
}

// measureAll runs the cases one after the other and writes down each as soon as it is measured: an interrupted run has
// measured something, too.
func measureAll(ctx context.Context, l *lab, opt options) error {
	for _, c := range cases(opt.shrink) {
		if !opt.wants(c.Name) {
			continue
		}
		if why := c.impossible(l); why != "" {
			fmt.Printf("\n%s: not measured: %s\n", c.Title, why)
			continue
		}
		out, err := measureCase(ctx, l, c, opt)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.Name, err)
		}
		fmt.Print("\n", out.text())
		if err := out.save(opt.results); err != nil {
			return err
		}
	}
	if opt.goBench {
		if err := runGoBenchmarks(ctx, opt); err != nil {
			return err
		}
	}
	if opt.page == "" {
		return nil
	}
	return writePage(opt.page, opt.results)
}
