package dropin

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Generations of HeyGen's API.
const (
	v1 = "v1"
	v3 = "v3"
)

// links makes our links to what a manifest holds.
type links struct {
	base   string
	signer *sharelink.Signer
}

// of is one link of ours for every stored asset of a video.
func (l links) of(m *storage.Manifest) (map[heygen.Asset]json.RawMessage, error) {
	out := map[heygen.Asset]json.RawMessage{}
	for _, a := range m.Assets {
		link, err := l.signer.Share(l.base, sharelink.File{Account: m.Account, VideoID: m.VideoID, Asset: a.Asset}, time.Time{})
		if err != nil {
			return nil, err
		}
		out[heygen.Asset(a.Asset)] = quote(link)
	}
	return out, nil
}

// answer is what HeyGen would say about an archived video in one generation of its API, with our links.
func (l links) answer(m *storage.Manifest, api string) (json.RawMessage, error) {
	ours, err := l.of(m)
	if err != nil {
		return nil, err
	}
	envelope, data := takeApart(m.Source.Response)
	switch {
	case m.Source.API == api && len(data) > 0:
		data = relink(data, m, ours)
	case api == v1:
		data = v1Data(m, ours)
	default:
		data = v3Data(m, ours)
	}
	if m.Source.API != api || envelope == nil {
		envelope = newEnvelope(api)
	}
	envelope.set("data", data.encode())
	return envelope.encode(), nil
}

func newEnvelope(api string) object {
	if api == v1 {
		return object{{"code", json.RawMessage("100")}, {"data", null()}, {"message", quote("Success")}}
	}
	return object{{"data", null()}}
}

// takeApart parts an answer that was kept into its envelope and the description of the video. What was kept of a list
// is the description alone.
func takeApart(response json.RawMessage) (envelope, data object) {
	whole, err := parseObject(response)
	if err != nil {
		return nil, nil
	}
	if data, err := parseObject(whole.get("data")); err == nil {
		return whole, data
	}
	return nil, whole
}

// relink puts our links in place of HeyGen's, everywhere: under the keys that hold them, in both generations' spelling,
// and wherever else an address of a file that we have stored is found.
func relink(data object, m *storage.Manifest, ours map[heygen.Asset]json.RawMessage) object {
	for _, asset := range heygen.Assets() {
		link, stored := ours[asset]
		if !stored {
			link = null()
		}
		own := heygen.LinkName(m.Source.API, asset)
		for _, name := range []string{heygen.LinkName(v3, asset), heygen.LinkName(v1, asset)} {
			if data.has(name) || (stored && name == own) {
				data.set(name, link)
			}
		}
	}
	if !data.has("id") {
		data.set("id", quote(m.VideoID))
	}
	files := map[string]json.RawMessage{}
	for _, a := range m.Assets {
		if a.Source.Host != "" {
			files[a.Source.Host+a.Source.Path] = ours[heygen.Asset(a.Asset)]
		}
	}
	for i := range data {
		data[i].value = mapStrings(data[i].value, func(s string) (string, bool) { return replacement(files, s) })
	}
	return data
}

func replacement(files map[string]json.RawMessage, address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	link, ok := files[u.Hostname()+u.EscapedPath()]
	if !ok {
		return "", false
	}
	var s string
	return s, json.Unmarshal(link, &s) == nil && s != ""
}

// v1Data describes a video as GET /v1/video_status.get does.
func v1Data(m *storage.Manifest, ours map[heygen.Asset]json.RawMessage) object {
	link := func(a heygen.Asset) member { return member{heygen.LinkName(v1, a), orNull(ours[a])} }
	return object{
		{"id", quote(m.VideoID)},
		{"status", quote("completed")},
		{"duration", number(m.Video.DurationSeconds)},
		link(heygen.AssetVideo), link(heygen.AssetCaptionedVideo), link(heygen.AssetThumbnail), link(heygen.AssetGIF), link(heygen.AssetCaptions),
		{"callback_id", text(m.Video.CallbackID)},
		{"created_at", seconds(m.Video.CreatedAt)},
		{"error", null()},
	}
}

// v3Data describes a video as GET /v3/videos/{id} does.
func v3Data(m *storage.Manifest, ours map[heygen.Asset]json.RawMessage) object {
	link := func(a heygen.Asset) member { return member{heygen.LinkName(v3, a), orNull(ours[a])} }
	return object{
		{"id", quote(m.VideoID)},
		{"title", text(m.Video.Title)},
		{"status", quote("completed")},
		link(heygen.AssetVideo), link(heygen.AssetCaptionedVideo), link(heygen.AssetCaptions), link(heygen.AssetThumbnail), link(heygen.AssetGIF),
		{"video_page_url", null()},
		{"duration", number(m.Video.DurationSeconds)},
		{"created_at", seconds(m.Video.CreatedAt)},
		{"completed_at", seconds(m.Video.CompletedAt)},
		{"folder_id", null()},
		{"output_language", null()},
	}
}

func null() json.RawMessage { return json.RawMessage("null") }

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return null()
	}
	return raw
}

func text(s string) json.RawMessage {
	if s == "" {
		return null()
	}
	return quote(s)
}

func number(n float64) json.RawMessage {
	if n == 0 {
		return null()
	}
	return json.RawMessage(strconv.FormatFloat(n, 'f', -1, 64))
}

func seconds(t time.Time) json.RawMessage {
	if t.IsZero() {
		return null()
	}
	return json.RawMessage(strconv.FormatInt(t.Unix(), 10))
}
