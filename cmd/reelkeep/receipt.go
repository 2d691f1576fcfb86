package main

import (
	"errors"
	"fmt"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// receiptReport is the answer about one video as `enqueue --json`, `retry --json` and `cancel --json` print it:
// DESIGN's shape, every key always there.
type receiptReport struct {
	VideoID   string       `json:"video_id"`
	State     *string      `json:"state"`
	Duplicate bool         `json:"duplicate"`
	Error     *reportError `json:"error"`
}

// reportOfReceipt makes an answer of what the queue said about a video. An error of the video belongs into it; what
// Redis has to complain of does not.
func reportOfReceipt(r queue.Receipt, err error) receiptReport {
	out := receiptReport{VideoID: r.VideoID, State: orNull(string(r.State)), Duplicate: r.Duplicate}
	switch {
	case err == nil:
	case errors.Is(err, queue.ErrUnknown):
		out.Error = &reportError{Code: "unknown", Message: "the fleet does not know this video", Hint: "hand it in: reelkeep enqueue " + r.VideoID}
	case errors.Is(err, queue.ErrSettled):
		out.State = orNull(string(queue.StateArchived))
		out.Error = &reportError{Code: "archived", Message: "it is archived already: there is nothing left to cancel", Hint: "what is archived stays"}
	case errors.Is(err, queue.ErrInvalidJob):
		out.Error = &reportError{Code: "invalid", Message: err.Error(), Hint: "take the id from HeyGen's answer or its list"}
		if !heygen.ValidID(r.VideoID) {
			out.Error.Message = invalidID(r.VideoID).Error()
		}
	default:
		out.Error = &reportError{Code: "unreadable", Message: err.Error(), Hint: "enqueue it again, that replaces it: reelkeep enqueue " + r.VideoID}
	}
	return out
}

// ofVideo says whether an error is about one video, so that the others can go on.
func ofVideo(err error) bool {
	var damaged *queue.EntryError
	return errors.Is(err, queue.ErrUnknown) || errors.Is(err, queue.ErrSettled) || errors.Is(err, queue.ErrInvalidJob) || errors.As(err, &damaged)
}

// print writes the answer as a line: for people word, id and a note or what went wrong, else as JSON.
func (r receiptReport) print(con *console, asJSON bool, word, note string) error {
	if asJSON {
		return con.dataJSON(r)
	}
	line := fmt.Sprintf("%-9s  %s", word, oneLine(r.VideoID))
	if note != "" {
		line += "  " + note
	}
	if r.Error != nil {
		line += "  — " + oneLine(r.Error.Message)
	}
	return con.dataf("%s", line)
}
