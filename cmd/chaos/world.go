package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

const (
	prefix    = "videos"
	linkLife  = 4 * time.Second
	bandwidth = 2 * mib // of one answer of the asset host, a second

	// memory is what each worker's part buffers may take, and so what a killed worker may cost: every part that is read or
	// on its way into the store has a buffer, and its source is asked for no byte beyond it.
	memory = 3 * partSize
)

// world is everything that reelkeep stands on, and the processes of the fleet.
type world struct {
	dir     string
	binary  string
	sim     *heygensim.Sim
	redis   *queuetest.Process
	minio   *storagetest.Server
	bucket  string
	seals   *seals
	parts   *parts
	endings *endings
	client  *queue.Client
	fleet   []*member
}

// newWorld starts everything but the fleet. Close what it returns even if there is an error.
func newWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{dir: dir, binary: filepath.Join(dir, "reelkeep"), seals: newSeals(), parts: newParts(), endings: &endings{}}
	// With the race detector: a data race is a broken promise, too.
	if out, err := exec.CommandContext(ctx, "go", "build", "-race", "-o", w.binary, "github.com/reelkeep/reelkeep/cmd/reelkeep").CombinedOutput(); err != nil {
		return w, fmt.Errorf("build reelkeep: %w\n%s", err, out)
	}
	for _, sub := range []string{"redis", "minio", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return w, fmt.Errorf("make a folder: %w", err)
		}
	}
	var err error
	if w.sim, err = heygensim.New(heygensim.Options{LinkLife: linkLife, Bandwidth: bandwidth}); err != nil {
		return w, err
	}
	if w.redis, err = queuetest.StartRedis(ctx, filepath.Join(dir, "redis")); err != nil {
		return w, err
	}
	//nolint:contextcheck // it is waited for a minute at most, whatever ends the run
	if w.minio, err = storagetest.StartMinIO(filepath.Join(dir, "minio")); err != nil {
		return w, err
	}
	if w.bucket, err = w.minio.MakeBucket(); err != nil {
		return w, err
	}
	if w.client, err = queue.NewClient(w.redis.URL()); err != nil {
		return w, fmt.Errorf("connect to Redis: %w", err)
	}
	for n := range workers {
		m := &member{world: w, n: n, log: filepath.Join(dir, "log", fmt.Sprintf("worker%d.log", n)), proxy: storagetest.StartProxy(w.minio.Endpoint)}
		m.proxy.Watch(w.watch)
		w.fleet = append(w.fleet, m)
	}
	return w, nil
}

// watch is what the proxies ask about every request that reaches the archive.
func (w *world) watch(r *http.Request) func(body []byte, status int) {
	switch {
	case isManifest(r):
		return func(body []byte, status int) { w.seals.note(r, body, status) }
	case isPart(r):
		return func(_ []byte, status int) { w.parts.note(r, status) }
	case isEnding(r):
		return w.endings.begin(r)
	}
	return nil
}

func isEnding(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && strings.HasPrefix(path.Base(r.URL.Path), "video.")
}

func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber") && strings.HasPrefix(path.Base(r.URL.Path), "video.")
}

func isManifest(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json")
}

// store opens the archive as the fleet knows it, but behind the proxy's back.
func (w *world) store(ctx context.Context) (*storage.Store, error) {
	return storage.Open(ctx, storage.Config{
		URL: "s3://" + w.bucket + "/" + prefix, Endpoint: w.minio.Endpoint, Region: "us-east-1",
		Credentials: storage.Credentials{AccessKey: w.minio.AccessKey, SecretKey: w.minio.SecretKey},
	})
}

// env is the environment of a worker that reaches the store through a proxy.
func (w *world) env(store *storagetest.Proxy) []string {
	return append(os.Environ(),
		"HEYGEN_API_URL="+w.sim.APIURL(), "HEYGEN_API_KEY="+w.sim.Key(), "REELKEEP_PRIVATE_SOURCES=127.0.0.0/8",
		"AWS_ENDPOINT_URL_S3="+store.URL, "AWS_ACCESS_KEY_ID="+w.minio.AccessKey, "AWS_SECRET_ACCESS_KEY="+w.minio.SecretKey, "AWS_REGION=us-east-1",
		"REELKEEP_REDIS="+w.redis.URL(), "REELKEEP_STORE=s3://"+w.bucket+"/"+prefix, "REELKEEP_OPS_LISTEN=127.0.0.1:0", "REELKEEP_LISTEN=127.0.0.1:0",
		"REELKEEP_CONCURRENCY=3", fmt.Sprintf("REELKEEP_PART_SIZE=%d", partSize), fmt.Sprintf("REELKEEP_MEMORY=%d", memory),
		"REELKEEP_STALL_TIMEOUT=2s", "REELKEEP_LATE_ASSETS_WAIT=15s", "REELKEEP_SWEEP_EVERY=10s", "REELKEEP_SWEEP_FULL_EVERY=20s",
		"GORACE=atexit_sleep_ms=0 halt_on_error=0",
	)
}

// emptyRedis is FLUSHALL. It answers only when Redis has done it.
func (w *world) emptyRedis(ctx context.Context) error {
	rdb, err := queue.Connect(w.redis.URL())
	if err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	defer rdb.Close()
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	return nil
}

// Close ends everything.
func (w *world) Close() error {
	var errs []error
	for _, m := range w.fleet {
		m.kill()
		m.proxy.Close()
	}
	if w.client != nil {
		errs = append(errs, w.client.Close())
	}
	if w.minio != nil {
		w.minio.Close()
	}
	if w.redis != nil {
		w.redis.Kill()
	}
	if w.sim != nil {
		errs = append(errs, w.sim.Close())
	}
	return errors.Join(errs...)
}
