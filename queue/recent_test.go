package queue_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// sealedAt are videos as manifests tell of them: n of them, one sealed each second, the highest number last.
func sealedAt(prefix string, n int) []queue.Status {
	sts := make([]queue.Status, n)
	for i := range sts {
		at := time.UnixMilli(1_800_000_000_000).Add(time.Duration(i) * time.Second)
		sts[i] = queue.Status{VideoID: fmt.Sprintf("%s%05d", prefix, i), Account: []string{"default", "acme"}[i%2], State: queue.StateArchived,
			Title: fmt.Sprintf("Spring %d", i%10), UpdatedAt: at, SealedAt: &at}
	}
	return sts
}

func (b *bench) restore(sts []queue.Status) {
	b.t.Helper()
	if n, err := b.client.Restore(b.t.Context(), sts); err != nil || n != len(sts) {
		b.t.Fatalf("restored %d of %d: %v", n, len(sts), err)
	}
}

// recent walks over all pages; between is called after each.
func (b *bench) recent(f queue.Filter, limit int, between func()) (ids []string) {
	b.t.Helper()
	for cursor, n := "", 0; ; n++ {
		p, err := b.client.Recent(b.t.Context(), f, cursor, limit)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(p.Videos) > limit || n > 20000 {
			b.t.Fatalf("page %d holds %d videos", n, len(p.Videos))
		}
		for _, v := range p.Videos {
			ids = append(ids, v.VideoID)
		}
		between()
		if cursor = p.Next; cursor == "" {
			return ids
		}
	}
}

func nothing() {}

func TestVideosSealedLastComeFirst(t *testing.T) {
	onAll(t, func(b *bench) {
		sts := sealedAt("v", 700)
		shuffled := append([]queue.Status(nil), sts...)
		rand.Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
		b.restore(shuffled)
		for i := range 3 { // of the same moment
			st := sts[350]
			st.VideoID, st.Account = fmt.Sprintf("twin%d", i), "default"
			b.restore([]queue.Status{st})
		}
		b.enqueue(queue.Job{VideoID: "waits"})
		newestOf := func(match func(i int) bool) (ids []string) {
			for i := len(sts) - 1; i >= 0; i-- {
				if !match(i) {
					continue
				}
				if i == 350 {
					ids = append(ids, "v00350", "twin2", "twin1", "twin0")
					continue
				}
				ids = append(ids, sts[i].VideoID)
			}
			return ids
		}
		all := newestOf(func(int) bool { return true })
		for _, limit := range []int{1, 7, 500, 5000} {
			if diff := cmp.Diff(all, b.recent(queue.Filter{}, limit, nothing)); diff != "" {
				b.t.Errorf("%d a page (-want +got):\n%s", limit, diff)
			}
		}
		for _, c := range []struct {
			filter queue.Filter
			want   []string
		}{
			{queue.Filter{States: []queue.State{queue.StateArchived}}, all},
			{queue.Filter{States: []queue.State{queue.StatePartial, queue.StateFailed}}, nil},
			{queue.Filter{Account: "acme"}, newestOf(func(i int) bool { return i%2 == 1 })},
			{queue.Filter{Text: "SPRING 7"}, newestOf(func(i int) bool { return i%10 == 7 })},
			{queue.Filter{Text: "twin"}, []string{"twin2", "twin1", "twin0"}},
			{queue.Filter{Account: "nobody"}, nil},
		} {
			if diff := cmp.Diff(c.want, b.recent(c.filter, 50, nothing)); diff != "" {
				b.t.Errorf("%+v (-want +got):\n%s", c.filter, diff)
			}
		}
	})
}

func TestVideosSealedMeanwhileMoveNoPage(t *testing.T) {
	onEach(t, func(b *bench) {
		sts := sealedAt("v", 60)
		b.restore(sts[:50])
		more := sts[50:]
		seen := b.recent(queue.Filter{}, 7, func() {
			if len(more) > 0 {
				b.restore(more[:1])
				more = more[1:]
			}
		})
		var want []string
		for i := 49; i >= 0; i-- {
			want = append(want, sts[i].VideoID)
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			b.t.Errorf("a walk while others were sealed (-want +got):\n%s", diff)
		}
	})
}

// TestOnlySealedVideosAreRecent takes videos through their states.
func TestOnlySealedVideosAreRecent(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		sealed := time.Now().Add(-time.Minute)
		s := b.serve(queue.ServerConfig{}, func(c context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
			switch w.VideoID {
			case "late", "dropped":
				return queue.Outcome{State: queue.StatePartial, SealedAt: sealed, After: time.Hour}, nil
			case "bad":
				return queue.Outcome{State: queue.StateFailed}, nil
			}
			return archives(c, w, p)
		})
		assert := func(why string, want ...string) {
			b.t.Helper()
			if diff := cmp.Diff(want, b.recent(queue.Filter{}, 10, nothing)); diff != "" {
				b.t.Errorf("%s (-want +got):\n%s", why, diff)
			}
		}
		assert("nothing is there yet")
		b.enqueue(queue.Job{VideoID: "late"})
		s.untilState("late", queue.StatePartial)
		b.enqueue(queue.Job{VideoID: "bad"}, queue.Job{VideoID: "whole"})
		s.untilSettled(2)
		assert("one is partial, one archived, one failed", "whole", "late")
		b.enqueue(queue.Job{VideoID: "dropped"})
		s.untilState("dropped", queue.StatePartial)
		assert("two are partial", "whole", "late", "dropped")
		if err := b.client.Cancel(ctx, "", "dropped"); err != nil {
			b.t.Fatal(err)
		}
		assert("a cancelled one is not archived", "whole", "late")
		if n := b.rdb.ZCard(ctx, "{reelkeep}:recent").Val(); n != 2 {
			b.t.Errorf("%d marks are kept; want those of the two that are sealed", n)
		}
		// A version from before there were marks takes one over and leaves its mark.
		b.rdb.HDel(ctx, "{reelkeep}:index", "default/whole")
		assert("a mark without a video shows nothing", "late")
	})
}

func TestRecentVideosAreBoundedAndHaveNoGap(t *testing.T) {
	onEach(t, func(b *bench) {
		ctx := b.t.Context()
		sts := sealedAt("v", 10_910)
		shuffled := append([]queue.Status(nil), sts[10:]...)
		rand.Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
		b.restore(shuffled)
		ids := b.recent(queue.Filter{}, 500, nothing)
		if len(ids) < 10_000 || len(ids) > 10_500 {
			b.t.Fatalf("%d videos are recent; want 10,000 or a few more", len(ids))
		}
		for i, id := range ids {
			if want := sts[len(sts)-1-i].VideoID; id != want {
				b.t.Fatalf("number %d is %s; want %s", i, id, want)
			}
		}
		b.rdb.ZRem(ctx, "{reelkeep}:recent", "default/v05000", "acme/v05001")
		b.restore(sts[:10]) // older than what was dropped: behind a gap
		again := b.recent(queue.Filter{}, 500, nothing)
		if len(again) != len(ids)-2 || again[len(again)-1] != ids[len(ids)-1] {
			b.t.Errorf("%d videos are recent down to %s after two have left; want %d down to %s", len(again), again[len(again)-1], len(ids)-2, ids[len(ids)-1])
		}
		if n := b.rdb.ZCard(ctx, "{reelkeep}:recent").Val(); n != int64(len(again)) {
			b.t.Errorf("%d marks are kept of %d videos", n, len(again))
		}
	})
}

// TestRecentVideosOfAnOlderVersionAreFound: a Redis that was filled before there were marks.
func TestRecentVideosOfAnOlderVersionAreFound(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		sealed := time.UnixMilli(1_700_000_000_000)
		old := b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{State: queue.StatePartial, SealedAt: sealed, After: time.Hour}, nil
		})
		b.enqueue(queue.Job{VideoID: "late"})
		old.untilState("late", queue.StatePartial)
		old.drain()
		sts := sealedAt("v", 1300)
		b.restore(sts)
		b.enqueue(queue.Job{VideoID: "waits"})
		if n := b.rdb.Del(ctx, "{reelkeep}:recent", "{reelkeep}:recent:reach", "{reelkeep}:tick:recent").Val(); n != 3 {
			b.t.Fatalf("%d keys were there", n)
		}
		b.serve(queue.ServerConfig{}, func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
			return queue.Outcome{}, later(time.Hour)
		})
		queuetest.Await(b.t, "a server to have looked through the index", func() bool {
			return b.rdb.HExists(ctx, "{reelkeep}:recent:reach", "filled").Val()
		})
		ids := b.recent(queue.Filter{}, 500, nothing)
		if len(ids) != 1301 || ids[0] != "v01299" || ids[1299] != "v00000" || ids[1300] != "late" {
			b.t.Errorf("%d videos are recent: %.200v", len(ids), ids)
		}
	})
}

func TestACursorThatIsNoMarkIsRefused(t *testing.T) {
	onEach(t, func(b *bench) {
		b.restore(sealedAt("v", 3))
		cursors := []string{"!", "ünsinn", "17"}
		for _, raw := range []string{"", "r", "r.1", "r.1.", "r.0.default/v", "r.-1.default/v", "r.zz zz.x", "x.1.y", "0.0.", "r.zzzzzzzzzzzzzzzzzzzz.v"} {
			if c := base64.RawURLEncoding.EncodeToString([]byte(raw)); c != "" {
				cursors = append(cursors, c)
			}
		}
		for _, c := range cursors {
			if _, err := b.client.Recent(b.t.Context(), queue.Filter{}, c, 10); !errors.Is(err, queue.ErrCursor) {
				b.t.Errorf("%q: %v", c, err)
			}
		}
		page, err := b.client.Page(b.t.Context(), queue.Filter{}, "", 1)
		if err != nil || page.Next == "" {
			b.t.Fatalf("a page of a walk: %+v, %v", page, err)
		}
		if _, err := b.client.Recent(b.t.Context(), queue.Filter{}, page.Next, 10); !errors.Is(err, queue.ErrCursor) {
			b.t.Errorf("a cursor of Page: %v", err)
		}
	})
}
