package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// list asks HeyGen for all videos and takes those that can be archived. One entry that cannot be read does not
// stop the others.
func (r *archiveRun) list(ctx context.Context, api *heygen.Client) error {
	var opt heygen.ListOptions
	if r.since > 0 {
		opt.Since = time.Now().Add(-r.since)
	}
	seen := map[string]bool{}
	for hv, err := range api.Videos(ctx, opt) {
		var item *heygen.ItemError
		if errors.As(err, &item) {
			r.con.sayf("%v", err)
			r.tally.undone++
			continue
		}
		if err != nil {
			return err
		}
		if seen[hv.ID] || !heygen.ValidID(hv.ID) {
			continue
		}
		seen[hv.ID] = true
		r.take(hv)
	}
	return nil
}

// take decides about one listed video.
func (r *archiveRun) take(hv *heygen.Video) {
	switch hv.Status {
	case heygen.StatusCompleted:
	case heygen.StatusFailed:
		r.tally.failed++
		return
	case heygen.StatusDraft:
		r.tally.drafts++
		return
	default:
		if !r.wait {
			r.tally.waiting++
			return
		}
	}
	r.ids = append(r.ids, hv.ID)
	r.hints[hv.ID] = worker.Video{Title: hv.Title, CreatedAt: hv.CreatedAt}
}

// lookAhead is how many manifests are asked for at once.
const lookAhead = 32

// unsealed drops the videos that are archived already and says so.
func (r *archiveRun) unsealed(ctx context.Context, p *parts) ([]string, error) {
	if r.again {
		return r.ids, nil
	}
	sealed, unreadable := make([]*storage.Manifest, len(r.ids)), make([]bool, len(r.ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookAhead)
	for i, id := range r.ids {
		g.Go(func() error {
			m, err := p.shelf.Manifest(gctx, storage.VideoKey{Account: r.account, VideoID: id})
			if errors.Is(err, storage.ErrNotFound) {
				return nil
			}
			var damaged *storage.DamagedError
			if errors.As(err, &damaged) {
				r.con.sayf("%v", err)
				unreadable[i] = true
				return nil
			}
			sealed[i] = m
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("look for what is archived already: %w", err)
	}
	if !r.dryRun {
		p.archiver.LookBehind(ctx, sealed...)
	}
	var todo []string
	for i, id := range r.ids {
		if unreadable[i] {
			r.tally.undone++ // what cannot be read may be sealed, so it is left alone
			continue
		}
		if sealed[i] == nil || sealed[i].State != storage.StateArchived {
			todo = append(todo, id)
			continue
		}
		r.tally.already++
		if !r.all {
			if err := reportOfManifest(sealed[i]).print(r.con, r.json); err != nil {
				return nil, err
			}
		}
	}
	return todo, nil
}

// announce is the whole output of a dry run.
func (r *archiveRun) announce(todo []string, s *shelf) error {
	if r.json {
		return r.con.dataJSON(map[string]any{
			"to_archive": len(todo), "already_archived": r.tally.already, "not_rendered_yet": r.tally.waiting,
			"failed": r.tally.failed, "drafts": r.tally.drafts, "video_ids": append([]string{}, todo...),
		})
	}
	for _, id := range todo {
		if err := r.con.dataf("%s", id); err != nil {
			return err
		}
	}
	r.con.sayf("dry run: %s to archive, %d already there, %d not rendered yet, %d failed in HeyGen, %s → %s",
		plural(len(todo), "video"), r.tally.already, r.tally.waiting, r.tally.failed, plural(r.tally.drafts, "draft"), s.where(r.cfg))
	return nil
}
