package queue_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reelkeep/reelkeep/queue"
)

// walk reads all pages and counts how often each video was seen.
func (b *bench) walk(f queue.Filter, limit int) map[string]int {
	b.t.Helper()
	seen := map[string]int{}
	for cursor, n := "", 0; ; n++ {
		p, err := b.client.Page(b.t.Context(), f, cursor, limit)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(p.Videos) > limit || n > 1000 {
			b.t.Fatalf("page %d holds %d videos", n, len(p.Videos))
		}
		for _, v := range p.Videos {
			seen[v.Account+"/"+v.VideoID+" "+string(v.State)]++
		}
		if cursor = p.Next; cursor == "" {
			return seen
		}
	}
}

func TestPagesShowEveryVideoOnce(t *testing.T) {
	onAll(t, func(b *bench) {
		ctx := b.t.Context()
		waiting, ended := videos("w", 1100), videos("e", 700)
		for i := range waiting {
			waiting[i].Account = []string{"default", "acme"}[i%2]
		}
		b.enqueue(waiting...)
		b.enqueue(ended...)
		for _, j := range ended {
			if err := b.client.Cancel(ctx, "", j.VideoID); err != nil {
				b.t.Fatal(err)
			}
		}
		b.rdb.HSet(ctx, "{reelkeep}:ledger", "acme/bad", "{not json")
		for _, c := range []struct {
			filter queue.Filter
			limit  int
			want   int
		}{
			{queue.Filter{}, 100, 1800},
			{queue.Filter{}, 7, 1800},
			{queue.Filter{}, 500, 1800},
			{queue.Filter{}, 5000, 1800},
			{queue.Filter{States: []queue.State{queue.StateCancelled}}, 100, 700},
			{queue.Filter{States: []queue.State{queue.StateAccepted}}, 100, 1100},
			{queue.Filter{States: []queue.State{queue.StateAccepted}, Account: "acme"}, 100, 550},
			{queue.Filter{Account: "nobody"}, 100, 0},
			{queue.Filter{Text: strings.ToUpper(waiting[1017].VideoID)}, 1, 1},
		} {
			seen := b.walk(c.filter, c.limit)
			if len(seen) != c.want {
				b.t.Errorf("%+v, %d a page: %d videos, want %d", c.filter, c.limit, len(seen), c.want)
			}
			for video, n := range seen {
				if n != 1 {
					b.t.Errorf("%+v: %s was shown %d times", c.filter, video, n)
				}
			}
		}
	})
}

// TestPagesOfSealedVideosBeginWithTheNewest walks over more videos than have a mark, while others are sealed.
func TestPagesOfSealedVideosBeginWithTheNewest(t *testing.T) {
	onEach(t, func(b *bench) {
		ctx := b.t.Context()
		sts := sealedAt("v", 11_600)
		b.restore(sts[:10_900])
		b.enqueue(queue.Job{VideoID: "waits"})
		// What another version seals has no mark.
		b.rdb.ZRem(ctx, "{reelkeep}:recent", "default/v10800", "acme/v10801", "acme/v05001")
		b.rdb.ZAddXX(ctx, "{reelkeep}:recent", redis.Z{Score: float64(sts[9000].SealedAt.UnixMilli()), Member: "default/v10700"}) // nor moves one
		for _, f := range []queue.Filter{
			{States: []queue.State{queue.StateArchived}, Account: "acme"},
			{States: []queue.State{queue.StateArchived, queue.StatePartial}},
		} {
			name := "account " + f.Account
			seen := map[string]int{}
			var order []string
			next := 10_900
			for cursor, n := "", 0; ; n++ {
				p, err := b.client.Page(ctx, f, cursor, 500)
				if err != nil || len(p.Videos) > 500 || n > 1000 {
					b.t.Fatalf("%s: page %d holds %d videos: %v", name, n, len(p.Videos), err)
				}
				b.tellsOfNoOther(f, p.Next)
				for _, v := range p.Videos {
					seen[v.VideoID]++
					order = append(order, v.VideoID)
				}
				if f.Account == "" && next < len(sts) { // so many that others lose their marks
					b.restore(sts[next : next+100])
					next += 100
				}
				if cursor = p.Next; cursor == "" {
					break
				}
			}
			for _, st := range sts[:10_900] {
				if want := f.Account == "" || f.Account == st.Account; (seen[st.VideoID] == 1) != want {
					b.t.Fatalf("%s: %s was shown %d times", name, st.VideoID, seen[st.VideoID])
				}
			}
			if !slices.IsSortedFunc(order[:4500], func(a, b string) int { return strings.Compare(b, a) }) {
				b.t.Errorf("%s: the first are not the newest ones: %v", name, order[:10])
			}
		}
	})
}

// tellsOfNoOther: a cursor goes to whoever asked, who may know of one account alone.
func (b *bench) tellsOfNoOther(f queue.Filter, cursor string) {
	b.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"acme", "default", "zest"} {
		if f.Account != "" && name != f.Account && strings.Contains(string(raw), name) {
			b.t.Errorf("a cursor for %s is %q", f.Account, raw)
		}
	}
}

// Videos of several accounts are sealed in the same moment: where one account's walk stands is told without a word of others.
func TestAWalkOverOneAccountStandsBetweenTheOthers(t *testing.T) {
	onAll(t, func(b *bench) {
		const each = 40
		var sts []queue.Status
		for i, st := range sealedAt("v", 3*each) {
			st.Account = []string{"default", "acme", "zest"}[i%3]
			if i%30 != 0 {
				st.SealedAt, st.UpdatedAt = sts[i-1].SealedAt, sts[i-1].UpdatedAt
			}
			sts = append(sts, st)
		}
		b.restore(sts)
		for _, account := range []string{"default", "acme", "zest"} {
			f := queue.Filter{States: []queue.State{queue.StateArchived, queue.StatePartial}, Account: account}
			for _, limit := range []int{1, 3, each} {
				seen := 0
				for cursor, n := "", 0; n <= 2*each; n++ {
					p, err := b.client.Page(b.t.Context(), f, cursor, limit)
					if err != nil {
						b.t.Fatal(err)
					}
					b.tellsOfNoOther(f, p.Next)
					seen += len(p.Videos)
					if cursor = p.Next; cursor == "" {
						break
					}
				}
				if n := len(b.walk(f, limit)); n != each || seen != each {
					b.t.Errorf("%s, %d a page: %d videos, shown %d times; want %d", account, limit, n, seen, each)
				}
			}
		}
	})
}

func TestACursorThatIsNoneIsRefused(t *testing.T) {
	onEach(t, func(b *bench) {
		for _, raw := range []string{"0", "0.1", "2.1.", "9.1.x", "-1.1.x", "0.zz zz.x", "x.1.y", "0.99999999999999999999999999.x"} {
			cursor := base64.RawURLEncoding.EncodeToString([]byte(raw))
			if _, err := b.client.Page(b.t.Context(), queue.Filter{}, cursor, 10); !errors.Is(err, queue.ErrCursor) {
				b.t.Errorf("%q: %v", raw, err)
			}
		}
		sealed := queue.Filter{States: []queue.State{queue.StateArchived}}
		for _, raw := range []string{"r.1", "r.0.x", "s", "s.1", "s.1.x", "s.1.x.0", "s.1..0.1.", "s.0.x.0.1.", "s.zz zz.x.0.1.", "s.1.x.2.1.", "s.1.x.0.!."} {
			cursor := base64.RawURLEncoding.EncodeToString([]byte(raw))
			if _, err := b.client.Page(b.t.Context(), sealed, cursor, 10); !errors.Is(err, queue.ErrCursor) {
				b.t.Errorf("%q of a walk over sealed videos: %v", raw, err)
			}
		}
		for _, cursor := range []string{"!", "ünsinn", fmt.Sprint(17)} {
			if _, err := b.client.Page(b.t.Context(), queue.Filter{}, cursor, 10); !errors.Is(err, queue.ErrCursor) {
				b.t.Errorf("%q: %v", cursor, err)
			}
		}
	})
}
