package report

import (
	"slices"

	"github.com/reelkeep/reelkeep/queue"
)

// Linked is the video with the permalinks of what is sealed. link answers "" where there is none.
func (v Video) Linked(link func(account, videoID, asset string) string) Video {
	if v.SealedAt == nil {
		return v // its files are there before it is safe that they stay
	}
	v.Assets = slices.Clone(v.Assets)
	for i, a := range v.Assets {
		if a.State == string(queue.AssetStored) {
			v.Assets[i].Permalink = OrNull(link(v.Account, v.VideoID, a.Asset))
		}
	}
	return v
}
