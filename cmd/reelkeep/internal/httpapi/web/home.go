package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// The lists of the first page, by ?show=.
const (
	tabArchive = "archive"
	tabRunning = "running"
	tabFailed  = "failed"
)

// longestQuery is the API's.
const longestQuery = 200

type homePage struct {
	page

	Running *runningList // nil: not on this page
	Trouble *troubleList
	Cards   []item
	More    string // address of the next page; "" at the end
	Fresh   bool   // new cards may be put in front
}

// runningList is what is on its way: the whole list, or the head of it beside the gallery.
type runningList struct {
	Short bool
	Items []item
	More  int64
	Sign  string
}

type troubleList struct {
	Items []item
	Sign  string
}

// home shows one of the lists.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) { h.showHome(w, r, nil) }

// showHome shows it, and how it went what somebody has asked to be done with one of its videos.
func (h *Handler) showHome(w http.ResponseWriter, r *http.Request, said *notice) {
	p := homePage{page: h.newPage(r, "reelkeep")}
	query := r.URL.Query()
	p.Tab = tabArchive
	if show := query.Get("show"); show == tabRunning || show == tabFailed {
		p.Tab = show
	}
	if q := strings.TrimSpace(query.Get("q")); len(q) <= longestQuery {
		p.Query = q
	}
	account := auth.Of(r.Context()).Account
	status := http.StatusOK
	asking, cancel := context.WithTimeout(r.Context(), inTrayPatience)
	defer cancel()
	by, err := h.Videos.CountsByAccount(asking)
	if err == nil {
		c := countsOf(by, account)
		p.Counts = &c
		err = h.fill(asking, &p, account, query.Get("cursor"))
	}
	if errors.Is(err, queue.ErrCursor) {
		seeOther(w, "./")
		return
	}
	if said != nil {
		p.Notice, status = said, said.status
	}
	if err != nil {
		p.Notice = h.trouble(r.Context(), err)
		status = p.Notice.status
		p.Live = ""
		if unchanged(r, &p.page, "") {
			status = http.StatusNoContent
		} else {
			h.byHand(r.Context(), &p, account)
		}
	}
	h.show(w, r, status, "home", p)
}

func (h *Handler) fill(ctx context.Context, p *homePage, account, cursor string) error {
	switch {
	case p.Query != "":
		return h.search(ctx, p, account, cursor)
	case p.Tab == tabRunning:
		p.Live = "events"
		return h.fillRunning(ctx, p, account, mostRunning)
	case p.Tab == tabFailed:
		return h.fillFailed(ctx, p, account, cursor)
	}
	found, err := h.Videos.Page(ctx, queue.Filter{States: sealedStates(), Account: account}, cursor, pageSize)
	if err != nil {
		return err
	}
	p.Cards, p.More = h.cards(ctx, found.Videos), moreOf(p, found.Next)
	if cursor != "" {
		return nil
	}
	p.Fresh, p.Live = true, "events"
	return h.fillRunning(ctx, p, account, mostBeside)
}

// mostBeside is how many running videos are shown beside the gallery.
const mostBeside = 3

func (h *Handler) fillRunning(ctx context.Context, p *homePage, account string, most int) error {
	list, err := h.Videos.Urgent(ctx, account, mostRunning)
	p.Running = h.runningList(list, p.Counts.Running, most)
	return err
}

// runningList shows the first of those that matter most, and how many there are besides.
func (h *Handler) runningList(list []queue.Status, total int64, most int) *runningList {
	list = list[:min(len(list), most)]
	more := max(0, total-int64(len(list)))
	return &runningList{most == mostBeside, h.items(list), more, h.signature(list...) + "." + strconv.FormatInt(more, 10)}
}

// troubleList is what may go wrong soon, and what went wrong lately.
func (h *Handler) troubleList(running, troubled []queue.Status) *troubleList {
	var list []queue.Status
	seen, now := map[string]bool{}, h.Now()
	for i, s := range slices.Concat(running, troubled) {
		if k := keyOf(s); !seen[k] && (i >= len(running) || s.AtRisk(now)) {
			seen[k] = true
			list = append(list, s)
		}
	}
	return &troubleList{h.items(list), h.signature(list...)}
}

// fillFailed shows what may go wrong soon, what went wrong lately, and then, in no order, what failed before that.
func (h *Handler) fillFailed(ctx context.Context, p *homePage, account, cursor string) error {
	all, err := h.Videos.Troubled(ctx)
	if err != nil {
		return err
	}
	recent := ofAccount(all, account)
	if cursor == "" {
		running, err := h.Videos.Urgent(ctx, account, mostRunning)
		if err != nil {
			return err
		}
		p.Trouble, p.Live = h.troubleList(running, recent), "events"
	}
	var settled int64
	known := map[string]bool{}
	for _, s := range recent {
		known[keyOf(s)] = true
		if s.State.Settled() {
			settled++
		}
	}
	if p.Counts.Failed <= settled {
		return nil
	}
	older, err := h.Videos.Page(ctx, queue.Filter{States: failedStates(), Account: account}, cursor, pageSize)
	if err != nil {
		return err
	}
	p.Cards, p.More = h.items(slices.DeleteFunc(older.Videos, func(s queue.Status) bool { return known[keyOf(s)] })), moreOf(p, older.Next)
	return nil
}

// search looks for a text in ids and titles. A whole id is found at once, however many videos there are.
func (h *Handler) search(ctx context.Context, p *homePage, account, cursor string) error {
	select { // a search reads much
	case h.searching <- struct{}{}:
		defer func() { <-h.searching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	states := map[string][]queue.State{tabArchive: sealedStates(), tabRunning: runningStates(), tabFailed: append(failedStates(), queue.StateCancelled)}[p.Tab]
	var list []queue.Status
	if cursor == "" {
		for _, k := range h.keysOf(ctx, account, p.Query) {
			if s, err := h.Videos.StatusIn(ctx, k.Account, k.VideoID); err == nil && slices.Contains(states, s.State) {
				list = append(list, s)
			}
		}
	}
	whole := len(list)
	found, err := h.Videos.Page(ctx, queue.Filter{States: states, Account: account, Text: p.Query}, cursor, pageSize)
	if err != nil {
		return err
	}
	for _, s := range found.Videos {
		if !slices.ContainsFunc(list[:whole], func(o queue.Status) bool { return keyOf(o) == keyOf(s) }) {
			list = append(list, s)
		}
	}
	p.Cards, p.More = h.cards(ctx, list), moreOf(p, found.Next)
	return nil
}

// keysOf are the videos that a whole id may name: one in each account that somebody may see.
func (h *Handler) keysOf(ctx context.Context, account, id string) (keys []storage.VideoKey) {
	accounts := []string{account}
	if account == "" && h.Accounts != nil {
		if names, err := h.Accounts(ctx); err == nil && len(names) > 0 {
			accounts = names
		}
	}
	for _, name := range accounts {
		if k := (storage.VideoKey{Account: report.Account(name), VideoID: id}); k.Validate() == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// byHand finds a video by its whole id while the in-tray is out of reach.
func (h *Handler) byHand(ctx context.Context, p *homePage, account string) {
	for _, k := range h.keysOf(ctx, account, p.Query) {
		if m, err := h.Manifests.Manifest(ctx, k); err == nil {
			p.Cards = append(p.Cards, h.cards(ctx, []queue.Status{report.StatusOf(m)})...)
		}
	}
}

// moreOf is the address of the next page.
func moreOf(p *homePage, next string) string {
	if next == "" {
		return ""
	}
	q := url.Values{"cursor": {next}}
	if p.Query != "" {
		q.Set("q", p.Query)
	}
	if p.Tab != tabArchive {
		q.Set("show", p.Tab)
	}
	return "?" + q.Encode()
}

func (h *Handler) items(list []queue.Status) []item {
	out := make([]item, len(list))
	for i, s := range list {
		out[i] = h.item(s)
	}
	return out
}

// How long a page waits for manifests, and how many are read at a time. A page without lengths is better than none.
const (
	manifestPatience = 1500 * time.Millisecond
	manifestsAtOnce  = 8
)

// cards adds what the manifests know, as far as the store tells in time. They are asked for in a moment anyway, by the
// thumbnails.
func (h *Handler) cards(ctx context.Context, list []queue.Status) []item {
	out := h.items(list)
	ctx, cancel := context.WithTimeout(ctx, manifestPatience)
	defer cancel()
	var reading errgroup.Group
	reading.SetLimit(manifestsAtOnce)
	for i, s := range list {
		if s.SealedAt == nil {
			continue
		}
		reading.Go(func() error {
			if m, err := h.Manifests.Manifest(ctx, storage.VideoKey{Account: s.Account, VideoID: s.VideoID}); err == nil {
				out[i].complete(m)
			}
			return nil
		})
	}
	_ = reading.Wait() // nothing above returns an error
	return out
}
