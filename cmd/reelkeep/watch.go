package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

const (
	redisEvery = 5 * time.Second
	storeEvery = 10 * time.Second
	// heygenEvery is how often HeyGen is asked while an account is in trouble; otherwise the work itself shows it.
	heygenEvery = 20 * time.Second
	lookTimeout = 5 * time.Second
)

const (
	storeName    = "store"
	heygenPrefix = "heygen/"
)

// heygenOf is what the board calls HeyGen as one account sees it.
func heygenOf(account string) string { return heygenPrefix + account }

// isKeyRefused says whether HeyGen itself has just refused the key. A gate that others closed may have been closed over
// another key of the account, while a new one is rolled out.
func isKeyRefused(err error) bool {
	e, ok := errors.AsType[*heygen.Error](err)
	return ok && e.Kind == heygen.Unauthorized && !e.Held()
}

// isBusy says whether nothing is wrong, and only the fleet's own allowance of requests is used up.
func isBusy(err error) bool {
	e, ok := errors.AsType[*heygen.Error](err)
	return ok && e.Busy()
}

// watchDependencies keeps the board true until ctx ends.
func (s *service) watchDependencies(ctx context.Context, client *queue.Client, p *parts) {
	var watching sync.WaitGroup
	look := func(name string, every time.Duration, try func(context.Context) error, always bool) {
		watching.Go(func() {
			for wait(ctx, every) == nil {
				if always || !s.board.fine(name) {
					s.look(ctx, name, try)
				}
			}
		})
	}
	look("redis", redisEvery, func(ctx context.Context) error { _, err := client.Check(ctx); return err }, true) // a full one answers a ping
	look(storeName, storeEvery, p.shelf.Reach, true)
	for account, api := range p.heygen {
		look(heygenOf(account), heygenEvery, api.Check, false)
	}
	watching.Wait()
}

func (s *service) look(ctx context.Context, name string, try func(context.Context) error) {
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := try(looking)
	if ctx.Err() == nil && !isBusy(err) && (name != storeName || s.board.believes(err)) {
		s.board.set(name, err)
	}
}

// doubt is what the board thinks of looks at the store. They read: a store that is full, or that only takes no writes, is
// fine for them. The first time a look says that the trouble of a step is over, it is believed, and the fleet tries again; if
// a step meets trouble soon after, looks are not believed for a while.
type doubt struct {
	believed time.Time // when a look was believed
	until    time.Time // zero: there is none
}

const (
	soonAfter = time.Minute
	doubtFor  = 30 * time.Second
)

// believes says whether the outcome of a look at the store is worth noting. That it is away always is, and then a later look
// that finds it back tells the truth.
func (b *board) believes(err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	switch {
	case err != nil:
		b.doubt = doubt{}
	case now.Before(b.doubt.until):
		return false
	case b.state[storeName] != "":
		b.doubt = doubt{believed: now}
	}
	return true
}

// disproves notes that a step met trouble with the store.
func (b *board) disproves() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); now.Sub(b.doubt.believed) < soonAfter && b.doubt.until.IsZero() {
		b.doubt.until = now.Add(doubtFor)
	}
}

// The service is the outlook of its own work: trouble that a step meets is on the board at once. That it is over is for the
// watching to say, since a step that went well may not have needed what was away.
func (s *service) reached() {}
func (s *service) moved()   {}

func (s *service) refused(account string, err *worker.RefusedError) {
	s.troubled(account, err.Of, err.Host, err)
}

func (s *service) away(account string, err *worker.OutageError) {
	s.troubled(account, err.Of, err.Host, err)
}

// troubled tells of trouble where people look for it. Where files are is no dependency: what is away may be one file, and nobody
// would look whether it is back but the videos themselves.
func (s *service) troubled(account, of, host string, err error) {
	switch {
	case of != worker.OfSource:
		s.met(account, of, err)
	case s.told.Speaks(host):
		s.log.Warn("a source can't be used; its videos wait", "host", host, "err", err)
	}
}

// met puts trouble that a step met on the board. An account that is not configured is no dependency: its videos say so
// themselves, and nobody would ever look whether the trouble is over.
func (s *service) met(account, of string, err error) {
	name := dependencyOf(account, of)
	if name != storeName && !slices.Contains(s.cfg.AccountNames(), account) {
		return
	}
	if name == storeName {
		s.board.disproves()
	}
	s.board.set(name, err)
}

func dependencyOf(account, of string) string {
	if of == "HeyGen" {
		return heygenOf(account)
	}
	return storeName
}

// hopeless says whether so much is in trouble that no work can be done. One account of several in trouble does not stop
// the others.
func (b *board) hopeless() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	accounts, down := 0, 0
	for name, why := range b.state {
		heygen := strings.HasPrefix(name, heygenPrefix)
		switch {
		case heygen && why != "":
			accounts, down = accounts+1, down+1
		case heygen:
			accounts++
		case why != "" && !b.extra[name]:
			return true
		}
	}
	return accounts > 0 && down == accounts
}
