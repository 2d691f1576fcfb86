package heygen

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// status maps HeyGen's word to ours.
func status(word string) Status {
	switch strings.ToLower(word) {
	case "completed":
		return StatusCompleted
	case "failed":
		return StatusFailed
	case "draft":
		return StatusDraft
	}
	return StatusWaiting
}

// linkNames tells which keys hold the link of an asset: v3's name and v1's. Both are read in both generations, because
// bodies that mix them were seen.
func linkNames(a Asset) []string {
	switch a {
	case AssetVideo:
		return []string{"video_url"}
	case AssetThumbnail:
		return []string{"thumbnail_url"}
	case AssetGIF:
		return []string{"gif_url"}
	case AssetCaptions:
		return []string{"subtitle_url", "caption_url"}
	case AssetCaptionedVideo:
		return []string{"captioned_video_url", "video_url_caption"}
	}
	return nil
}

// LinkName is the key under which a generation of the API ("v3" or "v1") gives the link of an asset; "" for a name that is
// no asset.
func LinkName(api string, a Asset) string {
	names := linkNames(a)
	switch {
	case len(names) == 0:
		return ""
	case api == VersionV1:
		return names[len(names)-1]
	}
	return names[0]
}

// video builds the model from one description of a video: the data of a status answer, or an item of a list.
// raw is what Response keeps of it.
func (c *Client) video(api string, f fields, raw json.RawMessage) *Video {
	word := f.text("status")
	v := &Video{
		ID:           f.text("id", "video_id"),
		Title:        f.text("title", "video_title"),
		Status:       status(word),
		VendorStatus: c.clean(word),
		CreatedAt:    f.time("created_at"),
		CompletedAt:  f.time("completed_at"),
		CallbackID:   f.text("callback_id"),
		API:          api,
		AsOf:         c.cfg.Now(),
		Response:     c.redact(raw),
	}
	if d, ok := f.number("duration"); ok && d > 0 {
		v.Duration = d
	}
	for _, a := range Assets() {
		l, ok := link(a, f)
		switch {
		case ok:
			v.Links = append(v.Links, l)
		case f.text(linkNames(a)...) != "":
			c.cfg.Log.Warn("link is not a web address and counts as absent", "video_id", c.clean(v.ID), "asset", string(a))
		}
	}
	if v.Status == StatusFailed {
		v.Failure = c.failure(f)
	}
	return v
}

// link finds the link of an asset. Text that can't be fetched (no http address) is no link: the asset is not offered.
func link(a Asset, f fields) (Link, bool) {
	for _, name := range linkNames(a) {
		raw := f.text(name)
		u, err := url.Parse(raw)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			continue
		}
		expires, _ := Expiry(raw)
		return Link{Asset: a, URL: secret.New(raw), Expires: expires}, true
	}
	return Link{}, false
}

// failure reads why a render failed. v1 puts an object, a string or null under "error"; v3 two keys beside the status, or nothing.
func (c *Client) failure(f fields) *Failure {
	out := &Failure{Code: f.text("failure_code"), Message: f.text("failure_message", "message", "msg")}
	if e, ok := object(f["error"]); ok {
		out.Code = firstOf(out.Code, e.text("code"))
		out.Message = firstOf(e.text("message", "msg"), out.Message)
		out.Detail = e.text("detail")
	} else {
		out.Message = firstOf(f.text("error"), out.Message)
	}
	return &Failure{Code: c.clean(out.Code), Message: c.clean(out.Message), Detail: c.clean(out.Detail)}
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
