package live

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// chatter has something new for everybody at every look.
type chatter struct {
	looks int
	heard []int // how many listened at each look
}

func (c *chatter) Look(_ context.Context, audience []*Listener) {
	c.looks++
	c.heard = append(c.heard, len(audience))
}

func (c *chatter) Frame(context.Context, *Listener) []byte {
	return []byte("<p>new\r\rid: x</p>\n\n<b></b>\n")
}

func TestOneWatcherLooksWhileAnybodyListens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var watchers []*chatter
		u := New(func() Watcher {
			watchers = append(watchers, &chatter{})
			return watchers[len(watchers)-1]
		})
		first, second := &Listener{}, &Listener{}
		if !u.join(first) || !u.join(second) {
			t.Fatal("not let in")
		}
		time.Sleep(LookEvery / 2)
		if frame := string(<-second.frames); frame != "event: patch\ndata: <p>new\ndata: id: x</p>\ndata: <b></b>\n\n" {
			t.Errorf("a frame is %q", frame)
		}
		u.leave(first)
		time.Sleep(LookEvery)
		u.leave(second)
		synctest.Wait()
		select {
		case <-u.done:
		default:
			t.Fatal("nobody listens, and the watcher goes on")
		}
		if len(watchers) != 1 || !slices.Equal(watchers[0].heard, []int{2, 1}) {
			t.Fatalf("%d watchers; the first looked for %v", len(watchers), watchers[0].heard)
		}
		if !u.join(&Listener{}) {
			t.Fatal("not let in again")
		}
		time.Sleep(LookEvery / 2)
		synctest.Wait()
		if len(watchers) != 2 || watchers[0].looks != 2 || watchers[1].looks != 1 {
			t.Errorf("%d watchers, and the old one has looked %d times", len(watchers), watchers[0].looks)
		}
		u.Close()
		if u.join(&Listener{}) {
			t.Error("let in after the end")
		}
	})
}

func TestWhoFallsBehindIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := New(func() Watcher { return &chatter{} })
		slow, brisk := &Listener{}, &Listener{}
		if !u.join(slow) || !u.join(brisk) {
			t.Fatal("not let in")
		}
		for range 2 * framesAhead {
			if _, open := <-brisk.frames; !open {
				t.Fatal("who keeps up was cut, too")
			}
		}
		n := 0
		for range slow.frames { // ends, since it was closed
			n++
		}
		if n != framesAhead {
			t.Errorf("%d frames waited for it", n)
		}
		u.Close()
	})
}
