package webhook

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// event is what is used of a delivery.
type event struct {
	name    string // HeyGen's, for the log; "" in the bare shape of a callback
	videoID string // "": there is nothing in it for us
}

// parse finds the video in any of the shapes: v1's and v3's envelope, and that of a callback without an event's name. A body
// that is none of them is an event without a video.
func parse(body []byte) event {
	outer, ok := object(body)
	if !ok {
		return event{}
	}
	e := event{name: clip(outer.text("event_type"))}
	if e.name != "" && !concerns(e.name) {
		return e
	}
	names := []string{"video_id"}
	if strings.HasPrefix(e.name, "video_translate.") {
		// A translation is a video of the account's list under this id.
		names = append(names, "video_translate_id", "video_translation_id", "id")
	}
	for _, place := range []string{"event_data", "data"} {
		inner, ok := object(outer[place])
		if id := inner.text(names...); ok && e.videoID == "" && heygen.ValidID(id) {
			e.videoID = id
		}
	}
	return e
}

// concerns says whether an event is about a video that can be archived: that it is there, has failed, or that a file of
// it has turned up late. HeyGen delivers events that nobody subscribed to, and invents new ones.
func concerns(name string) bool {
	if name == "personalized_video" {
		return true
	}
	family, end, _ := strings.Cut(name, ".")
	families := []string{"avatar_video", "avatar_video_gif", "avatar_video_caption", "video_translate", "video_agent", "hyperframes_video"}
	return slices.Contains(families, family) && (end == "success" || end == "fail")
}

type fields map[string]json.RawMessage

func object(raw []byte) (fields, bool) {
	var f fields
	return f, json.Unmarshal(raw, &f) == nil && f != nil
}

// text is the first of the names that holds text.
func (f fields) text(names ...string) string {
	for _, name := range names {
		var s string
		if json.Unmarshal(f[name], &s) == nil && s != "" {
			return s
		}
	}
	return ""
}

// clip keeps the log readable, whatever calls itself an event.
func clip(name string) string {
	const longest = 60
	return name[:min(len(name), longest)]
}
