package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// longestShare is where "for ever" begins.
const longestShare = 100 * 365 * 24 * time.Hour

type shareInput struct {
	VideoInput

	Body *shareRequest
}

type shareRequest struct {
	TTL    ttl      `json:"ttl,omitempty" doc:"How long the links live: a text such as \"90m\" or \"720h\", or seconds. 0, null or left out: for ever" example:"\"720h\""`
	Assets []string `json:"assets,omitempty" enum:"video,thumbnail,gif,captions,captioned_video" nullable:"true" doc:"To which files. Left out: all that are stored" example:"[\"video\"]"`
}

type shareOutput struct{ Body sharedLinks }

type sharedLinks struct {
	VideoID   string            `json:"video_id" doc:"HeyGen's id of the video" example:"0a1b2c3d4e5f40718293a4b5c6d7e8f9"`
	Account   string            `json:"account" doc:"The HeyGen account whose video it is" example:"default"`
	ExpiresAt *time.Time        `json:"expires_at" doc:"When the links die; null: never" example:"2026-12-23T10:00:00Z"`
	Links     map[string]string `json:"links" doc:"A link for each file, by the file's name" example:"{\"video\":\"https://videos.example.com/v/0a1b2c3d4e5f40718293a4b5c6d7e8f9/video?e=0&s=…\"}"`
}

func (a *api) share(ctx context.Context, in *shareInput) (*shareOutput, error) {
	account, err := a.accountToRead(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	var assets []string
	var life time.Duration
	if in.Body != nil {
		assets, life = in.Body.Assets, time.Duration(in.Body.TTL)
	}
	if a.Links == nil {
		return nil, problem.New(http.StatusConflict, "no_links", "share links are not set up here", "set REELKEEP_LINK_SECRETS")
	}
	now := a.Now()
	links, err := a.Links.Share(ctx, account, in.ID, assets, life)
	if err != nil {
		return nil, a.trouble(a.orUnknown(ctx, account, in.ID, err), "")
	}
	out := &shareOutput{}
	out.Body.VideoID, out.Body.Account, out.Body.Links = in.ID, account, links
	if life > 0 {
		until := now.Add(life).Truncate(time.Second)
		out.Body.ExpiresAt = report.UTC(&until)
	}
	return out, nil
}

// orUnknown is the error, unless that says "not yet" of a video that nobody knows, or that has ended without being archived:
// whoever is told so asks again, for ever.
func (a *api) orUnknown(ctx context.Context, account, id string, err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Status != http.StatusConflict {
		return err
	}
	s, known := a.find(ctx, account, id)
	switch {
	case errors.Is(known, queue.ErrUnknown):
		return known
	case known == nil && s.SealedAt == nil && s.State.Settled():
		return problem.New(http.StatusNotFound, "missing", "there is nothing to share: the video is "+string(s.State), "GET /api/v1/videos/{id} tells why; POST …/retry tries it again")
	}
	return err
}

const ttlPattern = `^(0|([0-9]+(\.[0-9]+)?(h|m|s|ms))+)$`

// ttl is a duration as people write it, or a number of seconds.
type ttl time.Duration

// Schema describes it.
func (ttl) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString, Pattern: ttlPattern},
		{Type: huma.TypeInteger, Minimum: &zero},
		{Type: "null"},
	}}
}

// UnmarshalJSON reads either form. What no form is, the description above has not kept out: the framework takes anything
// for a null.
func (t *ttl) UnmarshalJSON(raw []byte) error {
	const want = "ttl: want a duration such as 90m or 720h, or a number of seconds"
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read ttl: %w", err)
	}
	var d time.Duration
	switch v := v.(type) {
	case nil:
	case float64:
		d = time.Duration(min(v, longestShare.Seconds())) * time.Second
		if v < 0 || v != math.Trunc(v) {
			return errors.New(want)
		}
	case string:
		var err error
		switch d, err = time.ParseDuration(v); {
		case err != nil && regexp.MustCompile(ttlPattern).MatchString(v): // no more than too long
			d = longestShare
		case err != nil || d < 0:
			return errors.New(want)
		case d > 0 && d < time.Second:
			return errors.New("ttl: want a second at least; 0 is for ever")
		}
	default:
		return errors.New(want)
	}
	*t = ttl(min(d, longestShare))
	return nil
}
