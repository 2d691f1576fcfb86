package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// key holds the values of a family's one or two labels.
type key [2]string

// counters and gauges are a family's children, found once: the closed sets of label values make a map that nobody writes
// to. A value that the contract does not know is not shown.
type (
	counters map[key]prometheus.Counter
	gauges   map[key]prometheus.Gauge
)

func (c counters) add(n float64, k key) {
	if child, ok := c[k]; ok {
		child.Add(n)
	}
}

func (g gauges) set(n int64, k key) {
	if child, ok := g[k]; ok {
		child.Set(float64(n))
	}
}

// label is a label with all the values that it can have.
type label struct {
	name   string
	values []string
}

// keys are all combinations of the labels' values.
func keys(labels []label) []key {
	out := []key{{}}
	for i, l := range labels {
		var longer []key
		for _, k := range out {
			for _, v := range l.values {
				k[i] = v
				longer = append(longer, k)
			}
		}
		out = longer
	}
	return out
}

// names are the labels' names; what a family wants to know before it has children.
func names(labels []label) []string {
	var out []string
	for _, l := range labels {
		out = append(out, l.name)
	}
	return out
}

// builder makes the families of one registry.
type builder struct{ promauto.Factory }

func (b builder) counters(name, help string, labels ...label) counters {
	vec := b.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names(labels))
	out := counters{}
	for _, k := range keys(labels) {
		out[k] = vec.WithLabelValues(k[:len(labels)]...)
	}
	return out
}

func (b builder) gauges(name, help string, labels ...label) gauges {
	vec := b.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names(labels))
	out := gauges{}
	for _, k := range keys(labels) {
		out[k] = vec.WithLabelValues(k[:len(labels)]...)
	}
	return out
}

func (b builder) gauge(name, help string) prometheus.Gauge {
	return b.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// seconds makes a histogram with twelve buckets, each wider than the last by factor, and a native one beside them. The
// native one is only seen by a server that was told to take it.
func (b builder) seconds(name, help string, first, factor float64) prometheus.Histogram {
	return b.NewHistogram(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(first, factor, 12),
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	})
}

func words[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// New builds the metrics, every label value at zero. The arguments are shown in reelkeep_build_info.
func New(version, commit, goVersion string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	b := builder{promauto.With(m.registry)}
	b.NewGaugeVec(prometheus.GaugeOpts{Name: "reelkeep_build_info", Help: "Always 1; the labels name this build."},
		[]string{"version", "commit", "go_version"}).WithLabelValues(version, commit, goVersion).Set(1)
	m.ofTheWork(b)
	m.ofTheFleet(b)
	return m
}

// ofTheWork are the families of what this process does.
func (m *Metrics) ofTheWork(b builder) {
	asset := label{"asset", words(heygen.Assets()...)}
	m.videos = b.counters("reelkeep_videos_total", "Videos that reached this outcome; each counts once for each that it reaches.",
		label{"outcome", words(queue.StateArchived, queue.StatePartial, queue.StateFailed, queue.StateGone, queue.StateCancelled)})
	m.assets = b.counters("reelkeep_assets_total", "Files of sealed videos, stored or absent; and how often a file was rejected because it is not what it should be.",
		asset, label{"outcome", []string{"stored", "absent", "rejected"}})
	m.bytes = b.counters("reelkeep_transfer_bytes_total", "Bytes that came from the source.", asset)
	m.transferSeconds = b.seconds("reelkeep_transfer_seconds", "Time from the start of a transfer until its video was sealed.", 0.5, 3)
	m.transfers = b.gauge("reelkeep_transfers_in_flight", "Videos being transferred now.")
	m.buffers = b.gauge("reelkeep_buffer_bytes", "Bytes of part buffers in use, of REELKEEP_MEMORY.")
	m.resumes = b.counters("reelkeep_resumes_total", "Transfers that went on where they had broken off: within a file (dropped, stalled, short) or in another worker (crash, drain).",
		label{"cause", words("dropped", "stalled", "short", string(queue.InterruptedByCrash), string(queue.InterruptedByDrain))})
	m.refreshes = b.counters("reelkeep_link_refreshes_total", "Links that were fetched anew.",
		label{"reason", []string{"expired", "forbidden", "not_found", "ahead"}})
	m.requests = b.counters("reelkeep_heygen_requests_total", "Requests to HeyGen's API by how they ended; error means that no answer came.",
		label{"endpoint", []string{"status", "list", "statuses", "webhooks"}}, label{"code", []string{"2xx", "3xx", "4xx", "429", "5xx", "error"}})
	m.requestSeconds = b.seconds("reelkeep_heygen_request_seconds", "Time that requests to HeyGen's API took.", 0.02, 2)
	b.counters("reelkeep_scrub_objects_total", "Stored files that were verified anew.",
		label{"result", []string{"ok", "damaged", "missing", "repaired"}})
}

// ofTheFleet are the families of what Redis holds: the same in every process.
func (m *Metrics) ofTheFleet(b builder) {
	m.ledger = b.gauges("reelkeep_ledger_videos", "Videos of the fleet by state.", label{"state", words(queue.States()...)})
	m.tasks = b.gauges("reelkeep_queue_tasks", "Steps of the fleet's videos, and notifications, that wait for a worker, are worked on, or are not due yet.",
		label{"queue", words(queue.StepStatus, queue.StepTransfer, queue.StepNotify)}, label{"state", []string{"waiting", "working", "later"}})
	m.earliest = b.NewGaugeVec(prometheus.GaugeOpts{Name: "reelkeep_earliest_deadline_timestamp_seconds",
		Help: "When the first link of an unsealed video dies; absent when nothing waits."}, nil)
	m.atRisk = b.gauge("reelkeep_videos_at_risk", "Unsealed videos whose deadline is less than 24 hours away.")
	m.overdue = b.gauge("reelkeep_videos_overdue", "Unsealed videos whose deadline has passed.")
	m.lastSweep = b.gauge("reelkeep_sweep_last_success_timestamp_seconds", "When a sweep last succeeded; 0 if none is known.")
	m.redisUp = b.gauge("reelkeep_redis_up", "Whether Redis answered when this process last asked; if not, what it knows of the fleet is old.")
}
