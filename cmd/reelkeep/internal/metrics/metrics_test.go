package metrics

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
)

func fresh() *Metrics { return New("v1.2.3", "0123abc", "go1.26") }

func get(t *testing.T, m *Metrics, accept string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	req.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", rec.Code, rec.Body)
	}
	return rec
}

// series are the values that /metrics shows of ours, by name and labels; of histograms only their count.
type series map[string]float64

func scrape(t *testing.T, m *Metrics) series {
	t.Helper()
	out := series{}
	lines := bufio.NewScanner(get(t, m, "text/plain").Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(name, "reelkeep_") || strings.Contains(name, "_bucket{") || strings.HasSuffix(name, "_seconds_sum") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		out[name] = v
	}
	return out
}

// since is what has changed; a series that is gone is shown as -1.
func (s series) since(before series) series {
	out := series{}
	for name, v := range s {
		if old, ok := before[name]; !ok || old != v {
			out[name] = v - old
		}
	}
	for name := range before {
		if _, ok := s[name]; !ok {
			out[name] = -1
		}
	}
	return out
}

func (s series) sum(prefix string) float64 {
	var n float64
	for name, v := range s {
		if strings.HasPrefix(name, prefix) {
			n += v
		}
	}
	return n
}

func change(previous, state queue.State) queue.Change {
	return queue.Change{Status: queue.Status{VideoID: "v", State: state}, Previous: previous}
}

func TestEachEventMovesItsOwnSeriesAndNoOther(t *testing.T) {
	t.Parallel()
	v, cut := worker.Video{ID: "v", Account: "acme"}, worker.Video{ID: "v"}
	for name, tc := range map[string]struct {
		event func(m *Metrics)
		want  series
	}{
		"bytes":                {func(m *Metrics) { m.Moved(v, "gif", 7); m.Moved(v, "gif", 5) }, series{`reelkeep_transfer_bytes_total{asset="gif"}`: 12}},
		"a stored asset":       {func(m *Metrics) { m.AssetDone(v, "video", "stored") }, series{`reelkeep_assets_total{asset="video",outcome="stored"}`: 1}},
		"an absent asset":      {func(m *Metrics) { m.AssetDone(v, "gif", "absent") }, series{`reelkeep_assets_total{asset="gif",outcome="absent"}`: 1}},
		"a rejected asset":     {func(m *Metrics) { m.AssetDone(v, "captions", "rejected") }, series{`reelkeep_assets_total{asset="captions",outcome="rejected"}`: 1}},
		"a try that failed":    {func(m *Metrics) { m.AssetDone(v, "video", "failed") }, series{}},
		"a dropped answer":     {func(m *Metrics) { m.Resumed("dropped") }, series{`reelkeep_resumes_total{cause="dropped"}`: 1}},
		"a stalled answer":     {func(m *Metrics) { m.Resumed("stalled") }, series{`reelkeep_resumes_total{cause="stalled"}`: 1}},
		"a short answer":       {func(m *Metrics) { m.Resumed("short") }, series{`reelkeep_resumes_total{cause="short"}`: 1}},
		"an expired link":      {func(m *Metrics) { m.Refreshed("expired") }, series{`reelkeep_link_refreshes_total{reason="expired"}`: 1}},
		"a forbidden link":     {func(m *Metrics) { m.Refreshed("forbidden") }, series{`reelkeep_link_refreshes_total{reason="forbidden"}`: 1}},
		"a link that is gone":  {func(m *Metrics) { m.Refreshed("not_found") }, series{`reelkeep_link_refreshes_total{reason="not_found"}`: 1}},
		"a link soon to die":   {func(m *Metrics) { m.Refreshed("ahead") }, series{`reelkeep_link_refreshes_total{reason="ahead"}`: 1}},
		"a new asset":          {func(m *Metrics) { cut.Interrupted = "drain"; m.AssetStarted(cut, "video", 100, 0) }, series{}},
		"a retry":              {func(m *Metrics) { m.AssetStarted(v, "video", 100, 50) }, series{}},
		"after a crash":        {func(m *Metrics) { m.AssetStarted(worker.Video{Interrupted: "crash"}, "video", 100, 50) }, series{`reelkeep_resumes_total{cause="crash"}`: 1}},
		"after a drain":        {func(m *Metrics) { m.AssetStarted(worker.Video{Interrupted: "drain"}, "video", -1, 50) }, series{`reelkeep_resumes_total{cause="drain"}`: 1}},
		"a status call":        {func(m *Metrics) { m.HeyGenRequest("status", "2xx", time.Second) }, series{`reelkeep_heygen_requests_total{code="2xx",endpoint="status"}`: 1, "reelkeep_heygen_request_seconds_count": 1}},
		"a throttled list":     {func(m *Metrics) { m.HeyGenRequest("list", "429", time.Second) }, series{`reelkeep_heygen_requests_total{code="429",endpoint="list"}`: 1, "reelkeep_heygen_request_seconds_count": 1}},
		"a partial video":      {func(m *Metrics) { m.VideoReached(change("transferring", "partial")) }, series{`reelkeep_videos_total{outcome="partial"}`: 1}},
		"another look at it":   {func(m *Metrics) { m.VideoReached(change("partial", "partial")) }, series{}},
		"its last asset":       {func(m *Metrics) { m.VideoReached(change("partial", "archived")) }, series{`reelkeep_videos_total{outcome="archived"}`: 1}},
		"a failed video":       {func(m *Metrics) { m.VideoReached(change("rendering", "failed")) }, series{`reelkeep_videos_total{outcome="failed"}`: 1}},
		"a video that is gone": {func(m *Metrics) { m.VideoReached(change("accepted", "gone")) }, series{`reelkeep_videos_total{outcome="gone"}`: 1}},
		"a cancelled video":    {func(m *Metrics) { m.VideoReached(change("", "cancelled")) }, series{`reelkeep_videos_total{outcome="cancelled"}`: 1}},
		"a step on the way":    {func(m *Metrics) { m.VideoReached(change("accepted", "rendering")) }, series{}},
		"words of strangers": {func(m *Metrics) {
			m.Resumed("https://files.example/v.mp4?Signature=x")
			m.Moved(v, "vid_7c1", 1)
			m.AssetDone(v, "video", "read tcp 10.0.0.1: reset")
		}, series{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := fresh()
			before := scrape(t, m)
			tc.event(m)
			if diff := cmp.Diff(tc.want, scrape(t, m).since(before)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEveryValueOfTheContractCanMove(t *testing.T) {
	t.Parallel()
	m := fresh()
	for name := range scrape(t, m) {
		family, rest, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		value := map[string]string{}
		for pair := range strings.SplitSeq(rest, ",") {
			label, quoted, _ := strings.Cut(pair, "=")
			value[label] = strings.Trim(quoted, `"`)
		}
		switch family {
		case "reelkeep_videos_total":
			m.VideoReached(change("transferring", queue.State(value["outcome"])))
		case "reelkeep_assets_total":
			m.AssetDone(worker.Video{}, value["asset"], value["outcome"])
		case "reelkeep_transfer_bytes_total":
			m.Moved(worker.Video{}, value["asset"], 1)
		case "reelkeep_resumes_total":
			m.Resumed(value["cause"])
		case "reelkeep_link_refreshes_total":
			m.Refreshed(value["reason"])
		case "reelkeep_heygen_requests_total":
			m.HeyGenRequest(value["endpoint"], value["code"], time.Second)
		}
	}
	for name, v := range scrape(t, m) {
		if family, _, _ := strings.Cut(name, "{"); strings.HasSuffix(family, "_total") && family != "reelkeep_scrub_objects_total" && v != 1 {
			t.Errorf("%s is %v after one event of every kind", name, v)
		}
	}
}

func TestATransferIsTimedUntilItsVideoIsSealed(t *testing.T) {
	t.Parallel()
	transfer := queue.Work{Step: queue.StepTransfer, State: queue.StateTransferring}
	sealsNow := func() queue.Outcome { return queue.Outcome{State: queue.StateArchived, SealedAt: time.Now()} }
	for name, tc := range map[string]struct {
		work  queue.Work
		out   func() queue.Outcome
		err   error
		timed float64
	}{
		"sealed":           {transfer, sealsNow, nil, 1},
		"sealed partially": {transfer, func() queue.Outcome { return queue.Outcome{State: queue.StatePartial, SealedAt: time.Now()} }, nil, 1},
		"failed":           {transfer, func() queue.Outcome { return queue.Outcome{} }, errors.New("disk on fire"), 0},
		"no longer ready":  {transfer, func() queue.Outcome { return queue.Outcome{State: queue.StateRendering} }, nil, 0},
		"sealed before": {transfer, func() queue.Outcome {
			return queue.Outcome{State: queue.StateArchived, SealedAt: time.Now().Add(-time.Hour)}
		}, nil, 0},
		"a late asset":  {queue.Work{Step: queue.StepTransfer, State: queue.StatePartial}, sealsNow, nil, 0},
		"a status call": {queue.Work{Step: queue.StepStatus}, sealsNow, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := fresh()
			var during series
			h := m.Transfers(queue.HandlerFunc(func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
				during = scrape(t, m)
				return tc.out(), tc.err
			}))
			if _, err := h.Handle(t.Context(), tc.work, nil); !errors.Is(err, tc.err) {
				t.Errorf("the handler's error became %v", err)
			}
			flying := 1.0
			if tc.work.Step == queue.StepStatus {
				flying = 0
			}
			after := scrape(t, m)
			if got := during["reelkeep_transfers_in_flight"]; got != flying {
				t.Errorf("%v in flight during the step, want %v", got, flying)
			}
			if got := after["reelkeep_transfers_in_flight"]; got != 0 {
				t.Errorf("%v in flight after it", got)
			}
			if got := after["reelkeep_transfer_seconds_count"]; got != tc.timed {
				t.Errorf("%v transfers were timed, want %v", got, tc.timed)
			}
		})
	}
}

func TestOpenMetricsAndProtobufAreSpoken(t *testing.T) {
	t.Parallel()
	m := fresh()
	m.HeyGenRequest("status", "2xx", time.Second)
	rec := get(t, m, "application/openmetrics-text; version=1.0.0")
	if ct := rec.Header().Get("Content-Type"); !strings.HasPrefix(ct, "application/openmetrics-text") || !strings.HasSuffix(rec.Body.String(), "# EOF\n") {
		t.Errorf("asked for OpenMetrics, got %s", ct)
	}
	rec = get(t, m, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	if ct := rec.Header().Get("Content-Type"); !strings.HasPrefix(ct, "application/vnd.google.protobuf") {
		t.Errorf("asked for protobuf, which native histograms need, got %s", ct)
	}
}

func TestManyHandsCountExactly(t *testing.T) {
	t.Parallel()
	m := fresh()
	const hands, times = 16, 200
	v := worker.Video{Interrupted: "crash"}
	h := m.Transfers(queue.HandlerFunc(func(context.Context, queue.Work, queue.Progress) (queue.Outcome, error) {
		return queue.Outcome{SealedAt: time.Now().Add(time.Hour)}, nil
	}))
	earliest := time.Unix(1_800_000_000, 0)
	src := Sources{BufferBytes: func() int64 { return 1 }, Overview: func(context.Context) (queue.Overview, error) {
		return queue.Overview{States: map[queue.State]int64{queue.StateRendering: 1}, EarliestDeadline: &earliest}, nil
	}}
	var all sync.WaitGroup
	for n := range hands {
		all.Go(func() {
			for range times {
				m.Moved(v, "video", 3)
				m.AssetStarted(v, "video", 9, 3)
				m.AssetDone(v, "video", "stored")
				m.Refreshed("ahead")
				m.HeyGenRequest("status", "2xx", time.Millisecond)
				m.VideoReached(change("transferring", "archived"))
				_, _ = h.Handle(t.Context(), queue.Work{Step: queue.StepTransfer}, nil)
			}
		})
		all.Go(func() {
			for range times / 20 {
				m.refresh(t.Context(), src)
				if n%4 == 0 {
					scrape(t, m)
				}
			}
		})
	}
	all.Wait()
	got := scrape(t, m)
	for name, want := range map[string]float64{
		`reelkeep_transfer_bytes_total{asset="video"}`:                 3 * hands * times,
		`reelkeep_resumes_total{cause="crash"}`:                        hands * times,
		`reelkeep_assets_total{asset="video",outcome="stored"}`:        hands * times,
		`reelkeep_link_refreshes_total{reason="ahead"}`:                hands * times,
		`reelkeep_heygen_requests_total{code="2xx",endpoint="status"}`: hands * times,
		`reelkeep_videos_total{outcome="archived"}`:                    hands * times,
		"reelkeep_transfer_seconds_count":                              hands * times,
		"reelkeep_transfers_in_flight":                                 0,
		"reelkeep_redis_up":                                            1,
		`reelkeep_ledger_videos{state="rendering"}`:                    1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// Moved is called for every read of every transfer.
func TestMovedDoesNotAllocate(t *testing.T) {
	m, v := fresh(), worker.Video{ID: "v", Metadata: map[string]string{"k": "v"}}
	if n := testing.AllocsPerRun(1000, func() { m.Moved(v, "video", 32<<10) }); n != 0 {
		t.Errorf("one call allocates %v times", n)
	}
}

func BenchmarkMoved(b *testing.B) {
	m, v := fresh(), worker.Video{ID: "v"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Moved(v, "video", 32<<10)
		}
	})
}

// collects is a collector of which a test says what it does.
type collects func(chan<- prometheus.Metric)

func (collects) Describe(chan<- *prometheus.Desc)      {}
func (c collects) Collect(ch chan<- prometheus.Metric) { c(ch) }

func TestOneValueThatCannotBeHadDoesNotTakeTheOthersAway(t *testing.T) {
	t.Parallel()
	m := fresh()
	m.registry.MustRegister(collects(func(ch chan<- prometheus.Metric) {
		ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "", nil, nil), errors.New("disk on fire"))
	}))
	m.Moved(worker.Video{}, "video", 5)
	if got := scrape(t, m)[`reelkeep_transfer_bytes_total{asset="video"}`]; got != 5 { // scrape wants a 200
		t.Errorf("%v bytes are shown, want 5", got)
	}
}

func TestScrapesAtOnceShareOneAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := fresh()
		var collected atomic.Int64
		release := make(chan struct{})
		m.registry.MustRegister(collects(func(chan<- prometheus.Metric) {
			collected.Add(1)
			<-release
		}))
		h := m.Handler()
		var scrapes sync.WaitGroup
		for range 5 {
			scrapes.Go(func() {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
				if rec.Code != http.StatusOK {
					t.Errorf("a scrape was answered %d", rec.Code)
				}
			})
		}
		synctest.Wait()
		close(release)
		scrapes.Wait()
		if n := collected.Load(); n != 1 {
			t.Errorf("five scrapes at once collected %d times", n)
		}
	})
}
