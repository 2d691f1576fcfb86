//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// measureCase runs every client once to warm up, then once in every round; every other round in the opposite order, so that
// nobody always follows the same neighbour.
func measureCase(ctx context.Context, l *lab, c *benchCase, opt options) (_ *outcome, err error) {
	fmt.Printf("\n%s\n", c.Title)
	if err := c.set.write(l.files()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.set.remove(l.files())) }()
	origin := c.place.origin(l)
	api, err := startHeyGen(ctx, c.set, origin)
	if err != nil {
		return nil, err
	}
	defer api.close()
	clients := slices.DeleteFunc(slices.Clone(c.clients), func(cl client) bool { return !opt.wantsClient(cl.name) })
	if opt.before != "" {
		clients = slices.Concat(clients, twins(clients, opt.before))
	}
	rounds := make([][]*measured, 0, opt.runs)
	for round := range opt.runs + 1 {
		runs := make([]*measured, len(clients))
		for i := range clients {
			at := i
			if round%2 == 0 {
				at = len(clients) - 1 - i
			}
			if clients[at].once && round != 1 {
				continue
			}
			j := job{lab: l, set: c.set.first(clients[at].part), origin: origin, heygen: api, dir: filepath.Join(l.dir, "client")}
			if runs[at], err = measureClient(ctx, j, clients[at]); err != nil {
				return nil, fmt.Errorf("%s: %w", clients[at].name, err)
			}
			runs[at].scale(len(c.set.videos), len(j.set.videos))
			fmt.Printf("  %-9s %-40s %6.2f s  cpu %5.2f  rss %4d MB  store cpu %5.2f\n", roundName(round), clients[at].name, runs[at].Wall.Seconds(),
				runs[at].Client.CPU.Seconds(), runs[at].Client.RSS/1e6, runs[at].StoreCPU.Seconds())
		}
		if round > 0 {
			rounds = append(rounds, runs)
		}
	}
	return judge(c, clients, rounds, l.program), nil
}

func roundName(round int) string {
	if round == 0 {
		return "warm-up"
	}
	return fmt.Sprintf("round %d", round)
}

// first is the data set's first n videos; all of them for 0.
func (s *dataset) first(n int) *dataset {
	if n == 0 || n >= len(s.videos) {
		return s
	}
	return &dataset{name: s.name, videos: s.videos[:n]}
}

// measureClient runs one client and looks at what it has stored: a fast run that stored the wrong bytes is a failure.
func measureClient(ctx context.Context, j job, c client) (_ *measured, err error) {
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the client's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(j.dir)) }()
	if j.bucket, err = j.lab.store.bucket(j.set.name); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.lab.store.empty(j.bucket)) }()
	m := &measured{Before: calibrate()}
	store, source := cpuOf(j.lab.store.pids()...), cpuOf(j.lab.sourcePIDs()...)
	if m.Wall, m.Client, err = c.run(ctx, j); err != nil {
		return nil, err
	}
	m.StoreCPU, m.SourceCPU = cpuOf(j.lab.store.pids()...)-store, cpuOf(j.lab.sourcePIDs()...)-source
	m.After = calibrate()
	if err := checkStored(ctx, j, c.manifests); err != nil {
		return nil, err
	}
	return m, nil
}

// scale makes a run of some of the videos what all would have taken at that rate.
func (m *measured) scale(all, some int) {
	if all == some {
		return
	}
	for _, d := range []*time.Duration{&m.Wall, &m.Client.CPU, &m.StoreCPU, &m.SourceCPU} {
		*d = *d * time.Duration(all) / time.Duration(some)
	}
}

func (l *lab) sourcePIDs() []int {
	pids := l.source.pids()
	if l.far != nil {
		pids = append(pids, l.far.pids()...)
	}
	return pids
}

// calibrate is a fixed piece of work that keeps every core busy for some dozen milliseconds. If it takes longer than usual,
// somebody else is using the machine.
func calibrate() time.Duration {
	const bytes, cores = 64 * mib, 2
	begun := time.Now()
	done := make(chan struct{})
	for range cores {
		go func() {
			block, sum := make([]byte, 256<<10), sha256.New()
			for range bytes / cap(block) {
				sum.Write(block)
			}
			done <- struct{}{}
		}()
	}
	for range cores {
		<-done
	}
	return time.Since(begun)
}
