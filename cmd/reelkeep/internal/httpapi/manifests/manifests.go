// Package manifests remembers manifests for a little while, so that a player that seeks asks the store for bytes and not for
// the same manifest again and again.
//
// A sealed manifest is almost never replaced: a partial one becomes archived within minutes, and a re-rendered video
// gets a new generation under new keys while the files of the old one stay. So what is remembered too long is never
// wrong, only old. That a video is not archived is not remembered: it may be the next moment.
package manifests

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/reelkeep/reelkeep/storage"
)

const (
	archivedTTL = time.Minute
	partialTTL  = 2 * time.Second
	// A manifest has some 5 KB, and no more than a few MB. The first bound is for many of them, the second for large ones.
	mostEntries = 4096
	mostBytes   = 32 << 20
	// readLimit bounds one read for all who wait for it; the first of them may be gone by then. It is far less than what
	// callers give an answer: they had better hear soon that the store is away.
	readLimit = 8 * time.Second
)

// Source is where manifests lie. What it returns is shared.
type Source interface {
	// Manifest answers storage.ErrNotFound for a video that is not archived.
	Manifest(ctx context.Context, k storage.VideoKey) (*storage.Manifest, error)
}

// Cache is a Source in front of another one. It is safe for concurrent use.
type Cache struct {
	src     Source
	now     func() time.Time
	reading singleflight.Group

	mu    sync.Mutex
	known map[string]*list.Element // by VideoKey.Dir
	order *list.List               // of *entry, last used first
	bytes int
}

type entry struct {
	dir   string
	m     *storage.Manifest
	size  int
	until time.Time
}

// New returns a cache in front of src. now may be nil.
func New(src Source, now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	return &Cache{src: src, now: now, known: map[string]*list.Element{}, order: list.New()}
}

// Manifest returns the manifest of a video. It is shared: the caller must not change it.
func (c *Cache) Manifest(ctx context.Context, k storage.VideoKey) (*storage.Manifest, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if m := c.recall(k.Dir()); m != nil {
		return m, nil
	}
	answer := c.reading.DoChan(k.Dir(), func() (any, error) {
		if m := c.recall(k.Dir()); m != nil {
			return m, nil // read by somebody who was done between our two looks
		}
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
		defer cancel()
		m, err := c.src.Manifest(reading, k)
		switch {
		case err == nil:
			c.keep(k.Dir(), m)
		case errors.Is(err, context.DeadlineExceeded): // ours: whoever asks may take it for one of Redis
			err = &storage.UnreachableError{Op: "read", Key: k.Dir(), Reason: "no answer in time"}
		}
		return m, err
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-answer:
		m, _ := a.Val.(*storage.Manifest)
		return m, a.Err
	}
}

func (c *Cache) recall(dir string) *storage.Manifest {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.known[dir]
	if !ok {
		return nil
	}
	e, _ := at.Value.(*entry)
	if !c.now().Before(e.until) {
		c.drop(at)
		return nil
	}
	c.order.MoveToFront(at)
	return e.m
}

func (c *Cache) keep(dir string, m *storage.Manifest) {
	ttl := archivedTTL
	if m.State != storage.StateArchived {
		ttl = partialTTL
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.known[dir]; ok {
		c.drop(at)
	}
	// Twice: as it was read, and taken apart.
	e := &entry{dir: dir, m: m, size: 2 * len(m.Bytes()), until: c.now().Add(ttl)}
	c.known[dir] = c.order.PushFront(e)
	c.bytes += e.size
	for c.order.Len() > mostEntries || c.bytes > mostBytes {
		c.drop(c.order.Back())
	}
}

func (c *Cache) drop(at *list.Element) {
	e, _ := c.order.Remove(at).(*entry)
	delete(c.known, e.dir)
	c.bytes -= e.size
}
