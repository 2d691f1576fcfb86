package queue_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/reelkeep/reelkeep/queue"
)

// startRedis stands in for the Redis of the fleet. In real life there is one, and REELKEEP_REDIS says where.
func startRedis() (url string, stop func()) {
	mr := miniredis.NewMiniRedis()
	if err := mr.Start(); err != nil {
		return "", func() {}
	}
	return "redis://" + mr.Addr(), mr.Close
}

// Another app hands a video in and asks where it stands.
func Example() {
	url, stop := startRedis() // in real life: os.Getenv("REELKEEP_REDIS")
	defer stop()
	ctx := context.Background()

	c, err := queue.NewClient(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	r, err := c.Enqueue(ctx, queue.Job{VideoID: "vid_7c1", Metadata: map[string]string{"order": "42"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.State, r.Duplicate)

	r, err = c.Enqueue(ctx, queue.Job{VideoID: "vid_7c1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.State, r.Duplicate)

	s, err := c.Status(ctx, "vid_7c1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.State, s.Metadata["order"])
	// Output:
	// accepted false
	// accepted true
	// accepted 42
}

// One client is enough for a whole app. Connecting to Redis happens when it is first needed, so that NewClient only
// complains about a URL that is none, and never repeats it: it may hold a password.
func ExampleNewClient() {
	if _, err := queue.NewClient("https://user:hunter2@redis.example.com"); err != nil {
		fmt.Println(err)
	}

	c, err := queue.NewClient("redis-sentinel://sentinel-1,sentinel-2:26379/0?master=videos")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println("ready")
	// Output:
	// REELKEEP_REDIS: want redis://host:6379/0 (user:password@ before the host where it needs them), rediss://… for TLS, redis-sentinel://h1:26379,h2:26379/0?master=NAME or redis-cluster://h1,h2
	// ready
}

// A video of the account "studio" that nobody waits for, with a note of our own: the note is shown by Status, and lies
// in the archive beside the video for good.
func ExampleClient_Enqueue() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	c, err := queue.NewClient(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	receipt, err := c.Enqueue(ctx, queue.Job{
		VideoID:  "8b1e2d3c4e5f46978a9b0c1d2e3f4a5b",
		Account:  "studio",
		Priority: queue.PriorityBackfill,
		Metadata: map[string]string{"customer": "4711"},
	})
	if err != nil {
		fmt.Println(err) // ErrInvalidJob, or Redis: then enqueueing again is harmless
		return
	}
	fmt.Println(receipt.State, receipt.Duplicate)
	// Output: accepted false
}

// Each job of many has an answer of its own: one that could never be worked on does not hold up the others.
func ExampleClient_EnqueueMany() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	c, err := queue.NewClient(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	results, err := c.EnqueueMany(ctx, []queue.Job{{VideoID: "vid_1"}, {VideoID: "../vid_2"}, {VideoID: "vid_1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		switch {
		case errors.Is(r.Err, queue.ErrInvalidJob):
			fmt.Println(r.VideoID, "refused:", r.Err)
		case r.Duplicate:
			fmt.Println(r.VideoID, "is known already:", r.State)
		default:
			fmt.Println(r.VideoID, r.State)
		}
	}
	// Output:
	// vid_1 accepted
	// ../vid_2 refused: queue: not a valid job: video id "../vid_2": want 1 to 128 letters, digits, - or _
	// vid_1 is known already: accepted
}

// Status asks Redis alone, so it may be called for every page an app shows.
func ExampleClient_Status() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	c, err := queue.NewClient(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	_, err = c.Status(ctx, "vid_1")
	fmt.Println(errors.Is(err, queue.ErrUnknown))

	if _, err := c.Enqueue(ctx, queue.Job{VideoID: "vid_1"}); err != nil {
		fmt.Println(err)
		return
	}
	s, err := c.Status(ctx, "vid_1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.State, s.State.Settled())
	// Output:
	// true
	// accepted false
}

// List walks over all videos, or over those that a filter lets through.
func ExampleClient_List() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	c, err := queue.NewClient(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	if _, err := c.EnqueueMany(ctx, []queue.Job{{VideoID: "vid_1"}, {VideoID: "vid_2", Account: "studio"}}); err != nil {
		fmt.Println(err)
		return
	}
	waiting := queue.Filter{Account: "studio", States: []queue.State{queue.StateAccepted, queue.StateRendering}}
	for s, err := range c.List(ctx, waiting) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Account, s.VideoID, s.State)
	}
	// Output: studio vid_2 accepted
}
