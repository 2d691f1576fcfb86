package heygensim

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// v3 answers {"data":…} or {"error":…}.
func (c *call) v3() {
	if c.webhooks(true) {
		return
	}
	rest, ok := strings.CutPrefix(c.r.URL.Path, "/v3/videos")
	if !ok || (rest != "" && !strings.HasPrefix(rest, "/")) {
		c.raw(http.StatusNotFound, "text/html; charset=utf-8", notHere)
		return
	}
	switch id := strings.TrimPrefix(rest, "/"); {
	case c.r.Method != http.MethodGet:
		c.json(v3Error(http.StatusMethodNotAllowed, "invalid_parameter", "Method not allowed"))
	case !c.authorized():
		c.json(v3Error(http.StatusUnauthorized, "unauthorized", "Invalid API key"))
	case id == "":
		c.json(c.v3List())
	case id == "statuses":
		c.json(c.v3Statuses())
	default:
		c.json(c.v3Video(id))
	}
}

func v3Error(status int, code, message string) (int, body) {
	return status, body{"error": body{"code": code, "message": message, "doc_url": v3DocsURL + code}}
}

func (c *call) v3Video(id string) (int, body) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	e := c.sim.videos[id]
	if e == nil {
		return v3Error(http.StatusNotFound, "video_not_found", "Video not found")
	}
	return http.StatusOK, body{"data": c.detail(e)}
}

// detail is v3's whole picture of a video; a list carries it too.
func (c *call) detail(e *entry) body {
	word, settled := e.status(c.now)
	data := body{
		"id": e.ID, "title": e.Title, "status": word, "created_at": e.CreatedAt.Unix(), "completed_at": nil,
		"duration": nil, "folder_id": nil, "output_language": nil, "failure_code": nil, "failure_message": nil,
		"video_page_url": nil,
	}
	maps.Copy(data, c.links(e, map[string]string{
		assetVideo: "video_url", assetCaptioned: "captioned_video_url", assetCaptions: "subtitle_url",
		assetThumbnail: "thumbnail_url", assetGIF: "gif_url",
	}, true))
	switch word {
	case "completed":
		data["duration"] = number(e.seconds())
		data["completed_at"] = settled.Truncate(time.Second).Unix()
		data["video_page_url"] = "https://app.heygen.com/videos/" + e.ID
	case "failed":
		data["failure_code"], data["failure_message"] = text(e.Fail.Code), text(e.Fail.Message)
	}
	return data
}

func (c *call) v3List() (int, body) {
	const fallback = 10 // what v3 gives who asks for no number
	limit, ok := c.limit(fallback)
	if !ok {
		return v3Error(http.StatusBadRequest, "invalid_parameter", "limit must be between 1 and 100")
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	page, next, ok := c.sim.page(c.r.URL.Query().Get("token"), limit)
	if !ok {
		return v3Error(http.StatusBadRequest, "invalid_parameter", "token is not valid")
	}
	items := make([]body, len(page))
	for i, e := range page {
		items[i] = c.detail(e)
	}
	return http.StatusOK, body{"data": items, "has_more": next != "", "next_token": text(next)}
}

// v3Statuses knows words that the other routes don't: queued and not_found.
func (c *call) v3Statuses() (int, body) {
	ids := strings.FieldsFunc(c.r.URL.Query().Get("video_ids"), func(r rune) bool { return r == ',' })
	if len(ids) == 0 || len(ids) > maxPage {
		return v3Error(http.StatusBadRequest, "invalid_parameter", "video_ids must hold 1 to 100 ids")
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	items := make([]body, len(ids))
	for i, id := range ids {
		items[i] = body{"video_id": id, "status": "not_found", "error": nil}
		e := c.sim.videos[id]
		if e == nil {
			continue
		}
		word, _ := e.status(c.now)
		if word == "pending" {
			word = "queued"
		}
		items[i]["status"] = word
		if word == "failed" {
			items[i]["error"] = body{"code": e.Fail.Code, "message": e.Fail.Message}
		}
	}
	return http.StatusOK, body{"data": items, "has_more": false, "next_token": nil}
}
