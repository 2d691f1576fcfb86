package httpapi

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

const (
	videosPath = "/api/v1/videos"
	tagVideos  = "videos"
	// maxBody holds 10,000 of the longest ids and the largest metadata, with room for spaces.
	maxBody = 2 << 20
)

func operation(id, method, path string, errors ...int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tagVideos}, MaxBodyBytes: maxBody, BodyReadTimeout: readTimeout,
		RejectUnknownQueryParameters: true, DefaultStatus: http.StatusOK, Responses: map[string]*huma.Response{},
	}
	errors = append(errors, http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable)
	for _, status := range errors {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + responseName(status)}
	}
	return op
}

// succeeds says what the answer of an operation is that went as asked.
func succeeds(op huma.Operation, status int, description string) huma.Operation {
	op.DefaultStatus = status
	op.Responses[strconv.Itoa(status)] = &huma.Response{Description: description}
	return op
}

func enqueueOperation() huma.Operation {
	op := operation("enqueueVideos", http.MethodPost, videosPath, http.StatusBadRequest, http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	op.Summary = "Hand videos in"
	op.Description = "Hands in 1 to 10,000 videos by their ids, each with its own result. They may still be rendering. Once the answer is there, no video that was accepted is lost, whatever crashes. " +
		"A video that waits already is a duplicate: a higher priority and new metadata keys are taken over. One that failed, is gone or was cancelled starts afresh. Handing in again is always harmless."
	return succeeds(op, http.StatusAccepted, "What became of each id; look at every result's error")
}

func listOperation() huma.Operation {
	op := operation("listVideos", http.MethodGet, videosPath, http.StatusForbidden)
	op.Summary = "List videos"
	op.Description = "Lists videos page by page: go on with next_cursor until it is null. Those that wait come first, and beyond that they are in no order; but where state asks for nothing else than archived and partial, the 10,000 that were sealed last come first, the newest before the others. A video that changes its state meanwhile may be seen twice, or not at all. Of videos that have ended, long titles are cut and large metadata is left out; the manifest in the archive has both."
	return succeeds(op, http.StatusOK, "A page of videos")
}

func getOperation() huma.Operation {
	op := operation("getVideo", http.MethodGet, videosPath+"/{id}", http.StatusNotFound)
	op.Summary = "Read a video"
	op.Description = "Says where a video stands, and what is stored of it."
	return succeeds(op, http.StatusOK, "The video")
}

func retryOperation() huma.Operation {
	op := operation("retryVideo", http.MethodPost, videosPath+"/{id}/retry", http.StatusNotFound)
	op.Summary = "Try a video again, now"
	op.Description = "A video that waits for another try is due at once and its failures are forgotten; one that failed, is gone or was cancelled starts afresh; one that is archived stays as it is."
	return succeeds(op, http.StatusOK, "Where it stands now; duplicate: it was waiting, or is archived")
}

func cancelOperation() huma.Operation {
	op := operation("cancelVideo", http.MethodPost, videosPath+"/{id}/cancel", http.StatusNotFound, http.StatusConflict)
	op.Summary = "Cancel a video"
	op.Description = "Ends the work on a video; a worker that has it in hand stops within seconds. One that had ended before stays what it is, and what is archived can't be cancelled."
	return succeeds(op, http.StatusOK, "Where it stands now")
}

func shareOperation() huma.Operation {
	op := operation("shareVideo", http.MethodPost, videosPath+"/{id}/share", http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	op.Summary = "Make share links"
	op.Description = "Makes links to an archived video that need no token, for as long as you say or for ever. They survive restarts. The body may be left out: links to all files, for ever."
	return succeeds(op, http.StatusOK, "The links")
}
