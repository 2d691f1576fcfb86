package heygensim

import (
	"embed"
	"time"
)

// media is real media, made by testdata/make.sh.
//
//go:embed testdata
var media embed.FS

const (
	launchSeconds = 5
	tourSeconds   = 3
)

// file returns one file of testdata, or nil if there is none; a test asks for each.
func file(name string) []byte {
	b, err := media.ReadFile("testdata/" + name)
	if err != nil {
		return nil
	}
	return b
}

// Sample returns the videos of the demo: real media, all of them archivable. One is dropped by the network
// once, one still renders, one gets its GIF late, one has captions in another script.
func Sample() []Video {
	return []Video{
		{
			ID: "3d0a6c1f5b7e4f2a9c8d1e2f3a4b5c6d", Title: "Launch video", CallbackID: "spring-launch", Duration: launchSeconds,
			Assets: map[string]Asset{
				assetVideo:     {Body: file("launch.mp4")},
				assetThumbnail: {Body: file("launch.jpeg")},
				assetGIF:       {Body: file("launch.gif")},
				assetCaptions:  {Body: file("captions.ass")},
				assetCaptioned: {Body: file("launch_captioned.mp4")},
			},
		},
		{
			ID: "8b1e2d3c4f5a46978a9b0c1d2e3f4a5b", Title: "Größe and façade, a tour / 字幕", Duration: tourSeconds,
			Assets: map[string]Asset{
				assetVideo:     {Body: file("tour.mp4")},
				assetThumbnail: {Body: file("tour.jpeg")},
				assetGIF:       {Body: file("tour.gif")},
				assetCaptions:  {Body: file("captions.srt"), Path: "/caption/8b1e2d3c4f5a46978a9b0c1d2e3f4a5b.srt"},
			},
		},
		{
			ID: "c2f7a9b4d1e84c0f9a6b5d4c3e2f1a0b", Title: "Weekly update", Duration: launchSeconds,
			Assets: map[string]Asset{
				assetVideo:     {Body: file("launch.mp4"), Fault: &Fault{Kind: FaultDrop, At: 120_000, Times: 1}},
				assetThumbnail: {Body: file("launch.jpeg")},
			},
		},
		{
			ID: "e5d4c3b2a1f04e9d8c7b6a5f4e3d2c1b", Title: "Still rendering when you look first", Duration: tourSeconds,
			RenderFor: 3 * time.Second,
			Assets: map[string]Asset{
				assetVideo:     {Body: file("tour.mp4")},
				assetThumbnail: {Body: file("tour.jpeg")},
			},
		},
		{
			ID: "f6a7b8c9d0e14f2a8b3c4d5e6f7a8b9c", Title: "The GIF comes later", Duration: launchSeconds,
			Assets: map[string]Asset{
				assetVideo:     {Body: file("launch.mp4")},
				assetThumbnail: {Body: file("launch.jpeg")},
				assetGIF:       {Body: file("launch.gif"), After: 2 * time.Second},
			},
		},
	}
}

// sample is a file that stands for a zero Asset.
type sample struct {
	content
	body    []byte
	ext     string
	seconds float64
}

// samples remembers them by the name of the asset, so that thousands of videos share one copy.
type samples map[string]sample

func (s samples) get(asset string) sample {
	it, known := s[asset]
	if !known {
		it.body, it.ext, it.seconds = sampleFile(asset)
		it.content = bytesContent(it.body)
		s[asset] = it
	}
	return it
}

// sampleFile is what a zero Asset of that name stands for.
func sampleFile(asset string) (body []byte, ext string, seconds float64) {
	switch asset {
	case assetThumbnail:
		return file("launch.jpeg"), ".jpeg", 0
	case assetGIF:
		return file("launch.gif"), ".gif", 0
	case assetCaptions:
		return file("captions.ass"), ".ass", 0
	case assetCaptioned:
		return file("launch_captioned.mp4"), ".mp4", launchSeconds
	}
	return file("launch.mp4"), ".mp4", launchSeconds
}
