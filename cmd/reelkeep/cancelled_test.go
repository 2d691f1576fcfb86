package main

import (
	"context"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// A store keeps the parts of an upload that nobody ends, and charges for them.
func TestACancelledVideoLeavesNoUnfinishedUpload(t *testing.T) {
	for name, cancel := range map[string]func(f *fleet, p *process, id string){
		"while it is transferred": func(*fleet, *process, string) {},
		"after its worker was killed": func(f *fleet, p *process, _ string) {
			p.end(syscall.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, heygensim.Options{Bandwidth: 4 << 20})
			f.env = append(f.env, "REELKEEP_PART_SIZE=5MiB", "REELKEEP_MEMORY=15MiB")
			p := f.serve("--roles", "worker")
			id := f.videos("cancelled", 1, 400<<20)[0]
			f.enqueue(id)
			object, record := "videos/"+id+"/video.mp4", "videos/"+id+"/.upload/video.json"
			unfinished := func() int {
				of, _, err := minio.Unfinished(f.bucket, []string{object})
				if err != nil {
					t.Fatal(err)
				}
				return of[object]
			}
			f.until("parts in the store", func() bool {
				return unfinished() > 0 && minio.Holds(f.bucket, record) && f.status(id).Bytes > 0
			})
			cancel(f, p, id)
			if err := f.client.Cancel(t.Context(), "", id); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if name != "while it is transferred" {
				p = f.serve("--roles", "worker")
			}
			f.until("the upload to be ended", func() bool { return unfinished() == 0 && !minio.Holds(f.bucket, record) })
			if took := time.Since(began); name == "while it is transferred" && took >= cancelledWait {
				t.Errorf("the worker that had it in hand took %s", took)
			}
			if s := f.status(id); s.State != queue.StateCancelled {
				t.Errorf("it is %s", s.State)
			}
			if strings.Contains(p.said(), "starting again from the manifest") {
				t.Error("the transfer had its upload ended under it")
			}
		})
	}
}

type shelves struct{ ended chan string }

func (s shelves) Abandon(_ context.Context, v worker.Video) { s.ended <- v.Account + "/" + v.ID }

type stands map[string]queue.State

func (s stands) StatusIn(_ context.Context, account, id string) (queue.Status, error) {
	state, ok := s[account+"/"+id]
	if !ok {
		return queue.Status{}, queue.ErrUnknown
	}
	return queue.Status{State: state}, nil
}

func TestOnlyAVideoThatIsStillCancelledLosesItsUploads(t *testing.T) {
	t.Parallel()
	s := shelves{make(chan string, 10)}
	c := newCancelled(stands{
		"default/again": queue.StateTransferring, "default/sealed": queue.StateArchived, "default/over": queue.StateCancelled, "second/over": queue.StateCancelled,
	}, s, slog.New(slog.DiscardHandler))
	c.wait = 0
	told := func(account, id string, state queue.State) {
		c.hear(queue.Change{Status: queue.Status{Account: account, VideoID: id, State: state}})
	}
	for _, id := range []string{"again", "sealed", "unknown", "over"} {
		told("default", id, queue.StateCancelled)
	}
	told("default", "over", queue.StateFailed)
	told("second", "over", queue.StateCancelled)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- c.watch(ctx) }()
	got := []string{<-s.ended, <-s.ended}
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"default/over", "second/over"}, got); diff != "" || len(s.ended) > 0 {
		t.Errorf("ended, and %d more (-want +got):\n%s", len(s.ended), diff)
	}
}
