package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/queue"
)

func enqueueCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "enqueue", Usage: "hand ids to a fleet", ArgsUsage: "ID… | -",
		Description: "Hands the videos to the fleet behind REELKEEP_REDIS and says of each whether it was accepted. - stands for ids on\n" +
			"stdin, one a line; blank lines and lines that begin with # are skipped. A video that waits already is a duplicate: a\n" +
			"higher priority and new metadata keys are taken over. One that failed, is gone or was cancelled starts afresh. An id that\n" +
			"cannot be one is refused and makes the exit code 1; the others are accepted. Running it again is always harmless.\n\n" + exitCodes,
		// A value may hold commas.
		DisableSliceFlagSeparator: true,
		Flags: []cli.Flag{
			fleetAccountFlag(),
			&cli.StringFlag{Name: "priority", Value: string(queue.PriorityInteractive), Usage: "interactive, or backfill: after everything that somebody waits for"},
			&cli.StringSliceFlag{Name: "metadata", Usage: "`KEY=VALUE` to keep with the video, for good; may be repeated"},
			jsonFlag(),
		},
		Action: withFleet(checkEnqueue, func(ctx context.Context, c *cli.Command, client *queue.Client) error {
			job, err := commonJob(c)
			if err != nil {
				return err
			}
			run := &enqueueRun{con: con, client: client, json: c.Bool("json"), job: job}
			switch err := checkFleetAccount(ctx, client, job.Account); {
			case err != nil && codeOf(ctx, err) == exitNotDone:
				return err
			case err != nil:
				return run.brokenOff(fmt.Errorf("enqueue: %w", err))
			}
			return run.do(ctx, c.Args().Slice())
		}),
	}
}

func checkEnqueue(c *cli.Command) error {
	_, err := commonJob(c)
	return errors.Join(someIDs(c), err)
}

func someIDs(c *cli.Command) error {
	if c.NArg() == 0 {
		return fmt.Errorf("name the videos to %s, or use - for ids on stdin", c.Name)
	}
	return nil
}

// commonJob is what all jobs of a command line have in common.
func commonJob(c *cli.Command) (queue.Job, error) {
	job := queue.Job{Account: c.String("account"), Priority: queue.Priority(c.String("priority"))}
	errs := []error{validAccount(job.Account)}
	if job.Priority != queue.PriorityInteractive && job.Priority != queue.PriorityBackfill {
		errs = append(errs, fmt.Errorf("--priority: want interactive or backfill, got %q", job.Priority))
	}
	size := 0
	for _, pair := range c.StringSlice("metadata") {
		key, value, found := strings.Cut(pair, "=")
		_, twice := job.Metadata[key]
		switch {
		case !found || key == "":
			errs = append(errs, fmt.Errorf("--metadata: want KEY=VALUE, got %q", pair))
			continue
		case twice:
			errs = append(errs, fmt.Errorf("--metadata: the key %q is there twice", key))
			continue
		case job.Metadata == nil:
			job.Metadata = map[string]string{}
		}
		job.Metadata[key] = value
		size += len(key) + len(value)
	}
	if size > queue.MaxMetadata {
		errs = append(errs, fmt.Errorf("--metadata: %d bytes are too many: at most %d are kept with a video", size, queue.MaxMetadata))
	}
	return job, errors.Join(errs...)
}

// enqueueRun is one run of `enqueue`.
type enqueueRun struct {
	con    *console
	client *queue.Client
	json   bool
	job    queue.Job

	accepted, known, refused int
}

// do hands the ids in as they come and prints what became of them.
func (r *enqueueRun) do(ctx context.Context, args []string) error {
	for ids, err := range batches(ctx, namedIDs(args, r.con.in), idBatch) {
		if err == nil {
			err = r.send(ctx, ids)
		}
		if err != nil {
			return r.brokenOff(err)
		}
	}
	if ctx.Err() != nil {
		return r.brokenOff(context.Cause(ctx))
	}
	if n := r.accepted + r.known + r.refused; n != 1 {
		r.con.sayf("%d accepted, %s, %d refused", r.accepted, plural(r.known, "duplicate"), r.refused)
	}
	if r.refused > 0 {
		return withCode(exitNotDone, errReported)
	}
	return nil
}

// brokenOff says where the work stopped: whoever feeds us a list must know what to do with the rest of it.
func (r *enqueueRun) brokenOff(err error) error {
	r.con.sayf("%d accepted so far, %s; running the same command again is harmless", r.accepted, plural(r.known, "duplicate"))
	return err
}

func (r *enqueueRun) send(ctx context.Context, ids []string) error {
	jobs := make([]queue.Job, len(ids))
	for i, id := range ids {
		jobs[i] = r.job
		jobs[i].VideoID = id
	}
	asking, cancel := patiently(ctx)
	defer cancel()
	results, err := r.client.EnqueueMany(asking, jobs)
	for _, res := range results {
		if res.Err == nil && res.State == "" {
			continue // no answer: Redis failed before
		}
		if perr := r.tell(res); perr != nil {
			return errors.Join(fleetError(ctx, err), perr)
		}
	}
	return fleetError(ctx, err)
}

func (r *enqueueRun) tell(res queue.Result) error {
	report := reportOfReceipt(res.Receipt, res.Err)
	switch {
	case res.Err != nil:
		r.refused++
		return report.print(r.con, r.json, "refused", "")
	case res.Duplicate:
		r.known++
		return report.print(r.con, r.json, "duplicate", string(res.State))
	}
	r.accepted++
	return report.print(r.con, r.json, string(res.State), "")
}
