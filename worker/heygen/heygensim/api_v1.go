package heygensim

import (
	"maps"
	"net/http"
	"strconv"
)

// v1 answers in the envelope of 2023: code 100 is success, and a failed render is one too.
func (c *call) v1() {
	if c.webhooks(false) {
		return
	}
	switch c.r.URL.Path {
	case "/v1/video_status.get", "/v1/video.list":
	default:
		c.raw(http.StatusNotFound, "text/html; charset=utf-8", notHere)
		return
	}
	switch {
	case c.r.Method != http.MethodGet:
		c.json(v1Error(http.StatusMethodNotAllowed, 40001, "Method not allowed"))
	case !c.authorized():
		c.json(http.StatusUnauthorized, body{"code": 400112, "message": "Unauthorized"})
	case c.r.URL.Path == "/v1/video.list":
		c.json(c.v1List())
	default:
		c.json(c.v1Status())
	}
}

func v1Error(status, code int, message string) (int, body) {
	return status, body{"code": code, "message": message, "data": nil}
}

func (c *call) v1Status() (int, body) {
	id := c.r.URL.Query().Get("video_id")
	if id == "" {
		return v1Error(http.StatusBadRequest, 40001, "Missing parameters")
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	e := c.sim.videos[id]
	if e == nil {
		return v1Error(http.StatusNotFound, 40031, "Invalid video ID")
	}
	word, _ := e.status(c.now)
	data := body{
		"id": e.ID, "status": word, "duration": nil, "callback_id": text(e.CallbackID), "error": nil,
	}
	maps.Copy(data, c.links(e, map[string]string{
		assetVideo: "video_url", assetCaptioned: "video_url_caption", assetCaptions: "caption_url",
		assetThumbnail: "thumbnail_url", assetGIF: "gif_url",
	}, false))
	switch word {
	case "completed":
		data["duration"] = number(e.seconds())
		data["created_at"] = e.CreatedAt.Unix()
	case "failed":
		data["error"] = e.Fail.v1()
	}
	return http.StatusOK, body{"code": 100, "data": data, "message": "Success"}
}

// v1 is the error object; its code is a number where it looks like one, as HeyGen sends both.
func (f *Failure) v1() any {
	var code any = f.Code
	if n, err := strconv.ParseInt(f.Code, 10, 64); err == nil {
		code = n
	}
	return body{"code": code, "message": f.Message, "detail": text(f.Detail)}
}

// v1List has no links and no durations.
func (c *call) v1List() (int, body) {
	limit, ok := c.limit(maxPage)
	if !ok {
		return v1Error(http.StatusBadRequest, 40012, "Invalid query parameter")
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	page, next, ok := c.sim.page(c.r.URL.Query().Get("token"), limit)
	if !ok {
		return v1Error(http.StatusBadRequest, 40012, "Invalid query parameter")
	}
	items := make([]body, len(page))
	for i, e := range page {
		word, _ := e.status(c.now)
		items[i] = body{
			"video_id": e.ID, "video_title": e.Title, "status": word, "created_at": e.CreatedAt.Unix(), "type": "GENERATED",
		}
	}
	return http.StatusOK, body{"code": 100, "data": body{"token": text(next), "videos": items}, "message": nil}
}
