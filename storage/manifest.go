package storage

import (
	"bytes"
	"encoding/json"
	"time"
)

const manifestSchema = "reelkeep.manifest/1"

// States a manifest can be in.
const (
	StateArchived = "archived"
	StatePartial  = "partial" // sealed, but an optional asset may still come
)

// Reasons why an asset is absent.
const (
	AbsentNotOffered = "not_offered"
	AbsentLate       = "late" // only while partial
	AbsentGone       = "gone"
)

// A Manifest says what is archived of one video. In Go, unknown is the zero value; in the file it is null.
type Manifest struct {
	VideoID    string
	Account    string // "" means "default"
	Generation int    // 1, or more after a re-render was archived; 0 means 1
	State      string
	SealedAt   time.Time // zero: Seal sets it
	Video      Video
	Metadata   map[string]string
	Source     Source
	Assets     []Asset
	Absent     []Absent

	etag string // of the object this was read from or written to; Reseal's condition
	raw  []byte // its bytes, kept as they were for ArchiveGeneration
}

// Video is what the API said about the video.
type Video struct {
	Title           string
	Status          string
	DurationSeconds float64
	CreatedAt       time.Time
	CompletedAt     time.Time
	CallbackID      string
}

// Source is where the video came from. Response is the API's answer; the caller has removed the queries of its links.
type Source struct {
	API      string
	Response json.RawMessage
}

// Asset is one stored file. Key is relative to the manifest.
type Asset struct {
	Asset       string
	Key         string
	Bytes       int64
	SHA256      string // hex
	CRC64NVME   string // base64, as S3 writes it
	ContentType string
	ETag        string
	Source      AssetSource
	StoredAt    time.Time
}

// AssetSource is where the bytes of an asset came from, without the query of the link.
type AssetSource struct{ Host, Path, ETag, LastModified string }

// Absent is an asset that the video has not got, and why.
type Absent struct{ Asset, Reason string }

// Key returns which video the manifest belongs to.
func (m *Manifest) Key() VideoKey { return VideoKey{Account: m.Account, VideoID: m.VideoID} }

// Bytes returns manifest.json as it lies in the store; nil if it was neither read nor sealed.
func (m *Manifest) Bytes() []byte { return bytes.Clone(m.raw) }

// Asset returns the entry of one asset.
func (m *Manifest) Asset(name string) (Asset, bool) {
	for _, a := range m.Assets {
		if a.Asset == name {
			return a, true
		}
	}
	return Asset{}, false
}

// refersTo says whether the manifest vouches for the object of that name.
func (m *Manifest) refersTo(name string) bool {
	for _, a := range m.Assets {
		if a.Key == name {
			return true
		}
	}
	return false
}
