package worker

import (
	"fmt"
	"runtime/debug"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// safely makes a failure of this video out of a panic. The bench reads files that strangers made, and its goroutines are
// its own: nobody above them could keep a panic from ending the process and every other transfer with it.
func (r *run) safely(asset heygen.Asset, do func() error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			r.cfg.Log.Error("transfer panicked", "video_id", r.v.ID, "asset", asset, "err", fmt.Sprint(x), "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %v", x)
		}
	}()
	return do()
}
