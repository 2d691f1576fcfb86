package heygensim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// probeLimit is how long an address may take to answer OPTIONS before it is refused; deliverLimit how long for an event.
const (
	probeLimit   = time.Second
	deliverLimit = 10 * time.Second
)

// hook is an address that somebody registered.
type hook struct {
	id, url, secret string
	events          []string // nil: all
	v3              bool
	created         time.Time
}

// webhooks answers for the endpoint API of either generation. ok is false where the path is none of it.
func (c *call) webhooks(v3 bool) (ok bool) {
	base, id := "/v1/webhook/endpoint.", ""
	if v3 {
		base = "/v3/webhooks/endpoints"
	}
	rest, ok := strings.CutPrefix(c.r.URL.Path, base)
	if !ok {
		return false
	}
	refuse := v1Error
	if v3 {
		id = strings.TrimPrefix(rest, "/")
		refuse = func(status, _ int, message string) (int, body) {
			code := map[int]string{401: "unauthorized", 404: "webhook_not_found", 405: "invalid_parameter"}[status]
			return v3Error(status, code, message)
		}
	}
	switch what := c.r.Method + " " + rest; {
	case !c.authorized():
		c.json(refuse(http.StatusUnauthorized, 400112, "Unauthorized"))
	case what == "POST add", v3 && what == "POST ":
		c.json(c.addHook(v3))
	case what == "GET list", v3 && what == "GET ":
		c.json(c.listHooks(v3))
	case what == "DELETE delete", v3 && c.r.Method == http.MethodDelete:
		if !v3 {
			id = c.r.URL.Query().Get("endpoint_id")
		}
		if !c.sim.dropHook(id) {
			c.json(refuse(http.StatusNotFound, 40031, "Webhook not found"))
			return true
		}
		c.json(http.StatusOK, envelope(v3, body{}))
	case v3 && c.r.Method == http.MethodPost && strings.HasSuffix(id, "/rotate-secret"):
		c.json(c.rotate(strings.TrimSuffix(id, "/rotate-secret")))
	default:
		c.json(refuse(http.StatusMethodNotAllowed, 40001, "Method not allowed"))
	}
	return true
}

func envelope(v3 bool, data any) body {
	if v3 {
		return body{"data": data}
	}
	return body{"code": 100, "data": data, "msg": nil, "message": nil}
}

// addHook tries the address out first, as HeyGen does.
func (c *call) addHook(v3 bool) (int, body) {
	var ask struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}
	err := json.NewDecoder(io.LimitReader(c.r.Body, 1<<20)).Decode(&ask)
	if err != nil || !probe(c.r.Context(), ask.URL) {
		if v3 {
			return v3Error(http.StatusBadRequest, "invalid_parameter", "The url does not answer OPTIONS")
		}
		return v1Error(http.StatusBadRequest, 400175, "The url does not answer OPTIONS")
	}
	h := &hook{id: randomHex(16), url: ask.URL, secret: "whsec_" + randomHex(16), events: ask.Events, v3: v3, created: c.now}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	c.sim.hooks = append(c.sim.hooks, h)
	return http.StatusOK, envelope(v3, h.show(!c.sim.opt.LateSecret))
}

// probe asks an address whether anybody is there.
func probe(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode/100 == 2
}

func (h *hook) show(secret bool) body {
	out := body{"endpoint_id": h.id, "url": h.url, "status": "enabled", "events": nil, "secret": nil, "created_at": h.created.Unix()}
	if h.v3 {
		out["created_at"] = h.created.UTC().Format(time.RFC3339)
	}
	if h.events != nil {
		out["events"] = h.events
	}
	if secret {
		out["secret"] = h.secret
	}
	return out
}

// listHooks shows secrets in v1 alone.
func (c *call) listHooks(v3 bool) (int, body) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	items := []body{}
	for _, h := range c.sim.hooks {
		if h.v3 == v3 {
			items = append(items, h.show(!v3))
		}
	}
	out := envelope(v3, items)
	if v3 {
		out["has_more"], out["next_token"] = false, nil
	}
	return http.StatusOK, out
}

func (c *call) rotate(id string) (int, body) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	for _, h := range c.sim.hooks {
		if h.id == id && h.v3 {
			h.secret = "whsec_" + randomHex(16)
			return http.StatusOK, envelope(true, body{"endpoint_id": id, "secret": h.secret})
		}
	}
	return v3Error(http.StatusNotFound, "webhook_not_found", "Webhook not found")
}

func (s *Sim) dropHook(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.hooks)
	s.hooks = slices.DeleteFunc(s.hooks, func(h *hook) bool { return h.id == id })
	return len(s.hooks) < before
}

// Hook registers an address without trying it out, for v1 or v3, and returns the secret of its deliveries.
func (s *Sim) Hook(url string, v3 bool) (secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &hook{id: randomHex(16), url: url, secret: "whsec_" + randomHex(16), v3: v3, created: s.opt.Now()}
	s.hooks = append(s.hooks, h)
	return h.secret
}

// Deliver tells every registered address of an event of a video, such as avatar_video.success, each in its own dialect,
// and returns what they answered. Nothing is repeated.
func (s *Sim) Deliver(ctx context.Context, event, videoID string) ([]int, error) {
	s.mu.Lock()
	hooks := slices.Clone(s.hooks)
	s.mu.Unlock()
	var statuses []int
	for _, h := range hooks {
		if h.events != nil && !slices.Contains(h.events, event) {
			continue
		}
		status, err := h.deliver(ctx, event, videoID, s.opt.Now())
		if err != nil {
			return statuses, fmt.Errorf("deliver %s to %s: %w", event, h.url, err)
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

func (h *hook) deliver(ctx context.Context, event, videoID string, now time.Time) (int, error) {
	data := body{"video_id": videoID, "url": nil, "gif_download_url": nil, "video_share_page_url": nil, "folder_id": "", "callback_id": nil}
	if strings.HasSuffix(event, ".fail") {
		data = body{"video_id": videoID, "msg": "Failed", "callback_id": nil}
	}
	message := body{"event_type": event, "event_data": data}
	eventID := "evt_" + randomHex(8)
	if h.v3 {
		message["event_id"], message["created_at"] = eventID, now.UTC().Format(time.RFC3339)
	}
	raw, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, deliverLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write(raw)
	req.Header.Set("Content-Type", jsonType)
	if h.v3 {
		req.Header.Set("Heygen-Signature", hex.EncodeToString(mac.Sum(nil)))
		req.Header.Set("Heygen-Timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("Heygen-Event-Id", eventID)
	} else {
		req.Header.Set("Signature", hex.EncodeToString(mac.Sum(nil)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}
