package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/reelkeep/reelkeep/storage"
)

// seals is what the proxy has seen of manifests being written: every one that MinIO took, in order, whether or not the
// worker ever heard of it.
type seals struct {
	mu      sync.Mutex
	ids     map[string][]seal
	refused int // since there was one already
}

// seal is one manifest on its way.
type seal struct {
	taken   bool // MinIO said 200; otherwise nobody knows
	replace bool // under the condition that it replaces a certain one
	state   string
	sum     string
}

func newSeals() *seals { return &seals{ids: map[string][]seal{}} }

// note takes down a write of a manifest. What MinIO refused was never written.
func (s *seals) note(r *http.Request, body []byte, status int) {
	if status != 0 && status/100 != 2 {
		s.refuse(status)
		return
	}
	sum := sha256.Sum256(body)
	it := seal{taken: status != 0, replace: r.Header.Get("If-Match") != "", sum: hex.EncodeToString(sum[:])}
	if m, err := storage.UnmarshalManifest(body); err == nil {
		it.state = m.State
	}
	id := path.Base(path.Dir(r.URL.Path))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[id] = append(s.ids[id], it)
}

func (s *seals) refuse(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == http.StatusPreconditionFailed {
		s.refused++
	}
}

// broken says what is wrong with the way in which a video was sealed: once, and after that only a partial manifest may
// be replaced, by name.
func (s *seals) broken(id string, stored []byte) []string {
	sum := sha256.Sum256(stored)
	return s.brokenBy(id, hex.EncodeToString(sum[:]))
}

// brokenBy is broken, by the checksum of the manifest that is stored in the end.
func (s *seals) brokenBy(id, stored string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var wrong []string
	state, last, known := "", "", false
	for _, it := range s.ids[id] {
		known = known || it.sum == stored
		if !it.taken || it.sum == last { // the same bytes again are no other manifest
			continue
		}
		switch {
		case state != "" && !it.replace:
			wrong = append(wrong, fmt.Sprintf("%s was sealed a second time, over a manifest that says %s", id, state))
		case state == storage.StateArchived:
			wrong = append(wrong, id+" was archived, and its manifest was replaced after that")
		}
		state, last = it.state, it.sum
	}
	if !known {
		wrong = append(wrong, "the manifest of "+id+" is none that a worker has written")
	}
	return wrong
}

// sealing is how long a manifest is held back at most for another worker to seal the video.
const sealing = 4 * time.Minute

// wait returns true when a manifest of the video has been taken. Nobody ever seals a video that its owner has deleted meanwhile.
func (s *seals) wait(ctx context.Context, r *http.Request) bool {
	id := path.Base(path.Dir(r.URL.Path))
	for until := time.Now().Add(sealing); time.Now().Before(until) && ctx.Err() == nil && !s.taken(id); {
		sleep(ctx, 100*time.Millisecond)
	}
	return s.taken(id)
}

func (s *seals) taken(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.ids[id], func(it seal) bool { return it.taken })
}

// written is how many manifests MinIO took, and how many it refused since it had one.
func (s *seals) written() (sealed, completed, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.ids {
		for _, it := range all {
			switch {
			case !it.taken:
			case it.replace:
				completed++
			default:
				sealed++
			}
		}
	}
	return sealed, completed, s.refused
}
