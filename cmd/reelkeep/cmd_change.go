package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

func retryCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "retry", Usage: "try videos of a fleet again, now", ArgsUsage: "ID… | -",
		Description: "A video that waits for another try is due at once and its failures are forgotten; one that failed, is gone or was\n" +
			"cancelled starts afresh; one that is archived stays as it is. - stands for ids on stdin. Needs REELKEEP_REDIS.\n\n" + exitCodes,
		Flags: []cli.Flag{fleetAccountFlag(), jsonFlag()},
		Action: withFleet(checkChange, func(ctx context.Context, c *cli.Command, client *queue.Client) error {
			r := newChangeRun(c, con, client)
			return r.do(ctx, c.Args().Slice(), r.retry)
		}),
	}
}

func cancelCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "cancel", Usage: "take videos out of a fleet's hands", ArgsUsage: "ID… | -",
		Description: "Ends the work on the videos; a worker that has one in hand stops within seconds. What is archived stays, and makes the\n" +
			"exit code 1. enqueue or retry brings a cancelled video back. - stands for ids on stdin. Needs REELKEEP_REDIS.\n\n" + exitCodes,
		Flags: []cli.Flag{fleetAccountFlag(), jsonFlag()},
		Action: withFleet(checkChange, func(ctx context.Context, c *cli.Command, client *queue.Client) error {
			r := newChangeRun(c, con, client)
			return r.do(ctx, c.Args().Slice(), r.cancel)
		}),
	}
}

func checkChange(c *cli.Command) error {
	if err := someIDs(c); err != nil {
		return err
	}
	return validAccount(c.String("account"))
}

// changed is what became of one video, with a note for people.
type changed struct {
	queue.Receipt
	note string
}

// changeRun is one run of `retry` or `cancel`.
type changeRun struct {
	con     *console
	client  *queue.Client
	account string
	json    bool
}

func newChangeRun(c *cli.Command, con *console, client *queue.Client) *changeRun {
	return &changeRun{con: con, client: client, account: c.String("account"), json: c.Bool("json")}
}

// do changes the videos one after the other. One for which it can't be done does not stop the rest.
func (r *changeRun) do(ctx context.Context, args []string, change func(context.Context, string) (changed, error)) error {
	undone := 0
	for ids, err := range batches(ctx, namedIDs(args, r.con.in), 1) {
		if err != nil {
			return err
		}
		id := ids[0]
		done, err := r.one(ctx, id, change)
		if err != nil && !report.OfVideo(err) {
			return fleetError(ctx, err)
		}
		done.VideoID = id
		word := string(done.State)
		if err != nil {
			undone++
			word = "refused"
		}
		if err := reportOfReceipt(done.Receipt, err).print(r.con, r.json, word, done.note); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if undone > 0 {
		return withCode(exitNotDone, errReported)
	}
	return nil
}

func (r *changeRun) one(ctx context.Context, id string, change func(context.Context, string) (changed, error)) (changed, error) {
	asking, cancel := patiently(ctx)
	defer cancel()
	return change(asking, id)
}

func (r *changeRun) retry(ctx context.Context, id string) (changed, error) {
	receipt, err := r.client.Retry(ctx, r.account, id)
	switch {
	case err != nil:
		return changed{}, err
	case receipt.State == queue.StateArchived:
		return changed{receipt, "is archived already"}, nil
	case receipt.Duplicate:
		return changed{receipt, "is due now"}, nil
	}
	return changed{receipt, ""}, nil
}

func (r *changeRun) cancel(ctx context.Context, id string) (changed, error) {
	if err := r.client.Cancel(ctx, r.account, id); err != nil {
		return changed{}, err
	}
	// A video that failed or is gone stays what it is, and that must not be called cancelled.
	s, err := r.client.StatusIn(ctx, r.account, id)
	if err != nil {
		return changed{}, err
	}
	done := changed{Receipt: queue.Receipt{State: s.State}}
	if s.State != queue.StateCancelled {
		done.note = "had ended before"
	}
	return done, nil
}
