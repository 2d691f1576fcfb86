package heygen

import (
	"encoding/json"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Status is where a video stands, in one vocabulary for both generations.
type Status string

// A word that HeyGen has not used before is StatusWaiting: waiting too long is noticed,
// taking an unknown word for an end is not.
const (
	StatusWaiting   Status = "waiting"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusDraft     Status = "draft"
	StatusNotFound  Status = "not_found" // only from Statuses; Video answers with an error
)

// Asset names one file of a video.
type Asset string

// The assets that HeyGen offers.
const (
	AssetVideo          Asset = "video"
	AssetThumbnail      Asset = "thumbnail"
	AssetGIF            Asset = "gif"
	AssetCaptions       Asset = "captions"
	AssetCaptionedVideo Asset = "captioned_video"
)

// Assets lists every asset in the order in which they are archived and shown.
func Assets() []Asset {
	return []Asset{AssetVideo, AssetThumbnail, AssetGIF, AssetCaptions, AssetCaptionedVideo}
}

// Link is where an asset can be fetched for a while. It is never an identity: every answer signs it anew.
type Link struct {
	Asset   Asset
	URL     secret.String
	Expires time.Time // zero: not signed, or in a way we can't read
}

// Failure is what HeyGen says about a render that failed. All fields may be empty: some failures come without a word.
type Failure struct {
	Code, Message, Detail string
}

// Video is one video as HeyGen describes it. Absent, null and empty are the same here: the zero value.
type Video struct {
	ID           string
	Title        string // user text: may hold anything, so no key or path is made of it
	Status       Status
	VendorStatus string // HeyGen's own word
	CreatedAt    time.Time
	CompletedAt  time.Time // only v3 tells
	Duration     float64   // seconds; 0 = unknown
	CallbackID   string    // user text
	Links        []Link    // in the order of Assets; items of a v1 list carry none
	Failure      *Failure  // set for every failed video
	API          string    // the generation that answered: "v3" or "v1"
	AsOf         time.Time // when HeyGen said this

	// Brief says that only ID, Status and VendorStatus were asked for: that nothing else is here means nothing.
	Brief bool

	// Response is the answer (of a list: the item) with the queries of all links removed, fit to be kept.
	Response json.RawMessage
}

// Link returns the link of an asset, if HeyGen offers it.
func (v *Video) Link(a Asset) (Link, bool) {
	for _, l := range v.Links {
		if l.Asset == a {
			return l, true
		}
	}
	return Link{}, false
}

// longestID is the longest video id we take; it becomes a folder name, and file systems stop at 255 bytes.
const longestID = 128

// ValidID says whether id can be a video id: [A-Za-z0-9_-]{1,128}. Ids become URL paths, keys and folder names,
// so nothing else is let in at any door.
func ValidID(id string) bool {
	if id == "" || len(id) > longestID {
		return false
	}
	for i := range len(id) {
		switch b := id[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}
