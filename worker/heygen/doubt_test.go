package heygen_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// A list of wrong ids must not keep everybody else from hearing of his video.
func TestIdsThatNobodyKnowsHoldUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := words(map[string]string{"real": "completed", "other": "processing"})
		d, c := newDesk(t, func(r *http.Request) reply {
			if strings.Contains(r.URL.Path, "/unknown") {
				time.Sleep(10 * time.Second) // it waits for its turn
			}
			return answer(r)
		}, 0)
		wrong := make([]string, 60)
		for i := range wrong {
			wrong[i] = fmt.Sprintf("unknown%d", i)
		}
		answers := make(chan map[string]looked)
		go func() { answers <- lookAll(t.Context(), d, wrong...) }()
		time.Sleep(time.Second)
		start := time.Now()
		got := lookAll(t.Context(), d, "real", "other")
		if took := time.Since(start); took > time.Second || got["real"].err != nil || got["real"].video.Status != heygen.StatusCompleted {
			t.Errorf("a finished video among unknown ones: %+v after %s", got["real"], took)
		}
		var unknown, later int
		furthest := time.Duration(0)
		for id, l := range <-answers {
			switch e, ok := errors.AsType[*heygen.Error](l.err); {
			case ok && e.Kind == heygen.NotFound:
				unknown++
			case ok && e.Busy() && e.Wait > 0:
				later++
				furthest = max(furthest, e.Wait)
			default:
				t.Errorf("%s: %+v, %v", id, l.video, l.err)
			}
		}
		if unknown == 0 || later == 0 {
			t.Errorf("%d of 60 were settled and %d are to come back", unknown, later)
		}
		if furthest < 3*time.Second || furthest > time.Minute {
			t.Errorf("they come back within %s: want them one after the other", furthest)
		}
		_, others := bulkCalls(c.vendor.take())
		if len(others) != unknown {
			t.Errorf("%d calls about single videos settled %d", len(others), unknown)
		}
		time.Sleep(time.Minute)
		for id, l := range lookAll(t.Context(), d, wrong[:5]...) { // there are places again
			if heygen.KindOf(l.err) != heygen.NotFound {
				t.Errorf("%s: %+v, %v", id, l.video, l.err)
			}
		}
	})
}
