package queue_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/reelkeep/reelkeep/queue"
)

// Another app hands a video in and asks where it stands.
func Example() {
	mr, err := miniredis.Run() // in real life: REELKEEP_REDIS
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mr.Close()
	ctx := context.Background()

	c, err := queue.NewClient("redis://" + mr.Addr())
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
