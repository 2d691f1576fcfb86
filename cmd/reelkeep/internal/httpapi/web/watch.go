package web

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/live"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/queue"
)

// events is a stream of what changes on the page.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	access := auth.Of(r.Context())
	if access.None() {
		problem.Write(w, http.StatusUnauthorized, "unauthorized", "events are for those who have signed in", "load the page again")
		return
	}
	h.private(w, r)
	h.live.Serve(w, r, access.Account)
}

const (
	// lookPatience is how long the in-tray may take for one account.
	lookPatience = 5 * time.Second
	// recentEvery is how often the newest videos of one account are looked for: they are picked from those of all accounts.
	recentEvery = 5 * time.Second
	// looksAtOnce is how many accounts are looked at together.
	looksAtOnce = 8
)

// watch is what the watcher knows: how things stand for each account that somebody may see ("": all of them).
type watch struct {
	h     *Handler
	views map[string]*view
}

// view is what the viewers of one account see.
type view struct {
	sections []section
	recent   []queue.Status
	recentAt time.Time
	err      error // nothing else can be told then
}

// section is a piece of the page, which is sent to whoever was not sent one with the same sign.
type section struct {
	id, sign string
	html     []byte
}

// Look sees how things stand for those who listen.
func (w *watch) Look(ctx context.Context, audience []*live.Listener) {
	accounts := map[string]bool{}
	for _, l := range audience {
		accounts[l.Account] = true
	}
	maps.DeleteFunc(w.views, func(account string, _ *view) bool { return !accounts[account] })
	patient, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	by, err := w.h.Videos.CountsByAccount(patient)
	var troubled []queue.Status
	if err == nil {
		troubled, err = w.h.Videos.Troubled(patient)
	}
	var looking errgroup.Group
	looking.SetLimit(looksAtOnce)
	for account := range accounts {
		v := w.views[account]
		if v == nil {
			v = &view{}
			w.views[account] = v
		}
		if v.err = err; err != nil {
			continue
		}
		looking.Go(func() error {
			mine, cancel := context.WithTimeout(ctx, lookPatience)
			defer cancel()
			v.err = w.lookAt(mine, v, account, countsOf(by, account), ofAccount(troubled, account))
			return nil
		})
	}
	_ = looking.Wait() // nothing above returns an error
}

func (w *watch) lookAt(ctx context.Context, v *view, account string, c counts, troubled []queue.Status) (err error) {
	var running []queue.Status
	if c.Running > 0 {
		if running, err = w.h.Videos.Urgent(ctx, account, mostRunning); err != nil {
			return err
		}
	}
	if now := w.h.Now(); account == "" || now.Sub(v.recentAt) >= recentEvery {
		found, err := w.h.Videos.Recent(ctx, queue.Filter{States: sealedStates(), Account: account}, "", pageSize)
		if err != nil {
			return err
		}
		v.recent, v.recentAt = found.Videos, now
	}
	v.sections = w.sections(ctx, v, c, running, troubled)
	return nil
}

// sections makes the pieces. What has not changed is as it was made before: how far videos have come, and how long ago
// something was, has not to be right in lists, since bars come after them.
func (w *watch) sections(ctx context.Context, v *view, c counts, running, troubled []queue.Status) []section {
	old := map[string]section{}
	for _, s := range v.sections {
		old[s.id] = s
	}
	var out []section
	add := func(id, sign, part string, data any) {
		s, known := old[id]
		if !known || s.sign != sign {
			s = section{id, sign, w.h.part(part, data)}
		}
		out = append(out, s)
	}
	add("counts", fmt.Sprint(c), "counts", c)
	for _, most := range []int{mostBeside, mostRunning} {
		list := w.h.runningList(running, c.Running, most)
		add("running"+strconv.Itoa(most), list.Sign, "running", placed{"./", list})
	}
	wrong := w.h.troubleList(running, troubled)
	add("trouble", wrong.Sign, "trouble", placed{"./", wrong})
	for _, s := range running {
		if p := progressOf(s, w.h.Now()); p != nil {
			add("progress-"+p.Key, fmt.Sprint(*p), "progress", p)
		}
	}
	made := w.newCards(ctx, v.recent, old)
	for _, s := range slices.Backward(v.recent) { // the page puts each in front of the others
		add("card-"+keyOf(s), w.h.signature(s), "card", placed{"./", made[keyOf(s)]})
	}
	return out
}

// newCards are those that were not made before, so that only theirs are the manifests that are read.
func (w *watch) newCards(ctx context.Context, list []queue.Status, old map[string]section) map[string]item {
	fresh := slices.DeleteFunc(slices.Clone(list), func(s queue.Status) bool { return old["card-"+keyOf(s)].sign == w.h.signature(s) })
	made := map[string]item{}
	for _, card := range w.h.cards(ctx, fresh) {
		made[card.Key] = card
	}
	return made
}

// Frame is what one listener is sent: what he was not sent before.
func (w *watch) Frame(ctx context.Context, l *live.Listener) []byte {
	v := w.views[l.Account]
	if v == nil {
		return nil // came after the look
	}
	var n *notice
	if v.err != nil {
		n = w.h.trouble(ctx, v.err)
	}
	sections := []section{{"alarm", fmt.Sprint(n), w.h.part("alarm", n)}}
	sent := map[string]string{}
	if n == nil {
		sections = append(sections, v.sections...)
	} else {
		maps.Copy(sent, l.Sent) // it is still there when the alarm is over
	}
	var html bytes.Buffer
	for _, s := range sections {
		if l.Sent[s.id] != s.sign {
			html.Write(s.html)
			html.WriteByte('\n')
		}
		sent[s.id] = s.sign
	}
	l.Sent = sent
	return html.Bytes()
}

func (h *Handler) part(name string, data any) []byte {
	html, err := h.render("parts", name, data)
	if err != nil {
		h.Log.Error("a part of the page could not be made", "part", name, "err", err)
	}
	return html
}

// signature says whether videos are shown as they were, but for how far they have come.
func (h *Handler) signature(list ...queue.Status) string {
	sum, now := fnv.New64a(), h.Now()
	for _, s := range list {
		_, _ = fmt.Fprintln(sum, keyOf(s), s.State, s.Reason, s.Title, s.AtRisk(now), millis(s.SealedAt), millis(s.Deadline)) // a hash takes everything
		if s.Error != nil {
			_, _ = fmt.Fprintln(sum, s.Error.Code, s.Error.Message, s.Error.Hint)
		}
		for _, a := range s.Assets {
			if a.State == queue.AssetStored || a.State == queue.AssetAbsent {
				_, _ = fmt.Fprintln(sum, a.Asset, a.State)
			}
		}
	}
	return strconv.FormatUint(sum.Sum64(), 36)
}

func millis(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMilli()
}
