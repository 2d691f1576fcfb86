package report

import (
	"errors"
	"fmt"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Receipt is the answer about one video that was handed in, tried again or cancelled.
type Receipt struct {
	VideoID   string  `json:"video_id" doc:"The id as it was given" example:"0a1b2c3d4e5f40718293a4b5c6d7e8f9"`
	State     *string `json:"state" doc:"Where the video stands now; null if it was refused" example:"accepted"`
	Duplicate bool    `json:"duplicate" doc:"Whether it was known already: nothing is started a second time"`
	Error     *Error  `json:"error" doc:"Why it was refused; null if it was not"`
}

// OfReceipt makes an answer of what the queue said about a video. An error of the video belongs into it; what Redis has
// to complain of does not.
func OfReceipt(r queue.Receipt, err error) Receipt {
	out := Receipt{VideoID: r.VideoID, State: OrNull(string(r.State)), Duplicate: r.Duplicate}
	switch {
	case err == nil:
	case errors.Is(err, queue.ErrUnknown):
		out.Error = &Error{Code: "unknown", Message: "the fleet does not know this video", Hint: "hand it in: reelkeep enqueue " + r.VideoID}
	case errors.Is(err, queue.ErrSettled):
		out.State = OrNull(string(queue.StateArchived))
		out.Error = &Error{Code: "archived", Message: "it is archived already: there is nothing left to cancel", Hint: "what is archived stays"}
	case errors.Is(err, queue.ErrInvalidJob):
		out.Error = &Error{Code: "invalid", Message: err.Error(), Hint: "take the id from HeyGen's answer or its list"}
		if !heygen.ValidID(r.VideoID) {
			out.Error.Message = fmt.Sprintf("video id %q: want 1 to 128 letters, digits, - or _", r.VideoID)
		}
	default:
		out.Error = &Error{Code: "unreadable", Message: err.Error(), Hint: "enqueue it again, that replaces it: reelkeep enqueue " + r.VideoID}
	}
	return out
}

// OfVideo says whether an error is about one video, so that the others can go on.
func OfVideo(err error) bool {
	var damaged *queue.EntryError
	return errors.Is(err, queue.ErrUnknown) || errors.Is(err, queue.ErrSettled) || errors.Is(err, queue.ErrInvalidJob) || errors.As(err, &damaged)
}
