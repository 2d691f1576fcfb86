package talk_test

import (
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
)

func TestATroubleIsToldOnceInAWhile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := talk.Limit{Now: func() time.Time { return now }}
	for i, c := range []struct {
		what  string
		after time.Duration
		want  bool
	}{{"a", 0, true}, {"a", time.Second, false}, {"b", 0, true}, {"a", 28 * time.Second, false}, {"a", time.Second, true}, {"a", 0, false}} {
		now = now.Add(c.after)
		if got := l.Speaks(c.what); got != c.want {
			t.Errorf("%d: %q speaks: %v", i, c.what, got)
		}
	}
	var zero talk.Limit
	if !zero.Speaks("a") || zero.Speaks("a") {
		t.Error("the zero value is not ready")
	}
}
