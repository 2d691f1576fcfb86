package main

import (
	"net/http"
	"path"
	"sync"
	"time"
)

// endings is what the proxies have seen of uploads being put together.
//
// MinIO takes its notes on the parts away before it moves them to their place, and only then looks whether anybody still
// listens: if it dies in between, or whoever asked does, it has neither the parts nor the object. That file is fetched
// again, and nobody can help it.
type endings struct {
	mu  sync.Mutex
	all []*ending
}

// ending is one request to put an upload together.
type ending struct {
	id       string
	from, to time.Time
	answered bool
}

func (e *endings) begin(r *http.Request) func([]byte, int) {
	it := &ending{id: path.Base(path.Dir(r.URL.Path)), from: time.Now()}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, it)
	return func(_ []byte, status int) {
		e.mu.Lock()
		defer e.mu.Unlock()
		it.to, it.answered = time.Now(), status != 0
	}
}

// cut counts, by video, the endings that got no answer since somebody was killed meanwhile.
func (e *endings) cut(kills []window) map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	cut := map[string]int{}
	for _, it := range e.all {
		if !it.answered && overlap(kills, window{it.from, it.to}) {
			cut[it.id]++
		}
	}
	return cut
}

func overlap(all []window, w window) bool {
	for _, k := range all {
		if k.from.Before(w.to) && w.from.Before(k.to) {
			return true
		}
	}
	return false
}
