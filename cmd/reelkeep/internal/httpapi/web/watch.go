package web

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/queue"
)

// watch is what the watcher knows: how things stand for each account that somebody may see, and what was told of it.
type watch struct {
	h       *Handler
	meter   *meter
	views   map[string]*view        // by account; "": all of them
	singles map[string]queue.Status // videos that have their page open, by key
	err     error
}

// view is what the viewers of one account see.
type view struct {
	counts   counts
	running  []queue.Status
	troubled []queue.Status
	recent   []queue.Status

	frame  []byte            // for those who have seen the one before
	told   map[string]string // signatures of the lists that were sent; nil: none was
	sealed map[string]string // signatures of the newest sealed videos, by key; nil: not seen yet
}

func newWatch(h *Handler, m *meter) *watch {
	return &watch{h: h, meter: m, views: map[string]*view{}, singles: map[string]queue.Status{}}
}

// look sees how things stand, and makes the frames.
func (w *watch) look(ctx context.Context, audience []*listener) {
	w.err = nil
	accounts, videos := map[string]bool{}, map[string][]string{}
	for _, l := range audience {
		accounts[l.account] = true
		if account, id, ok := strings.Cut(l.video, "."); ok {
			videos[account] = append(videos[account], id)
		}
	}
	maps.DeleteFunc(w.views, func(account string, _ *view) bool { return !accounts[account] })
	by, err := w.h.Videos.CountsByAccount(ctx)
	if err != nil {
		w.err = err
		return
	}
	working, err := w.h.Videos.Working(ctx, queue.StepTransfer, mostWorking)
	if err != nil {
		w.err = err
		return
	}
	for account := range accounts {
		if w.views[account] == nil {
			w.views[account] = &view{}
		}
		if w.err = w.lookAt(ctx, account, countsOf(by, account), working); w.err != nil {
			return
		}
	}
	w.err = w.lookAtSingles(ctx, videos)
	w.meter.forget(w.h.Now())
}

func (w *watch) lookAt(ctx context.Context, account string, c counts, working []queue.Status) (err error) {
	v := w.views[account]
	v.counts, v.running = c, nil
	if c.Running > 0 {
		if v.running, err = w.h.running(ctx, account, working); err != nil {
			return err
		}
	}
	if v.troubled, err = w.h.troubled(ctx, account); err != nil {
		return err
	}
	found, err := w.h.Videos.Recent(ctx, queue.Filter{States: sealedStates(), Account: account}, "", pageSize)
	if err != nil {
		return err
	}
	v.recent = found.Videos
	for _, s := range v.running {
		w.meter.note(s, w.h.Now())
	}
	v.frame = w.changes(ctx, v)
	return nil
}

func (w *watch) lookAtSingles(ctx context.Context, videos map[string][]string) error {
	clear(w.singles)
	for account, ids := range videos {
		found, err := w.h.Videos.StatusMany(ctx, account, ids)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.Err == nil {
				w.singles[keyOf(f.Status)] = f.Status
				w.meter.note(f.Status, w.h.Now())
			}
		}
	}
	return nil
}

// signature says whether a video is shown as it was, but for how far it has come.
func signature(s queue.Status) string {
	sign := string(s.State) + "." + strconv.FormatInt(s.UpdatedAt.UnixMilli(), 10) + "." + strconv.Itoa(s.Attempts)
	if s.Error != nil {
		sign += "." + s.Error.Code
	}
	return sign
}

func (w *watch) signatures(list []queue.Status) string {
	var b strings.Builder
	now := w.h.Now()
	for _, s := range list {
		fmt.Fprintf(&b, "%s=%s,%t,%t;", keyOf(s), signature(s), s.Working, s.AtRisk(now))
	}
	return b.String()
}

// changes is the frame for those who have seen the one before.
func (w *watch) changes(ctx context.Context, v *view) []byte {
	var out bytes.Buffer
	w.part(&out, "counts", v.counts)
	for _, s := range v.running {
		w.part(&out, "progress", w.progress(s))
	}
	lists := map[string]string{
		"running": w.signatures(v.running) + strconv.FormatInt(v.counts.Running, 10),
		"trouble": w.signatures(v.troubled) + "/" + w.signatures(w.risky(v)),
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		if v.told != nil && v.told[name] != lists[name] {
			w.list(&out, v, name)
		}
	}
	v.told = lists
	w.newCards(ctx, &out, v)
	var frame bytes.Buffer
	event(&frame, "patch", out.Bytes())
	return frame.Bytes()
}

// newCards adds what was sealed since, oldest first: each is put in front of the others.
func (w *watch) newCards(ctx context.Context, out *bytes.Buffer, v *view) {
	was := v.sealed
	v.sealed = map[string]string{}
	var fresh []queue.Status
	for _, s := range slices.Backward(v.recent) {
		sign := signature(s)
		v.sealed[keyOf(s)] = sign
		if was != nil && was[keyOf(s)] != sign {
			fresh = append(fresh, s)
		}
	}
	w.cards(ctx, out, fresh)
}

func (w *watch) cards(ctx context.Context, out *bytes.Buffer, list []queue.Status) {
	if len(list) == 0 {
		return
	}
	for _, card := range w.h.cards(ctx, list) {
		w.part(out, "card", placed{"./", card})
	}
}

func (w *watch) list(out *bytes.Buffer, v *view, name string) {
	if name == "trouble" {
		w.part(out, "trouble", placed{"./", &troubleList{withRisky(w.h.items(w.risky(v)), w.h.items(v.troubled))}})
		return
	}
	for _, most := range []int{mostBeside, mostRunning} {
		w.part(out, "running", placed{"./", w.h.runningList(v.running, v.counts.Running, most)})
	}
}

func (w *watch) risky(v *view) []queue.Status {
	now := w.h.Now()
	return slices.DeleteFunc(slices.Clone(v.running), func(s queue.Status) bool { return !s.AtRisk(now) })
}

func (w *watch) progress(s queue.Status) *progress {
	p := progressOf(s, w.h.Now())
	if p != nil {
		p.Rate = w.meter.rate(p)
	}
	return p
}

func (w *watch) part(out *bytes.Buffer, name string, data any) {
	html, err := w.h.render("parts", name, data)
	if err != nil {
		w.h.Log.Error("a part of the page could not be made", "part", name, "err", err)
	}
	out.Write(html)
	out.WriteByte('\n')
}

// frame is what one listener is sent.
func (w *watch) frame(ctx context.Context, l *listener) []byte {
	var out, pieces bytes.Buffer
	if w.err != nil {
		w.part(&pieces, "alarm", w.h.trouble(ctx, w.err))
		event(&out, "patch", pieces.Bytes())
		return out.Bytes()
	}
	v := w.views[l.account]
	if v == nil {
		return nil // came after the look
	}
	if l.fresh {
		w.list(&pieces, v, "running")
		w.list(&pieces, v, "trouble")
		var newer []queue.Status
		for _, s := range slices.Backward(v.recent) {
			if s.SealedAt != nil && s.SealedAt.UnixMilli() > l.since {
				newer = append(newer, s)
			}
		}
		w.cards(ctx, &pieces, newer)
		l.fresh = false
	}
	w.part(&pieces, "alarm", (*notice)(nil))
	out.Write(v.frame)
	if s, ok := w.singles[l.video]; ok {
		if p := w.progress(s); p != nil {
			w.part(&pieces, "progress", p)
		}
		if sign := signature(s); sign != l.seen {
			l.seen = sign
			event(&out, "change", []byte(l.video))
		}
	}
	event(&out, "patch", pieces.Bytes())
	return out.Bytes()
}

// meter measures how fast videos come along.
type meter struct {
	mu      sync.Mutex
	samples map[string][]sample // by key
}

type sample struct {
	at    time.Time
	bytes int64
}

// meterSpan is over how long a speed is measured. Workers write once a second how far they are.
const meterSpan = 8 * time.Second

func newMeter() *meter { return &meter{samples: map[string][]sample{}} }

func (m *meter) note(s queue.Status, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.samples[keyOf(s)]
	if n := len(list); n > 0 && (now.Sub(list[n-1].at) < lookEvery/2 || s.Bytes < list[n-1].bytes) {
		if s.Bytes >= list[n-1].bytes {
			return // another viewer's look
		}
		list = nil // started again
	}
	list = append(list, sample{now, s.Bytes})
	for len(list) > 2 && now.Sub(list[0].at) > meterSpan {
		list = list[1:]
	}
	m.samples[keyOf(s)] = list
}

// forget drops what was not seen for a while.
func (m *meter) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.samples, func(_ string, list []sample) bool { return now.Sub(list[len(list)-1].at) > meterSpan })
}

// rate tells the speed and how long the rest takes; "" if that can't be said.
func (m *meter) rate(p *progress) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.samples[p.Key]
	if len(list) < 2 {
		return ""
	}
	first, last := list[0], list[len(list)-1]
	speed := float64(last.bytes-first.bytes) / last.at.Sub(first.at).Seconds()
	if speed <= 0 {
		return ""
	}
	text := formatBytes(int64(speed)) + "/s"
	if left := p.Total - p.Done; left > 0 {
		text += ", " + formatSpan(time.Duration(float64(left)/speed*float64(time.Second))) + " left"
	}
	return text
}
