package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker"
)

// The bars draw themselves while work goes on, lines are printed and the screen is closed under them. None may wait for
// another.
func TestTheScreenNeverStopsTheWork(t *testing.T) {
	t.Parallel()
	con := newConsole(strings.NewReader(""), io.Discard, io.Discard)
	con.errTerminal = true
	s := newScreen(con)
	var wg sync.WaitGroup
	for n := range 16 {
		v := worker.Video{ID: fmt.Sprintf("video-%d", n)}
		wg.Go(func() {
			for i := range 400 {
				s.AssetStarted(v, "video", barFrom, 0)
				s.Moved(v, "video", barFrom/2)
				s.partial(v, []string{"gif"}, time.Now().Add(time.Minute))
				con.sayf("line %d", i)
				s.AssetDone(v, "video", "stored")
				s.settled(v.ID)
			}
		})
	}
	wg.Wait()
	s.AssetStarted(worker.Video{ID: "left"}, "video", -1, 0)
	s.close()
	s.close()
	s.AssetStarted(worker.Video{ID: "after"}, "video", barFrom, 0)
	con.sayf("after")
	if want, got := int64(16*400*barFrom/2), s.moved; got != want {
		t.Errorf("%d bytes were counted, want %d", got, want)
	}
}
