package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/fetch"
)

// What says "later" must not cost a video its GIF for good, however often the video has failed before.
func TestWhatPassesIsNotAboutTheAsset(t *testing.T) {
	t.Parallel()
	some := errors.New("some reason")
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"our own budget of requests": {&BusyError{After: time.Second, Err: some}, false},
		"HeyGen is away":             {&OutageError{Of: "HeyGen", Err: some}, false},
		"a key is refused":           {&RefusedError{Of: "HeyGen", Err: some}, false},
		"the video is denied":        {&DeniedError{VideoID: "v", Err: some}, false},
		"the store is away":          {&storage.UnreachableError{Op: "put", Key: "k"}, false},
		"the store refuses":          {&storage.RefusedError{Op: "put", Key: "k"}, false},
		"the file is not there":      {fetch.ErrNotThere, true},
		"the file changes":           {fetch.ErrChanged, true},
		"anything else":              {some, true},
	} {
		if got := aboutAsset(fmt.Errorf("gif of v: %w", tt.err)); got != tt.want {
			t.Errorf("%s: about the asset alone: %v", name, got)
		}
	}
}

func TestAFullStoreIsNotAskedEveryTenSeconds(t *testing.T) {
	t.Parallel()
	for full, want := range map[bool]time.Duration{false: outageWait, true: 5 * time.Minute} {
		var outage *OutageError
		if err := storeError(&storage.UnreachableError{Full: full}); !errors.As(err, &outage) || outage.RetryAfter() != want {
			t.Errorf("full: %v: %v, after %s, want %s", full, err, outage.RetryAfter(), want)
		}
	}
}
