package permalink

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// Links makes links for the API: what others open by this package's handler.
type Links struct {
	Base      string // REELKEEP_PUBLIC_URL
	Signer    *sharelink.Signer
	Manifests manifests.Source
	Now       func() time.Time // nil: time.Now
}

// Permalink is the address of an asset for those who may see the video anyway; "" if there is none.
func (l *Links) Permalink(account, videoID, asset string) string {
	if l.Base == "" {
		return ""
	}
	link, err := sharelink.Permalink(l.Base, sharelink.File{Account: account, VideoID: videoID, Asset: asset})
	if err != nil {
		return ""
	}
	return link
}

// Share returns a link to each of the assets that needs nothing else to be opened, for ttl; 0 is for ever. No asset
// named means all that are stored. What stands in the way is a *problem.Problem.
func (l *Links) Share(ctx context.Context, account, videoID string, assets []string, ttl time.Duration) (map[string]string, error) {
	if !l.Signer.Ready() || l.Base == "" {
		return nil, l.unset()
	}
	m, err := l.Manifests.Manifest(ctx, storage.VideoKey{Account: account, VideoID: videoID})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, problem.New(http.StatusConflict, "not_archived_yet", "the video is not archived: there is nothing to share yet", "ask again once it is; GET /api/v1/videos/{id} tells how far it is")
	}
	if err != nil {
		return nil, unavailable("the archive is out of reach at the moment")
	}
	if len(assets) == 0 {
		for _, a := range m.Assets {
			assets = append(assets, a.Asset)
		}
	}
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	until := time.Time{}
	if ttl > 0 {
		until = now().Add(ttl)
	}
	out := map[string]string{}
	for _, asset := range assets {
		if _, ok := m.Asset(asset); !ok {
			return nil, noSuchAsset(m, asset)
		}
		if out[asset], err = l.Signer.Share(l.Base, sharelink.File{Account: account, VideoID: videoID, Asset: asset}, until); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unset names what the service has not been given.
func (l *Links) unset() *problem.Problem {
	p := problem.New(http.StatusNotImplemented, "not_configured", "share links can't be made: REELKEEP_PUBLIC_URL is not set", "set it to the address under which others reach this service")
	if !l.Signer.Ready() {
		missing := new(sharelink.NoSecretError)
		p.Detail, p.Hint = "share links can't be made: REELKEEP_LINK_SECRETS is not set", missing.Hint()
	}
	return p
}

func noSuchAsset(m *storage.Manifest, asset string) *problem.Problem {
	for _, absent := range m.Absent {
		if absent.Asset == asset && absent.Reason == storage.AbsentLate {
			return notYet("HeyGen has not made this file yet: "+asset, lateRetry)
		}
	}
	for _, known := range heygen.Assets() {
		if string(known) == asset {
			return missing("the video is archived, and HeyGen offered no such file of it: " + asset)
		}
	}
	return problem.New(http.StatusUnprocessableEntity, "invalid", "an asset is video, thumbnail, gif, captions or captioned_video", "leave assets out for all that are stored")
}
