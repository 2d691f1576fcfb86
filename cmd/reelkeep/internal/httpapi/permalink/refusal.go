package permalink

import (
	"errors"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
)

// unknownVideo is one and the same answer for what nobody knows and for what is another account's.
func unknownVideo() *problem.Problem {
	return problem.New(http.StatusNotFound, "unknown", "there is no such video", "look at its id, and for an account other than default at ?account=")
}

func missing(detail string) *problem.Problem {
	return problem.New(http.StatusNotFound, "missing", detail, "GET /api/v1/videos/{id} tells what is there")
}

// refused says what would open the file, before anybody has looked whether there is one.
func refused(linkErr error) *problem.Problem {
	p := problem.New(http.StatusUnauthorized, "unauthorized", "this link needs a token", "send it as Authorization: Bearer TOKEN, or ask for a share link")
	if linkErr != nil {
		p.Detail, p.Hint = linkErr.Error(), "ask for a new one"
	}
	if errors.Is(linkErr, sharelink.ErrExpired) {
		p.Code = "expired"
	}
	p.Header = http.Header{"Www-Authenticate": {`Bearer realm="reelkeep"`}}
	return p
}

func notYet(detail string, after time.Duration) *problem.Problem {
	p := problem.New(http.StatusConflict, "not_archived_yet", detail, "ask again later; GET /api/v1/videos/{id} tells how far it is")
	p.RetryAfter = after
	return p
}

func unavailable(detail string) *problem.Problem {
	p := problem.New(http.StatusServiceUnavailable, "unavailable", detail, "ask again in a moment; /readyz tells what is wrong")
	p.RetryAfter = 10 * time.Second
	return p
}

func damaged() *problem.Problem {
	return problem.New(http.StatusInternalServerError, "damaged", "the file is missing in the store although its manifest names it", "put it back from a copy of the bucket, or archive the video again: reelkeep archive --again ID")
}
