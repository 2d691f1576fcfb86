package worker

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/storage"
)

// freshSeal is how long a seal is worth a look behind it: that long, whoever was killed over it may have been the last to come.
const freshSeal = 48 * time.Hour

const (
	// looksBehind is how many folders are looked at together.
	looksBehind = 16
	// lookLimit bounds one look: somebody waits for what comes after it.
	lookLimit = 30 * time.Second
)

// folders are what sealed videos lie in; storage.Store has them.
type folders interface {
	Folder(ctx context.Context, k storage.VideoKey) (*storage.Folder, error)
	Tidy(ctx context.Context, in *storage.Folder, sealed *storage.Manifest) error
}

// behind clears up behind workers that were killed, or held up for too long, when they had sealed a video and had not removed the
// record of its upload. Nothing depends on it, so its troubles are told and no more.
type behind struct {
	folders folders
	now     func() time.Time
	log     *slog.Logger
}

// worth says whether anything may be there.
func (b behind) worth(m *storage.Manifest) bool {
	return m.State == storage.StateArchived && b.now().Sub(m.SealedAt) <= freshSeal
}

// look is for videos of which the folder was not looked at, because nobody had anything to store. nil is one that is not sealed.
func (b behind) look(ctx context.Context, sealed ...*storage.Manifest) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	var looking errgroup.Group
	looking.SetLimit(looksBehind)
	for _, m := range sealed {
		if m == nil || !b.worth(m) || ctx.Err() != nil {
			continue
		}
		looking.Go(func() error {
			folder, err := b.folders.Folder(ctx, m.Key())
			if err != nil {
				b.log.Debug("could not look behind a seal", "video_id", m.VideoID, "err", err)
				return nil
			}
			b.tidy(ctx, folder, m)
			return nil
		})
	}
	_ = looking.Wait() // nothing above returns an error
}

func (b behind) tidy(ctx context.Context, folder *storage.Folder, m *storage.Manifest) {
	if err := b.folders.Tidy(ctx, folder, m); err != nil {
		b.log.Warn("a sealed video keeps an upload record that it needs no more", "video_id", m.VideoID, "err", err)
	}
}
