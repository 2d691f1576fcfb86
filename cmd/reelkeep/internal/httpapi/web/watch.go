package web

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/queue"
)

const (
	// recentEvery is how often the newest videos of one account are looked for: they are picked from those of all accounts.
	recentEvery = 5 * time.Second
	// looksAtOnce is how many accounts are looked at together. Each has lookPatience of its own.
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

// look sees how things stand for those who listen.
func (w *watch) look(ctx context.Context, audience []*listener) {
	accounts := map[string]bool{}
	for _, l := range audience {
		accounts[l.account] = true
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
	v.sections = w.sections(v, c, running, troubled)
	return nil
}

// sections makes the pieces. What has not changed is as it was made before: how far videos have come, and how long ago
// something was, has not to be right in lists, since bars come after them.
func (w *watch) sections(v *view, c counts, running, troubled []queue.Status) []section {
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
	for _, s := range slices.Backward(v.recent) { // the page puts each in front of the others
		card := w.h.item(s)
		add("card-"+card.Key, card.Sign, "card", placed{"./", card})
	}
	return out
}

// frame is what one listener is sent: what he was not sent before.
func (w *watch) frame(ctx context.Context, l *listener) []byte {
	v := w.views[l.account]
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
		maps.Copy(sent, l.sent) // it is still there when the alarm is over
	}
	var html, out bytes.Buffer
	for _, s := range sections {
		if l.sent[s.id] != s.sign {
			html.Write(s.html)
			html.WriteByte('\n')
		}
		sent[s.id] = s.sign
	}
	l.sent = sent
	if html.Len() > 0 {
		event(&out, "patch", html.Bytes())
	}
	return out.Bytes()
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
