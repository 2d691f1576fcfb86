package main

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// board shows which dependencies are fine; /readyz reads it.
type board struct {
	log *slog.Logger

	now   func() time.Time
	mu    sync.Mutex
	state map[string]string // by dependency; "" is fine
	doubt doubt             // about looks at the store; guarded by mu
	extra map[string]bool   // dependencies without which some work can be done; guarded by mu
	shut  bool              // there is a door, and nothing behind it yet; guarded by mu
}

func newBoard(log *slog.Logger) *board {
	return &board{log: log, now: time.Now, state: map[string]string{}}
}

// starting notes dependencies of which nothing is known yet.
func (b *board) starting(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		b.state[name] = "not reached yet"
	}
}

// set notes how a dependency is; nil is fine. What changes is logged, once.
func (b *board) set(name string, err error) {
	now := ""
	if err != nil {
		now = printable(scrubbed(err))
	}
	b.mu.Lock()
	before, known := b.state[name]
	b.state[name] = now
	b.mu.Unlock()
	switch {
	case err == nil && known && before != "":
		b.log.Info("dependency in reach", "of", name)
	case err != nil && (!known || before == "" || before == "not reached yet"):
		b.log.Warn("dependency in trouble; still trying", "of", name, "err", now, "hint", hintOf(err))
	}
}

// spare says that without this dependency some work can be done.
func (b *board) spare(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.extra == nil {
		b.extra = map[string]bool{}
	}
	b.extra[name] = true
}

// door notes whether the door of the API has to be opened yet. That is no trouble, but whoever is sent here hears only that
// we are starting.
func (b *board) door(shut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut = shut
}

// ready says whether requests may be sent to us, and what there is to tell.
func (b *board) ready() (bool, []string) {
	ok, lines := !b.hopeless(), b.problems()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut && ok {
		return false, append(lines, "api: not serving yet")
	}
	return ok, lines
}

// fine says whether a dependency was fine when it was last heard of.
func (b *board) fine(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state[name] == ""
}

// problems lists what is not fine, a line each.
func (b *board) problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(b.state)) {
		if why := b.state[name]; why != "" {
			out = append(out, name+": "+why)
		}
	}
	return out
}
