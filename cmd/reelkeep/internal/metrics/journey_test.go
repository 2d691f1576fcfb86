package metrics

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const part = 5 << 20

// lab is a fleet's surroundings: Redis, a store and HeyGen, all real but the last.
type lab struct {
	t     *testing.T
	redis *queuetest.Server
	minio *storagetest.Server
	store storage.Config
	sim   *heygensim.Sim
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, redis: queuetest.Redis(t)}
	var err error
	l.minio, err = storagetest.StartMinIO(t.TempDir())
	must(t, err)
	t.Cleanup(l.minio.Close)
	l.sim, err = heygensim.New(heygensim.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.sim.Close()) })
	l.store = storage.Config{
		URL: "s3://" + l.minio.Bucket(t), PartSize: part, Endpoint: l.minio.Endpoint, Region: "us-east-1",
		Credentials: storage.Credentials{AccessKey: l.minio.AccessKey, SecretKey: l.minio.SecretKey},
	}
	return l
}

// process is one worker of the fleet, wired as the program wires it.
type process struct {
	*Metrics
	client *queue.Client
	stop   func()

	after atomic.Int64 // bytes to be moved until hook is called; 0: never
	once  sync.Once
	hook  func()
}

// Moved lets a test step in while bytes move.
func (p *process) Moved(v worker.Video, asset string, n int64) {
	p.Metrics.Moved(v, asset, n)
	if p.after.Load() > 0 && p.after.Add(-n) <= 0 {
		p.once.Do(p.hook)
	}
}

// start runs a worker; hook, if there is one, is called once, when so many bytes have moved.
func (l *lab) start(after int64, hook func(p *process)) *process {
	l.t.Helper()
	p := &process{Metrics: fresh()}
	p.hook = func() { hook(p) }
	p.after.Store(after)
	api, err := heygen.New(heygen.Config{BaseURL: l.sim.APIURL(), Key: secret.New(l.sim.Key()), Observe: p.HeyGenRequest})
	must(l.t, err)
	sources, err := fetch.New(fetch.Config{
		PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Observe: p, Retry: fetch.Retry{Base: 10 * time.Millisecond},
	})
	must(l.t, err)
	l.t.Cleanup(sources.Close)
	store, err := storage.Open(l.t.Context(), l.store)
	must(l.t, err)
	l.t.Cleanup(store.Close)
	buffers, err := worker.NewBuffers(4*part, part)
	must(l.t, err)
	archiver, err := worker.NewArchiver(worker.Config{}, worker.Deps{
		Catalogs: map[string]worker.Catalog{"default": heygen.NewDesk(api, heygen.DeskConfig{})}, Opener: sources, Store: store, Buffers: buffers, Observer: p,
	})
	must(l.t, err)
	rdb, err := queue.Connect(l.redis.URL())
	must(l.t, err)
	l.t.Cleanup(func() { rdb.Close() })
	server, err := queue.NewServer(rdb, queue.ServerConfig{
		Poll: 10 * time.Millisecond, BeatEvery: 200 * time.Millisecond, DeadAfter: 1200 * time.Millisecond, OnChange: p.VideoReached,
	}, p.Transfers(adapter{archiver}))
	must(l.t, err)
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	p.client = server.Client()
	p.stop = sync.OnceFunc(func() { cancel(); must(l.t, <-ended) })
	l.t.Cleanup(p.stop)
	return p
}

// adapter is the shortest that takes the queue's work to the archiver.
type adapter struct{ archiver *worker.Archiver }

func (a adapter) Handle(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
	v := worker.Video{Account: w.Account, ID: w.VideoID, AcceptedAt: w.AcceptedAt, Interrupted: string(w.Interrupted)}
	if w.Step == queue.StepStatus {
		_, err := a.archiver.Check(ctx, v)
		return queue.Outcome{State: queue.StateTransferring}, err
	}
	m, err := a.archiver.Transfer(ctx, v, p.Stored)
	if err != nil {
		return queue.Outcome{}, err
	}
	return queue.Outcome{State: queue.State(m.State), SealedAt: m.SealedAt}, nil
}

func (p *process) enqueue(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := p.client.Enqueue(t.Context(), queue.Job{VideoID: id})
		must(t, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAVideoIsCountedOnItsWayThroughTwoWorkers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const size = 6*part + 1
	created := time.Now().Add(-30 * 24 * time.Hour)
	l.sim.Add(heygensim.Video{ID: "big", CreatedAt: created, Assets: map[string]heygensim.Asset{
		"video": {Size: size, Fault: &heygensim.Fault{Kind: heygensim.FaultDrop, At: part + 1000, Times: 1}}, "thumbnail": {},
	}})
	l.sim.Add(heygensim.Video{ID: "broken", CreatedAt: created, Fail: &heygensim.Failure{Code: "40119", Message: "Video is too long"}})

	drained := make(chan struct{})
	first := l.start(4*part, func(p *process) { go func() { p.stop(); close(drained) }() })
	first.enqueue(t, "big", "broken", "unknown")
	<-drained
	second := l.start(0, nil)
	queuetest.Await(t, "all three to be settled", func() bool {
		counts, err := second.client.Counts(t.Context())
		return err == nil && counts[queue.StateArchived] == 1 && counts[queue.StateFailed] == 1 && counts[queue.StateGone] == 1
	})
	second.stop()
	second.refresh(t.Context(), Sources{Overview: second.client.Overview})

	one, two := scrape(t, first.Metrics), scrape(t, second.Metrics)
	both := series{}
	for name, v := range one {
		both[name] = v + two[name]
	}
	want := series{
		`reelkeep_videos_total{outcome="archived"}`: 1, `reelkeep_videos_total{outcome="failed"}`: 1, `reelkeep_videos_total{outcome="gone"}`: 1,
		`reelkeep_videos_total{outcome="partial"}`:              0,
		`reelkeep_assets_total{asset="video",outcome="stored"}`: 1, `reelkeep_assets_total{asset="thumbnail",outcome="stored"}`: 1,
		`reelkeep_assets_total{asset="gif",outcome="absent"}`: 1, `reelkeep_resumes_total{cause="dropped"}`: 1,
		`reelkeep_resumes_total{cause="drain"}`: 1, `reelkeep_resumes_total{cause="crash"}`: 0,
		"reelkeep_transfer_seconds_count": 1, "reelkeep_transfers_in_flight": 0,
	}
	got := series{}
	for name := range want {
		got[name] = both[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("both workers together (-want +got):\n%s", diff)
	}
	if one["reelkeep_transfer_seconds_count"] != 0 || two[`reelkeep_resumes_total{cause="drain"}`] != 1 {
		t.Error("the worker that was drained timed a transfer, or the one that went on did not say so")
	}
	moved := both[`reelkeep_transfer_bytes_total{asset="video"}`]
	if moved < size || moved > size+3*part {
		t.Errorf("%v bytes moved for a file of %d; a drain costs the parts in flight at most", moved, size)
	}
	for _, code := range []string{"2xx", "4xx"} { // the video that HeyGen does not know is a 404
		if both[`reelkeep_heygen_requests_total{code="`+code+`",endpoint="status"}`] == 0 {
			t.Errorf("no %s of HeyGen was counted", code)
		}
	}
	if n := both["reelkeep_heygen_request_seconds_count"]; n != both.sum("reelkeep_heygen_requests_total") {
		t.Errorf("%v requests were timed, %v counted", n, both.sum("reelkeep_heygen_requests_total"))
	}
	if two["reelkeep_redis_up"] != 1 || two[`reelkeep_ledger_videos{state="archived"}`] != 1 || two[`reelkeep_ledger_videos{state="gone"}`] != 1 {
		t.Errorf("the fleet is shown as %v", two)
	}
}

// Redis itself goes away, and /metrics is asked over HTTP as Prometheus would.
func TestMetricsAreServedWhileRedisIsStopped(t *testing.T) {
	t.Parallel()
	redis := queuetest.Redis(t)
	rdb, err := queue.Connect(redis.URL())
	must(t, err)
	t.Cleanup(func() { rdb.Close() })
	client := queue.NewClientFromRedis(rdb)
	for _, id := range []string{"a", "b"} {
		_, err := client.Enqueue(t.Context(), queue.Job{VideoID: id, Deadline: time.Now().Add(time.Hour)})
		must(t, err)
	}
	m := fresh()
	look := func(up float64) {
		t.Helper()
		m.refresh(t.Context(), Sources{Overview: client.Overview})
		got := scrape(t, m)
		if got["reelkeep_redis_up"] != up || got["reelkeep_videos_at_risk"] != 2 || got[`reelkeep_queue_tasks{queue="status",state="waiting"}`] != 2 {
			t.Errorf("redis_up %v (want %v), at risk %v, waiting %v", got["reelkeep_redis_up"], up, got["reelkeep_videos_at_risk"], got[`reelkeep_queue_tasks{queue="status",state="waiting"}`])
		}
	}
	look(1)
	redis.Kill()
	look(0)
	redis.Start()
	queuetest.Await(t, "Redis to answer", func() bool { return rdb.Ping(t.Context()).Err() == nil })
	look(1)
}
