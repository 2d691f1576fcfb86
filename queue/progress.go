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
	if old := t.find(asset); old != nil && a.State == AssetTransferring {
		a.Fetched = old.Fetched
	}
	t.p.Assets = mergeAssets(t.p.Assets, []AssetStatus{a})
}

// Fetching implements Progress.
func (t *tracker) Fetching(title, asset string, stored, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = true
	t.p.Title = clip(title, 120)
	a := AssetStatus{Asset: asset, State: AssetTransferring, Bytes: stored, Fetched: stored}
	if total >= 0 {
		a.Total = &total
	}
	t.p.Assets = mergeAssets(t.p.Assets, []AssetStatus{a})
}

// Fetched implements Progress.
func (t *tracker) Fetched(asset string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.find(asset)
	if a == nil || a.State != AssetTransferring {
		return
	}
	t.dirty = true
	a.Fetched += n
	if a.Total != nil {
		a.Fetched = min(a.Fetched, *a.Total) // bytes that had to come twice
	}
}

func (t *tracker) find(asset string) *AssetStatus {
	for i := range t.p.Assets {
		if t.p.Assets[i].Asset == asset {
			return &t.p.Assets[i]
		}
	}
	return nil
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
	out := append([]AssetStatus(nil), t.p.Assets...)
	for i := range out {
		out[i].Fetched = 0 // what is not stored is lost with the run
	}
	return out
}
