package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// desk is a Redis of a test's own, and a server on it whose work is only pretended: what a fleet is to the commands that
// talk to it.
type desk struct {
	t      testing.TB
	redis  *queuetest.Server
	client *queue.Client
	halt   func()
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{t: t, redis: queuetest.Redis(t)}
	var err error
	if d.client, err = queue.NewClient(d.redis.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.client.Close() })
	return d
}

// ends is how pretended work ends a video.
type ending string

func (e ending) Error() string            { return "render failed: Video is too long" }
func (e ending) Settle() (string, string) { return string(e), "render_failed" }
func (e ending) Code() string             { return "40119" }
func (e ending) Hint() string             { return "make it shorter" }

// pretend is the handler of a desk: the id says what becomes of a video.
func pretend(ctx context.Context, w queue.Work, p queue.Progress) (queue.Outcome, error) {
	const total = 4 << 20
	what, _, _ := strings.Cut(w.VideoID, "_")
	switch {
	case what == "failed" || what == "gone":
		return queue.Outcome{}, ending(what)
	case what == "rendering":
		return queue.Outcome{State: queue.StateRendering, After: hour}, nil
	case what == "flaky":
		return queue.Outcome{}, errors.New("ask HeyGen: 502 Bad Gateway")
	case w.Step == queue.StepStatus:
		return queue.Outcome{State: queue.StateTransferring, Title: "Title of " + w.VideoID, Deadline: time.Now().Add(3 * hour)}, nil
	case what == "stuck":
		p.Stored("video", total/4, total)
		<-ctx.Done()
		return queue.Outcome{}, context.Cause(ctx)
	}
	p.Stored("video", total, total)
	size := int64(total)
	out := queue.Outcome{State: queue.StateArchived, Bytes: total, SealedAt: time.Now(),
		Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetStored, Bytes: total, Total: &size}, {Asset: "gif", State: queue.AssetAbsent}}}
	if what == "partial" {
		out.State, out.After = queue.StatePartial, hour
	}
	return out, nil
}

// open starts the work. It ends with the test, or by close.
func (d *desk) open() {
	d.t.Helper()
	rdb, err := queue.Connect(d.redis.URL())
	if err != nil {
		d.t.Fatal(err)
	}
	server, err := queue.NewServer(rdb, queue.ServerConfig{Concurrency: 16, Poll: 10 * time.Millisecond, BackoffBase: hour, BackoffCap: hour}, queue.HandlerFunc(pretend))
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	d.halt = func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("the server ended with %v", err)
		}
		_ = rdb.Close()
		d.halt = nil
	}
	d.t.Cleanup(d.close)
}

func (d *desk) close() {
	if d.halt != nil {
		d.halt()
	}
}

func (d *desk) enqueue(ids ...string) {
	d.t.Helper()
	for _, id := range ids {
		if _, err := d.client.Enqueue(d.t.Context(), queue.Job{VideoID: id}); err != nil {
			d.t.Fatal(err)
		}
	}
}

// await waits until the video is in the state.
func (d *desk) await(id string, state queue.State) {
	d.t.Helper()
	queuetest.Await(d.t, id+" to be "+string(state), func() bool {
		s, err := d.client.Status(d.t.Context(), id)
		return err == nil && s.State == state
	})
}

type deskKey struct{}

// deskCommand is a script's way to a fleet: `desk redis` starts a Redis and sets REELKEEP_REDIS, `desk redis-stop` ends
// it, `desk open` starts the work on it, `desk close` ends the work, `desk await ID STATE` waits for a video.
func deskCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: desk redis|redis-stop|open|close|await")
	}
	all := ts.Value(deskKey{}).(*scriptDesk)
	switch d := all.desk; args[0] {
	case "redis":
		all.desk = newDesk(all.t)
		ts.Setenv("REELKEEP_REDIS", all.desk.redis.URL())
	case "redis-stop":
		d.redis.Stop()
	case "open":
		d.open()
	case "close":
		d.close()
	case "await":
		d.await(args[1], queue.State(args[2]))
	default:
		ts.Fatalf("unknown: desk %s", args[0])
	}
}

// scriptDesk is the desk of a script that asked for one.
type scriptDesk struct {
	t    testing.TB
	desk *desk
}

func setupDesk(e *testscript.Env) {
	e.Values[deskKey{}] = &scriptDesk{t: e.T().(testing.TB)}
}
