package queue

import (
	"encoding/json"
	"sync"
)

// decodeProgress is lenient: progress that can't be read is only progress not shown.
func decodeProgress(raw string) *progress {
	if raw == "" {
		return nil
	}
	p := new(progress)
	if json.Unmarshal([]byte(raw), p) != nil {
		return nil
	}
	return p
}

// tracker gathers what one run reports. It is written to Redis by the heartbeat, not by the handler, so that a
// thousand small parts cost a handful of writes.
type tracker struct {
	mu    sync.Mutex
	p     progress
	dirty bool
}

func newTracker(owner string, epoch int64) *tracker {
	return &tracker{p: progress{Owner: owner, Epoch: epoch}, dirty: true}
}

// Stored implements Progress.
func (t *tracker) Stored(asset string, n, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Parts++
	t.dirty = true
	a := AssetStatus{Asset: asset, State: AssetTransferring, Bytes: n}
	if total >= 0 {
		a.Total = &total
		if n >= total {
			a.State = AssetStored
		}
	}
	t.p.Assets = mergeAssets(t.p.Assets, []AssetStatus{a})
}

func (t *tracker) parts() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.p.Parts
}

// take returns the progress to write; ok is false if nothing is new since the last take.
func (t *tracker) take() (raw string, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dirty {
		return "", false, nil
	}
	raw, err = encode(t.p)
	if err != nil {
		return "", false, err
	}
	t.dirty = false
	return raw, true, nil
}

// spoil makes the next take write again after a write that failed.
func (t *tracker) spoil() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = true
}

func (t *tracker) assets() []AssetStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]AssetStatus(nil), t.p.Assets...)
}
