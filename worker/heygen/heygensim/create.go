package heygensim

import (
	"encoding/json"
	"io"
	"net/http"
)

// longestOrder bounds what a creation may say.
const longestOrder = 1 << 20

// create answers POST /v2/video/generate and POST /v3/videos with a video that renders until Release. Of what was ordered
// only the title counts.
func (c *call) create(v3 bool) {
	var order struct{ Title string }
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, longestOrder))
	if err == nil {
		err = json.Unmarshal(raw, &order)
	}
	switch {
	case !c.authorized() && v3:
		c.json(v3Error(http.StatusUnauthorized, "unauthorized", "Invalid API key"))
		return
	case !c.authorized():
		c.json(http.StatusUnauthorized, body{"code": 400112, "message": "Unauthorized"})
		return
	case err != nil && v3:
		c.json(v3Error(http.StatusBadRequest, "invalid_parameter", "Invalid JSON"))
		return
	case err != nil:
		c.json(v1Error(http.StatusBadRequest, 40001, "Invalid JSON"))
		return
	}
	id := randomHex(16)
	c.sim.Add(Video{ID: id, Title: order.Title, Held: true, Assets: map[string]Asset{assetVideo: {}}})
	if v3 {
		c.json(http.StatusOK, body{"data": body{"video_id": id, "status": "waiting", "output_format": "mp4"}})
		return
	}
	c.json(http.StatusOK, body{"error": nil, "data": body{"video_id": id}})
}
