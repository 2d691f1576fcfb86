package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
)

// Metrics is everything that one process shows. Its methods may be called by several goroutines.
type Metrics struct {
	registry *prometheus.Registry

	// Fed as things happen.
	videos          counters // outcome
	assets          counters // asset, outcome
	bytes           counters // asset
	resumes         counters // cause
	refreshes       counters // reason
	requests        counters // endpoint, code
	requestSeconds  prometheus.Histogram
	transferSeconds prometheus.Histogram
	transfers       prometheus.Gauge

	// Fed by Watch.
	buffers   prometheus.Gauge
	ledger    gauges // state
	tasks     gauges // queue, state
	earliest  *prometheus.GaugeVec
	atRisk    prometheus.Gauge
	overdue   prometheus.Gauge
	lastSweep prometheus.Gauge
	redisUp   prometheus.Gauge
}

var (
	_ worker.Observer = (*Metrics)(nil)
	_ fetch.Observer  = (*Metrics)(nil)
)

// Handler answers a scrape, also in OpenMetrics and with native histograms for who asks for them. Scrapes that come while
// one is being answered get the same answer.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// The default would answer 500 for one value that cannot be had, and take all others away with it.
		ErrorHandling:     promhttp.ContinueOnError,
		CoalesceGather:    true,
		EnableOpenMetrics: true,
	})
}

// VideoReached counts the outcomes of videos; give it every change of the queue. A video that stays what it is, such as
// a partial one that was looked at, has reached nothing.
func (m *Metrics) VideoReached(c queue.Change) {
	if c.State != c.Previous {
		m.videos.add(1, key{string(c.State)})
	}
}

// Transfers counts and times the transfers of h. Only a video's first seal is timed: a look for late assets is not a
// transfer of a video, and most of them find nothing.
func (m *Metrics) Transfers(h queue.Handler) queue.Handler {
	return queue.HandlerFunc(func(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
		if w.Step != queue.StepTransfer {
			return h.Handle(ctx, w, p)
		}
		m.transfers.Inc()
		defer m.transfers.Dec()
		began := time.Now()
		out, err := h.Handle(ctx, w, p)
		if err == nil && w.State != queue.StatePartial && !out.SealedAt.Before(began) {
			m.transferSeconds.Observe(time.Since(began).Seconds())
		}
		return out, err
	})
}

// AssetStarted counts uploads that are continued, if it is known what cut the earlier worker off.
func (m *Metrics) AssetStarted(v worker.Video, _ string, _, stored int64) {
	if stored > 0 && v.Interrupted != "" {
		m.resumes.add(1, key{v.Interrupted})
	}
}

// Moved counts bytes from the source.
func (m *Metrics) Moved(_ worker.Video, asset string, n int64) {
	m.bytes.add(float64(n), key{asset})
}

// AssetDone counts outcomes of assets. A try that failed is none.
func (m *Metrics) AssetDone(_ worker.Video, asset, outcome string) {
	m.assets.add(1, key{asset, outcome})
}

// Resumed counts answers that broke and were continued.
func (m *Metrics) Resumed(cause string) { m.resumes.add(1, key{cause}) }

// Refreshed counts links that were fetched anew.
func (m *Metrics) Refreshed(reason string) { m.refreshes.add(1, key{reason}) }

// HeyGenRequest counts and times requests to HeyGen's API.
func (m *Metrics) HeyGenRequest(endpoint, code string, d time.Duration) {
	m.requests.add(1, key{endpoint, code})
	m.requestSeconds.Observe(d.Seconds())
}
