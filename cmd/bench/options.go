//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// options are what the command line says.
type options struct {
	cases   []string // none: all
	clients []string // none: all
	runs    int
	shrink  int64
	program string
	results string
	page    string
	profile string
	before  string
	tmpfs   int64
	goBench bool
}

const fullRuns = 3 // fewer tell no spread, so they reach no page

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	var cases, clients string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&cases, "case", "", "comma list of cases: "+strings.Join(caseNames(), ", ")+"; empty = all")
	f.StringVar(&clients, "clients", "", "comma list of words; only clients whose name holds one are run, and reelkeep; empty = all")
	f.IntVar(&o.runs, "runs", fullRuns, "rounds after the warm-up; each runs every client once")
	f.Int64Var(&o.shrink, "shrink", 1, "divide sizes and numbers by this, to try it out; nothing is written to the page then")
	f.StringVar(&o.program, "reelkeep", "bin/bench/reelkeep", "the program that is measured")
	f.StringVar(&o.results, "results", "bin/bench/results", "folder for what was measured")
	f.StringVar(&o.page, "page", "docs/benchmarks.md", "page to write from the results; empty = none")
	f.StringVar(&o.profile, "profile", "", "folder for CPU profiles of reelkeep, which must be built with -tags profile")
	f.StringVar(&o.before, "before", "", "another build of reelkeep, which competes as a client: what a change has brought shows in pairs")
	f.Int64Var(&o.tmpfs, "tmpfs", 14<<30, "most bytes of memory for the data")
	f.BoolVar(&o.goBench, "gobench", true, "after all cases, run the Go benchmarks of the hot loops, too")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o.cases, o.clients = words(cases), words(clients)
	o.goBench = o.goBench && len(o.cases) == 0
	return o, o.check(f.Args())
}

func (o *options) check(rest []string) error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("there are only flags, got %q", rest[0]))
	}
	for _, name := range o.cases {
		if !slices.Contains(caseNames(), name) {
			errs = append(errs, fmt.Errorf("-case: there is no %q; there are: %s", name, strings.Join(caseNames(), ", ")))
		}
	}
	if o.runs < 1 || o.shrink < 1 {
		errs = append(errs, errors.New("-runs and -shrink want at least 1"))
	}
	if o.shrink > 1 || o.runs < fullRuns || len(o.clients) > 0 || o.profile != "" || o.before != "" {
		o.page, o.results = "", "" // a try is no result
	}
	return errors.Join(errs...)
}

func (o *options) wants(name string) bool { return len(o.cases) == 0 || slices.Contains(o.cases, name) }

// wantsClient says whether a client takes part. reelkeep always does: all others are compared with it.
func (o *options) wantsClient(name string) bool {
	if len(o.clients) == 0 || strings.HasPrefix(name, subject) {
		return true
	}
	return slices.ContainsFunc(o.clients, func(word string) bool { return strings.Contains(name, word) })
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
