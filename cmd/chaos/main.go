package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	seed   uint64
	length time.Duration
	settle time.Duration
	dir    string
	report string
	plan   bool
	keep   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.Uint64Var(&o.seed, "seed", 0, "which run; 0 takes any, and prints it")
	f.DurationVar(&o.length, "for", 10*time.Minute, "how long everything breaks")
	f.DurationVar(&o.settle, "settle", 10*time.Minute, "how long the fleet may take to settle after that")
	f.StringVar(&o.dir, "dir", "", "where everything is kept during the run; a temporary folder unless said")
	f.StringVar(&o.report, "report", "", "a page whose scoreboard is written anew, such as docs/reliability.md")
	f.BoolVar(&o.plan, "plan", false, "only print what the seed makes happen")
	f.BoolVar(&o.keep, "keep", false, "keep the folder, also when all is well")
	err := f.Parse(args)
	for o.seed == 0 {
		o.seed = uint64(rand.Uint32())
	}
	return o, err
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	p := newPlan(o.seed, o.length)
	if o.plan {
		for _, e := range p.Events {
			fmt.Println(e)
		}
		return nil
	}
	fmt.Printf("chaos: seed %d, %s, %d videos, %d events; the same again: make chaos seed=%d for=%s\n",
		o.seed, o.length, len(p.Videos), len(p.Events), o.seed, o.length)
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "reelkeep-chaos-"); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
	}
	fmt.Printf("chaos: logs of the fleet and of the run are in %s\n", o.dir)
	v, err := try(ctx, o, p)
	if err != nil {
		return err
	}
	if len(v.broken) > 0 {
		return fmt.Errorf("%d promises broken (seed %d); everything is kept in %s", len(v.broken), o.seed, o.dir)
	}
	if o.keep {
		return nil
	}
	return os.RemoveAll(o.dir)
}

// try makes one run and prints what came of it.
func try(ctx context.Context, o options, p *plan) (v *verdict, err error) {
	out, err := os.Create(o.dir + "/chaos.log")
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	defer out.Close()
	w, err := newWorld(ctx, o.dir)
	defer func() { err = errors.Join(err, w.Close()) }()
	if err != nil {
		return nil, err
	}
	d := newDirector(w, slog.New(slog.NewTextHandler(out, nil)))
	if err := d.play(ctx, p); err != nil {
		return nil, err
	}
	fmt.Printf("chaos: %s are over, everything is mended; the fleet settles (at most %s)\n", o.length, o.settle)
	s, err := d.settle(ctx, p, o.settle)
	if err != nil {
		return nil, err
	}
	if v, err = d.judge(ctx, p, s); err != nil {
		return nil, err
	}
	board := scoreboard(d, p, s, v)
	fmt.Print("\n" + board)
	for _, b := range v.broken {
		fmt.Println("BROKEN:", b)
	}
	if o.report != "" && len(v.broken) == 0 {
		err = writeReport(o.report, board)
	}
	return v, err
}
