package heygen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize is the largest that both generations grant.
const pageSize = 100

// cursor says which page to ask for.
type cursor struct {
	token string // "" is the first page
	limit int
}

// page is one page of a list.
type page struct {
	items []json.RawMessage
	next  string // "" behind the last page
}

// page asks one generation for one page of the account's videos.
func (t *turn) page(ctx context.Context, api string, at cursor) (page, error) {
	r := request{endpoint: "list", api: api, path: "/v3/videos", query: url.Values{"limit": {strconv.Itoa(at.limit)}}}
	if api == VersionV1 {
		r.path = "/v1/video.list"
	}
	if at.token != "" {
		r.query.Set("token", at.token)
	}
	f, a, err := t.get(ctx, r)
	if e, ok := errors.AsType[*Error](err); ok {
		return page{}, listError(e, at)
	}
	if err != nil {
		return page{}, err
	}
	p, why := readPage(f)
	if why != "" {
		return page{}, t.unintelligible(a, why)
	}
	return p, nil
}

// listError reads an error as what it means for a list. A list is never "not found": its endpoint is what is missing.
// And the parameters of a first page are always right, so that v1's 400 can only be its throttle.
func listError(e *Error, at cursor) *Error {
	switch {
	case e.Kind == NotFound:
		e.Kind, e.absent = Down, true
	case e.Kind == BadRequest && e.api == VersionV1 && e.HTTPStatus == http.StatusBadRequest && at.token == "":
		e.Kind, e.Wait = Throttled, defaultWait
	}
	return e
}

// readPage finds items and next token in the shape of either generation: v3 puts the items into data and the token
// beside it, v1 puts both into data. why says what is missing.
func readPage(f fields) (p page, why string) {
	at := f
	raw := f["data"]
	if data, ok := object(raw); ok {
		at, raw = data, data["videos"]
		if _, there := data["videos"]; !there {
			return page{}, "no videos in it"
		}
	} else if !f.has("data") && !f.has("code") && !f.has("has_more") {
		return page{}, "no videos in it"
	}
	if len(raw) > 0 && json.Unmarshal(raw, &p.items) != nil {
		return page{}, "the videos are not a list"
	}
	for _, side := range []fields{at, f} {
		for _, name := range []string{"next_token", "token"} {
			if side.has(name) && text(side[name]) == "" && !bytes.Equal(side[name], []byte(`""`)) {
				return page{}, "the token of the next page is not text"
			}
			p.next = firstOf(p.next, side.text(name))
		}
	}
	switch more := string(f["has_more"]); {
	case more == "false":
		p.next = ""
	case more == "true" && p.next == "":
		return page{}, "there is more, but no token to ask for it"
	}
	return p, ""
}
