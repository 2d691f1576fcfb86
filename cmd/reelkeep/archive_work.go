package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/embedded"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

const (
	// foregroundPoll is how often the private queue is looked at; it lies in this process, so that costs little
	// and saves every video the second that a shared Redis is spared.
	foregroundPoll = 10 * time.Millisecond
	// statusConcurrency is how many videos one call to HeyGen can tell of.
	statusConcurrency = 100
	// The pause after a failure is shorter than a fleet's, because somebody waits.
	foregroundBackoffBase, foregroundBackoffCap = time.Second, 30 * time.Second
)

// work takes the videos through a queue of their own and reports each as it settles.
func (r *archiveRun) work(ctx context.Context, stop context.CancelCauseFunc, p *parts, screen *screen, todo []string) error {
	redis, err := embedded.StartRedis(ctx)
	if err != nil {
		return err
	}
	defer redis.Close()
	rdb, err := queue.Connect(redis.URL())
	if err != nil {
		return err
	}
	defer rdb.Close()

	r.left.Store(int64(len(todo)))
	done := make(chan queue.Status, len(todo))
	handler := &bench{
		archiver: p.archiver, hints: r.hints, again: r.again, wait: r.wait, partial: screen.partial,
		outlook: &patience{limit: foregroundPatience, end: stop, notice: func(text string) { r.con.sayf("%s", text) }},
	}
	server, err := queue.NewServer(rdb, queue.ServerConfig{
		Concurrency: r.cfg.Concurrency, StatusConcurrency: statusConcurrency, Poll: foregroundPoll,
		BackoffBase: foregroundBackoffBase, BackoffCap: foregroundBackoffCap, Log: newQueueLog(r.cfg.LogLevel, newLog(r.cfg, stderrOf{r.con})), Name: "archive",
		OnSettle: func(s queue.Status) {
			screen.settled(s.VideoID)
			r.left.Add(-1)
			done <- s
		},
	}, handler)
	if err != nil {
		return fmt.Errorf("start the private queue: %w", err)
	}
	running, halt := context.WithCancel(ctx)
	defer halt()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(running) }()

	client := queue.NewClientFromRedis(rdb)
	jobs := make([]queue.Job, len(todo))
	for i, id := range todo {
		jobs[i] = queue.Job{VideoID: id, Account: r.account}
	}
	if _, err := client.EnqueueMany(ctx, jobs); err != nil && ctx.Err() == nil {
		return errors.Join(fmt.Errorf("fill the private queue: %w", err), drained(halt, ended))
	}
	err = r.await(ctx, done, len(todo), ended)
	return errors.Join(err, drained(halt, ended))
}

func drained(halt context.CancelFunc, ended <-chan error) error {
	halt()
	return <-ended
}

// await prints every video as it settles, until all have.
func (r *archiveRun) await(ctx context.Context, done <-chan queue.Status, n int, ended chan error) error {
	for ; n > 0; n-- {
		select {
		case s := <-done:
			if err := r.settle(s); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- nil
			return fmt.Errorf("the private queue ended early: %w", err)
		}
	}
	return nil
}

func (r *archiveRun) settle(s queue.Status) error {
	video := reportOfStatus(s)
	named := !r.all
	switch {
	case s.State == queue.StateArchived && s.SealedAt != nil && s.SealedAt.Before(r.started):
		r.tally.already++
	case s.State == queue.StateArchived:
		r.tally.archived++
		r.tally.bytes += s.Bytes
	case s.State == queue.StateCancelled && s.Reason == reasonNotCompleted:
		if !named {
			r.tally.waiting++
			return nil
		}
		r.tally.undone++
		video.State = string(queue.StateRendering)
		video.Reason = report.OrNull("not rendered yet; use --wait to wait for it")
	case s.State == queue.StateGone:
		r.count(named, &r.tally.gone)
	case s.State == queue.StateFailed && (s.Reason == "render_failed"):
		r.count(named, &r.tally.failed)
	default:
		r.tally.undone++
	}
	return video.print(r.con, r.json)
}

// count puts a video that HeyGen cannot give under what it is, unless somebody named it: then it could not be done.
func (r *archiveRun) count(named bool, what *int) {
	if named {
		what = &r.tally.undone
	}
	*what++
}

// newQueueLog keeps the machinery of the private queue out of a person's way unless debug is asked for.
func newQueueLog(level slog.Level, log *slog.Logger) *slog.Logger {
	if level <= slog.LevelDebug {
		return log
	}
	return slog.New(slog.DiscardHandler)
}
