package heygen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Endpoint is an address to which HeyGen delivers events of the account.
type Endpoint struct {
	ID, URL   string
	Status    string   // HeyGen's word, such as enabled
	Events    []string // nil: all
	Secret    secret.String
	CreatedAt time.Time
	API       string // the generation that told of it, and that delivers to it
}

// Endpoints lists the addresses. v1 tells the secrets, v3 does not.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	t := c.turn()
	found, _, err := ask(ctx, t, t.endpoints)
	if err = t.end(ctx, err); err != nil {
		return nil, fmt.Errorf("list the webhooks at HeyGen: %w", err)
	}
	return found, nil
}

// maxEndpointPages bounds a list that never ends: 100 on a page are more than anybody has.
const maxEndpointPages = 20

func (t *turn) endpoints(ctx context.Context, api string) ([]Endpoint, error) {
	r := request{endpoint: "webhooks", api: api, path: "/v3/webhooks/endpoints", query: url.Values{"limit": {"100"}}}
	if api == VersionV1 {
		r.path, r.query = "/v1/webhook/endpoint.list", nil
	}
	var out []Endpoint
	for range maxEndpointPages {
		f, a, err := t.get(ctx, r)
		if err != nil {
			return nil, missingList(err)
		}
		var items []json.RawMessage
		if err := json.Unmarshal(f["data"], &items); err != nil && f.has("data") {
			return nil, t.unintelligible(a, "the webhooks are not a list")
		}
		for _, raw := range items {
			if item, ok := object(raw); ok {
				out = append(out, t.endpoint(api, item))
			}
		}
		next := f.text("next_token")
		if next == "" || r.query == nil || string(f["has_more"]) == "false" {
			break
		}
		r.query.Set("token", next)
	}
	return out, nil
}

// missingList: a list is never "not found"; its endpoint is what is missing.
func missingList(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
		e.Kind, e.absent = Down, true
	}
	return err
}

func (t *turn) endpoint(api string, f fields) Endpoint {
	e := Endpoint{ID: t.clean(f.text("endpoint_id", "id")), URL: t.clean(f.text("url")), Status: t.clean(f.text("status")),
		Secret: secret.New(f.text("secret")), CreatedAt: f.time("created_at"), API: api}
	var events []string
	if json.Unmarshal(f["events"], &events) == nil {
		for _, event := range events {
			e.Events = append(e.Events, t.clean(event))
		}
	}
	return e
}

// AddEndpoint registers an address; no events means all. HeyGen tries it out first (OPTIONS) and refuses one that does not
// answer within a second. The secret MAY be missing in the answer: see Endpoints and RotateEndpoint.
func (c *Client) AddEndpoint(ctx context.Context, address string, events []string) (Endpoint, error) {
	body := map[string]any{"url": address}
	if len(events) > 0 {
		body["events"] = events
	}
	t := c.turn()
	e, err := once(ctx, t, func(ctx context.Context, api string) (Endpoint, error) {
		r := request{endpoint: "webhooks", api: api, method: http.MethodPost, path: "/v3/webhooks/endpoints", body: body}
		if api == VersionV1 {
			r.path = "/v1/webhook/endpoint.add"
		}
		f, a, err := t.get(ctx, r)
		if err != nil {
			return Endpoint{}, err
		}
		data, _ := object(f["data"])
		e := t.endpoint(api, data)
		if e.ID == "" {
			return Endpoint{}, t.unintelligible(a, "no endpoint_id in it")
		}
		return e, nil
	})
	if err = t.end(ctx, err); err != nil {
		return Endpoint{}, fmt.Errorf("register the webhook at HeyGen: %w", err)
	}
	return e, nil
}

// RemoveEndpoint ends the deliveries to an address. The generations may have ids of their own, so one that the first does
// not know is looked for in the other.
func (c *Client) RemoveEndpoint(ctx context.Context, id string) error {
	if !ValidID(id) {
		return fmt.Errorf("remove the webhook %q: %w", c.clean(id), ErrInvalidID)
	}
	t := c.turn()
	_, err := once(ctx, t, func(ctx context.Context, api string) (struct{}, error) {
		r := request{endpoint: "webhooks", api: api, method: http.MethodDelete, path: "/v3/webhooks/endpoints/" + id}
		if api == VersionV1 {
			r.path, r.query = "/v1/webhook/endpoint.delete", url.Values{"endpoint_id": {id}}
		}
		_, _, err := t.get(ctx, r)
		return struct{}{}, err
	})
	if err = t.end(ctx, err); err != nil {
		return fmt.Errorf("remove the webhook %s at HeyGen: %w", id, err)
	}
	return nil
}

// RotateEndpoint makes HeyGen forget the secret of an address and returns a new one; v3 only.
func (c *Client) RotateEndpoint(ctx context.Context, id string) (secret.String, error) {
	if !ValidID(id) {
		return secret.String{}, fmt.Errorf("rotate the secret of the webhook %q: %w", c.clean(id), ErrInvalidID)
	}
	t := c.turn()
	f, a, err := t.get(ctx, request{endpoint: "webhooks", api: VersionV3, method: http.MethodPost, path: "/v3/webhooks/endpoints/" + id + "/rotate-secret"})
	var s string
	if err == nil {
		data, _ := object(f["data"])
		if s = data.text("secret"); s == "" {
			err = t.unintelligible(a, "no secret in it")
		}
	}
	if err = t.end(ctx, aboutWebhook(err)); err != nil {
		return secret.String{}, fmt.Errorf("rotate the secret of the webhook %s at HeyGen: %w", id, err)
	}
	return secret.New(s), nil
}

// once is ask for what must not be done twice: the other generation is tried only where the first one has done nothing for
// certain, because its endpoint is not there, it refuses the key, or it does not know the id.
func once[T any](ctx context.Context, t *turn, try func(ctx context.Context, api string) (T, error)) (T, error) {
	generations, _ := t.memory.order()
	var first error
	for i, api := range generations {
		got, err := try(ctx, api)
		err = aboutWebhook(err)
		if err == nil {
			return got, nil
		}
		e, ok := errors.AsType[*Error](err)
		nothing := ok && !e.closed && (e.absent || e.Kind == Unauthorized || e.Kind == NotFound)
		if i == 0 {
			first = err
		}
		if !nothing {
			return got, err
		}
	}
	var none T
	return none, first
}

// aboutWebhook makes an error say what it is that HeyGen does not know.
func aboutWebhook(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.webhook = true
	}
	return err
}
