package web

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

const (
	pageSize    = 24  // videos in a page of a list
	mostRunning = 50  // running videos that are shown; the others are counted
	mostWorking = 200 // that are read for it: the fleet's, before those of one account are picked
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

// running returns the videos on their way that matter most: at risk first, then what is moved, then by deadline.
func (h *Handler) running(ctx context.Context, account string, working []queue.Status) ([]queue.Status, error) {
	waiting, err := h.Videos.Page(ctx, queue.Filter{States: runningStates(), Account: account}, "", mostRunning)
	if err != nil {
		return nil, err
	}
	var out []queue.Status
	seen := map[string]bool{}
	for _, s := range slices.Concat(working, waiting.Videos) {
		if k := keyOf(s); !seen[k] && (account == "" || s.Account == account) && slices.Contains(runningStates(), s.State) {
			seen[k] = true
			out = append(out, s)
		}
	}
	h.byUrgency(out)
	return out[:min(len(out), mostRunning)], nil
}

func (h *Handler) byUrgency(list []queue.Status) {
	now := h.Now()
	rank := func(s queue.Status) int {
		switch {
		case s.AtRisk(now):
			return 0
		case s.Working && s.State == queue.StateTransferring:
			return 1
		}
		return 2 + slices.Index(runningStates(), s.State)
	}
	due := func(s queue.Status) time.Time {
		if s.Deadline == nil {
			return s.AcceptedAt.AddDate(0, 0, 7)
		}
		return *s.Deadline
	}
	slices.SortStableFunc(list, func(a, b queue.Status) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), due(a).Compare(due(b)), cmp.Compare(keyOf(a), keyOf(b)))
	})
}

// troubled returns what went wrong lately, in one account or in all of them (account ""), newest first.
func (h *Handler) troubled(ctx context.Context, account string) ([]queue.Status, error) {
	list, err := h.Videos.Troubled(ctx)
	if account != "" {
		list = slices.DeleteFunc(list, func(s queue.Status) bool { return s.Account != account })
	}
	return list, err
}

// keyOf names a video in the page: an id of HTML.
func keyOf(s queue.Status) string { return report.Account(s.Account) + "." + s.VideoID }

// find asks the in-tray and the archive. One of the two may be out of reach: what the other one knows is shown then, and
// away says what was not to be had.
func (h *Handler) find(ctx context.Context, k storage.VideoKey) (s queue.Status, m *storage.Manifest, away, err error) {
	s, err = h.Videos.StatusIn(ctx, k.Account, k.VideoID)
	m, merr := h.Manifests.Manifest(ctx, k)
	if merr != nil {
		m = nil
	}
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
