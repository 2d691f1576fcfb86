package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

const (
	// patience is how long the in-tray may take for one request.
	patience = 20 * time.Second
	// archivePatience is how long the archive may take. Callers who give us 30 seconds have to hear that it is away.
	archivePatience = 8 * time.Second
)

type enqueueInput struct{ Body enqueueRequest }

type enqueueRequest struct {
	VideoIDs []string          `json:"video_ids" minItems:"1" maxItems:"10000" nullable:"false" doc:"HeyGen's ids. One that cannot be an id is refused in its own result and does not keep the others" example:"[\"0a1b2c3d4e5f40718293a4b5c6d7e8f9\"]"`
	Account  string            `json:"account,omitempty" maxLength:"64" doc:"The HeyGen account whose videos they are. Left out: the token's account, or \"default\"" example:"default"`
	Priority string            `json:"priority,omitempty" enum:"interactive,backfill" doc:"backfill goes after everything that somebody waits for. Left out: interactive" example:"interactive"`
	Metadata map[string]string `json:"metadata,omitempty" doc:"Kept with each of the videos, for good: at most 8 KiB, keys and values together" example:"{\"order\":\"17\"}"`
}

type enqueueOutput struct{ Body enqueueResults }

type enqueueResults struct {
	Results []report.Receipt `json:"results" nullable:"false" doc:"One for each id, in the order of the request"`
}

// enqueue answers once all that was accepted is in the ledger, and on Redis's disk where Redis can say so.
func (a *api) enqueue(ctx context.Context, in *enqueueInput) (*enqueueOutput, error) {
	b := &in.Body
	account, err := a.accountToWrite(ctx, b.Account)
	if err != nil {
		return nil, err
	}
	size := 0
	for k, v := range b.Metadata {
		size += len(k) + len(v)
	}
	if size > queue.MaxMetadata {
		return nil, invalidValue("body.metadata", "it is too large: at most 8192 bytes are kept with a video, keys and values together")
	}
	jobs := make([]queue.Job, len(b.VideoIDs))
	for i, id := range b.VideoIDs {
		jobs[i] = queue.Job{VideoID: id, Account: account, Priority: queue.Priority(b.Priority), Metadata: b.Metadata}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	results, err := a.Videos.EnqueueMany(ctx, jobs)
	if err != nil {
		return nil, a.trouble(err, "hand all of them in again: what was accepted is not accepted a second time")
	}
	out := &enqueueOutput{}
	out.Body.Results = make([]report.Receipt, len(results))
	for i, r := range results {
		out.Body.Results[i] = report.OfReceipt(r.Receipt, r.Err)
	}
	return out, nil
}

// VideoInput names one video. Its name is exported because huma fills in no others where they are embedded.
type VideoInput struct {
	ID      string `path:"id" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9_-]+$" doc:"HeyGen's id of the video" example:"0a1b2c3d4e5f40718293a4b5c6d7e8f9"`
	Account string `query:"account" maxLength:"64" doc:"The HeyGen account whose video it is. Left out: the token's account, or \"default\"" example:"default"`
}

type videoOutput struct{ Body report.Video }

func (a *api) get(ctx context.Context, in *VideoInput) (*videoOutput, error) {
	account, err := a.accountToRead(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	s, err := a.find(ctx, account, in.ID)
	if err != nil {
		return nil, a.trouble(err, "")
	}
	return &videoOutput{a.show(s)}, nil
}

// find asks the in-tray, and of what it does not know the archive: what `archive` put there, or what a Redis that was
// emptied has forgotten.
func (a *api) find(ctx context.Context, account, id string) (queue.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := a.Videos.StatusIn(ctx, account, id)
	if !errors.Is(err, queue.ErrUnknown) {
		return s, err
	}
	ctx, cancel = context.WithTimeout(ctx, archivePatience)
	defer cancel()
	m, merr := a.Archive.Manifest(ctx, storage.VideoKey{Account: account, VideoID: id})
	switch {
	case errors.Is(merr, storage.ErrNotFound):
		return s, err
	case errors.Is(merr, context.DeadlineExceeded):
		return s, a.away(merr, storeAway, "")
	case merr != nil:
		return s, merr
	}
	return report.StatusOf(m), nil
}

// show adds permalinks.
func (a *api) show(s queue.Status) report.Video {
	v := report.OfStatus(s, a.Now())
	if a.Links == nil {
		return v
	}
	return v.Linked(a.Links.Permalink)
}

type listInput struct {
	State   []string `query:"state" enum:"accepted,rendering,transferring,partial,archived,failed,gone,cancelled" nullable:"false" doc:"Only videos in these states, separated by commas" example:"[\"failed\",\"gone\"]"`
	Query   string   `query:"q" maxLength:"200" doc:"Only videos whose id or title holds this text, whatever the case" example:"launch"`
	Account string   `query:"account" maxLength:"64" doc:"Only videos of this account. Left out: those of every account that the token is for" example:"default"`
	Cursor  string   `query:"cursor" maxLength:"1000" doc:"next_cursor of the page before; left out for the first page"`
	Limit   int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many videos a page holds at most"`
}

// Resolve takes together the states of a query that names them one by one, as many clients do with a list. Of anything else that
// is there twice nobody knows which one is meant.
func (in *listInput) Resolve(ctx huma.Context) (errs []error) {
	at := ctx.URL()
	query := at.Query()
	for name, values := range query {
		if len(values) > 1 && name != "state" {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "expected once"})
		}
	}
	if states := query["state"]; len(states) > 1 { // the first is read already
		for state := range strings.SplitSeq(strings.Join(states[1:], ","), ",") {
			if !slices.Contains(queue.States(), queue.State(state)) {
				errs = append(errs, &huma.ErrorDetail{Location: "query.state", Message: "expected a state of the list", Value: state})
			}
			in.State = append(in.State, state)
		}
	}
	return errs
}

type listOutput struct{ Body videoPage }

type videoPage struct {
	Videos     []report.Video `json:"videos" nullable:"false" doc:"Those that wait come first and beyond that they are in no order, except that of archived and partial ones alone the newest come first"`
	NextCursor *string        `json:"next_cursor" doc:"For the next page; null at the end. A page may hold fewer videos than asked for, even none, and not be the last"`
}

func (a *api) list(ctx context.Context, in *listInput) (*listOutput, error) {
	f := queue.Filter{Account: in.Account, Text: in.Query}
	if access := auth.Of(ctx); f.Account == "" && !access.All {
		f.Account = access.Account
	}
	if f.Account != "" {
		if err := a.mayUse(ctx, f.Account, "query.account"); err != nil {
			return nil, err
		}
	}
	for _, s := range in.State {
		f.States = append(f.States, queue.State(s))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := a.Videos.Page(ctx, f, in.Cursor, in.Limit)
	if errors.Is(err, queue.ErrCursor) {
		return nil, invalidValue("query.cursor", "it is no next_cursor of a page: leave it out to begin")
	}
	if err != nil {
		return nil, a.trouble(err, "")
	}
	out := &listOutput{}
	out.Body.NextCursor = report.OrNull(page.Next)
	out.Body.Videos = make([]report.Video, len(page.Videos))
	for i, s := range page.Videos {
		out.Body.Videos[i] = a.show(s)
	}
	return out, nil
}

type receiptOutput struct{ Body report.Receipt }

func (a *api) retry(ctx context.Context, in *VideoInput) (*receiptOutput, error) {
	account, err := a.accountToRead(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := a.Videos.Retry(ctx, account, in.ID)
	if err != nil {
		return nil, a.trouble(err, "")
	}
	return &receiptOutput{report.OfReceipt(r, nil)}, nil
}

func (a *api) cancel(ctx context.Context, in *VideoInput) (*receiptOutput, error) {
	account, err := a.accountToRead(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := a.Videos.Cancel(ctx, account, in.ID); err != nil {
		return nil, a.trouble(err, "")
	}
	// A video that failed or is gone stays what it is, and that must not be called cancelled.
	s, err := a.Videos.StatusIn(ctx, account, in.ID)
	if err != nil {
		return nil, a.trouble(err, "")
	}
	return &receiptOutput{report.OfReceipt(queue.Receipt{VideoID: in.ID, State: s.State}, nil)}, nil
}

// accountToRead is the account in which a video is looked for. A caller who may not look there hears what he would hear
// if the video did not exist.
func (a *api) accountToRead(ctx context.Context, asked string) (string, error) {
	account := accountOr(ctx, asked)
	if !auth.Of(ctx).Allows(account) {
		return "", unknown()
	}
	return account, nil
}

// accountToWrite is the account into which videos are handed in.
func (a *api) accountToWrite(ctx context.Context, asked string) (string, error) {
	account := accountOr(ctx, asked)
	if err := a.mayUse(ctx, account, "body.account"); err != nil {
		return "", err
	}
	known, err := a.Accounts(ctx)
	if err != nil {
		return "", a.trouble(err, "hand them in again")
	}
	if known != nil && !slices.Contains(known, account) {
		p := problem.New(http.StatusUnprocessableEntity, "no_such_account", "the fleet has no key for this account: its videos would wait for ever",
			"set the key by HEYGEN_API_KEY (the account \"default\") or REELKEEP_ACCOUNTS_FILE")
		p.Errors = []problem.Field{{Location: "body.account", Message: "not an account of this fleet"}}
		return "", p
	}
	return account, nil
}

// mayUse refuses an account that the caller's token is not for. Whether there is such an account is not told.
func (a *api) mayUse(ctx context.Context, account, location string) error {
	if auth.Of(ctx).Allows(account) {
		return nil
	}
	p := problem.New(http.StatusForbidden, "forbidden", "this token is not for this account", "use a token that is, or leave account out")
	p.Errors = []problem.Field{{Location: location, Message: "not an account of this token"}}
	return p
}

func accountOr(ctx context.Context, asked string) string {
	if asked != "" {
		return asked
	}
	return report.Account(auth.Of(ctx).Account)
}
