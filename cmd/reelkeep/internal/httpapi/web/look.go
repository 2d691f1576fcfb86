package web

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

const (
	pageSize    = 24 // videos in a page of a list
	mostRunning = 50 // running videos that are shown; the others are counted
)

func runningStates() []queue.State {
	return []queue.State{queue.StateTransferring, queue.StateRendering, queue.StateAccepted}
}

func sealedStates() []queue.State { return []queue.State{queue.StateArchived, queue.StatePartial} }

func failedStates() []queue.State { return []queue.State{queue.StateFailed, queue.StateGone} }

// counts are the numbers of the three lists.
type counts struct{ Archive, Running, Failed int64 }

// countsOf adds up the states of one account, or of all of them (account "").
func countsOf(by map[string]map[queue.State]int64, account string) counts {
	sum := func(states []queue.State) (n int64) {
		for name, in := range by {
			if account == "" || name == account {
				for _, s := range states {
					n += in[s]
				}
			}
		}
		return n
	}
	return counts{sum(sealedStates()), sum(runningStates()), sum(failedStates())}
}

func ofAccount(list []queue.Status, account string) []queue.Status {
	return slices.DeleteFunc(slices.Clone(list), func(s queue.Status) bool { return account != "" && s.Account != account })
}

// keyOf names a video in the page: an id of HTML.
func keyOf(s queue.Status) string { return report.Account(s.Account) + "." + s.VideoID }

// inTrayPatience leaves time to ask the archive as well.
const inTrayPatience = 8 * time.Second

// find asks the in-tray and the archive. One of the two may be out of reach: what the other one knows is shown then, and
// away says what was not to be had.
func (h *Handler) find(ctx context.Context, k storage.VideoKey) (s queue.Status, m *storage.Manifest, away, err error) {
	asking, cancel := context.WithTimeout(ctx, inTrayPatience)
	defer cancel()
	s, err = h.Videos.StatusIn(asking, k.Account, k.VideoID)
	if err == nil && s.SealedAt == nil && slices.Contains(runningStates(), s.State) {
		return s, nil, nil, nil // its page asks every two seconds
	}
	m, merr := h.Manifests.Manifest(ctx, k)
	unknown := errors.Is(err, queue.ErrUnknown)
	switch {
	case err == nil:
		if merr != nil && !errors.Is(merr, storage.ErrNotFound) && s.SealedAt != nil {
			away = merr
		}
		return s, m, away, nil
	case m != nil:
		if !unknown {
			away = err
		}
		return report.StatusOf(m), m, away, nil
	case unknown && !errors.Is(merr, storage.ErrNotFound):
		return s, nil, nil, merr
	}
	return s, nil, nil, err
}
