//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// outcome is what a case came to. It is kept as JSON, so that the page can be made from cases that were measured one by one.
type outcome struct {
	Name, Title, Note string
	Files             int
	Bytes             int64
	Rounds            int
	When              time.Time
	Machine           machine
	Clients           []clientOutcome
	Goals             []string
}

// clientOutcome is what all runs of a client came to. Times are in seconds, memory in MB.
type clientOutcome struct {
	Name                                string
	Limit, Ours                         bool
	Runs                                int
	Wall, CPU, RSS, StoreCPU, SourceCPU spread
	Ratio                               spread // reelkeep's time divided by this one's, pair by pair
	Thrown                              int    // pairs, since the machine was not calm
}

// judge compares the first client, reelkeep, with all others.
func judge(c *benchCase, clients []client, rounds [][]*measured, program string) *outcome {
	o := &outcome{
		Name: c.Name, Title: c.Title, Note: c.note, Files: len(c.set.files()), Bytes: c.set.bytes(), Rounds: len(rounds),
		When: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(program),
	}
	calm := calm(rounds)
	column := func(i int) []*measured {
		var out []*measured
		for _, round := range rounds {
			out = append(out, round[i])
		}
		return out
	}
	seconds := func(f func(*measured) time.Duration) func(*measured) float64 {
		return func(m *measured) float64 { return f(m).Seconds() }
	}
	for i, cl := range clients {
		runs := column(i)
		values, thrown := ratios(column(0), runs, calm)
		o.Clients = append(o.Clients, clientOutcome{
			Name: cl.name, Limit: cl.limit, Ours: strings.HasPrefix(cl.name, subject), Runs: len(each(runs, func(*measured) float64 { return 0 })),
			Wall:      spreadOf(each(runs, seconds(func(m *measured) time.Duration { return m.Wall }))),
			CPU:       spreadOf(each(runs, seconds(func(m *measured) time.Duration { return m.Client.CPU }))),
			StoreCPU:  spreadOf(each(runs, seconds(func(m *measured) time.Duration { return m.StoreCPU }))),
			SourceCPU: spreadOf(each(runs, seconds(func(m *measured) time.Duration { return m.SourceCPU }))),
			RSS:       spreadOf(each(runs, func(m *measured) float64 { return float64(m.Client.RSS) / 1e6 })),
			Ratio:     spreadOf(values), Thrown: thrown,
		})
	}
	for _, g := range c.goals {
		o.Goals = append(o.Goals, g.line(o))
	}
	return o
}

func (o *outcome) ours() clientOutcome { return o.Clients[0] }

func isLimit(c *clientOutcome) bool { return c.Limit }

func isPeer(c *clientOutcome) bool { return !c.Limit && !c.Ours }

// best is the fastest client of a kind; of none, its ratio is NaN.
func (o *outcome) best(kind func(*clientOutcome) bool) clientOutcome {
	found := clientOutcome{Ratio: spread{Median: math.NaN()}}
	for _, c := range o.Clients {
		if kind(&c) && (math.IsNaN(found.Ratio.Median) || c.Ratio.Median > found.Ratio.Median) {
			found = c
		}
	}
	return found
}

// save keeps the outcome, unless folder is empty.
func (o *outcome) save(folder string) error {
	if folder == "" {
		return nil
	}
	b, err := json.MarshalIndent(o, "", "  ")
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, o.Name+".json"), b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep what was measured: %w", err)
	}
	return nil
}

// loadOutcomes reads those that there are, in the order of the cases.
func loadOutcomes(folder string) ([]*outcome, error) {
	var all []*outcome
	for _, name := range caseNames() {
		b, err := os.ReadFile(filepath.Join(folder, name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var o outcome
		if err == nil {
			err = json.Unmarshal(b, &o)
		}
		if err != nil {
			return nil, fmt.Errorf("read what was measured of %s: %w", name, err)
		}
		all = append(all, &o)
	}
	return all, nil
}
