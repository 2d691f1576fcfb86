package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

// longestPresign is what S3 allows.
const longestPresign = 168 * time.Hour

func urlCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "url", Usage: "print a link to an archived video", ArgsUsage: "ID",
		Description: "For a bucket: a presigned link that lives as long as --ttl says. For a folder: the path of the file.\n" +
			"With --share: a link to our own API, for either, that needs no token; it never expires unless --ttl is given.\n" +
			"That takes REELKEEP_PUBLIC_URL and REELKEEP_LINK_SECRETS.\n\n" + exitCodes,
		Flags: readFlags(
			&cli.StringFlag{Name: "asset", Value: string(heygen.AssetVideo), Usage: "video, thumbnail, gif, captions or captioned_video"},
			&cli.DurationFlag{Name: "ttl", Value: time.Hour, Usage: "how long the link lives: 1s to 168h if it is presigned, as long as you like with --share"},
			&cli.BoolFlag{Name: "share", Usage: "a share link, which a running API serves"},
			archiveAccountFlag(),
		),
		Action: withShelfAndConfig(con, checkURL, func(ctx context.Context, c *cli.Command, cfg config.Config, s *shelf) error {
			k := storage.VideoKey{Account: c.String("account"), VideoID: c.Args().First()}
			want := linkRequest{asset: c.String("asset"), ttl: c.Duration("ttl"), asJSON: c.Bool("json")}
			if c.Bool("share") {
				want.share = newSharing(c, cfg)
			}
			return printLink(ctx, con, s, k, want)
		}),
	}
}

func checkURL(c *cli.Command, cfg config.Config) error {
	id, ttl := c.Args().First(), c.Duration("ttl")
	switch {
	case c.NArg() != 1:
		return usageErrorf("url wants one video id")
	case !heygen.ValidID(id):
		return invalidID(id)
	case c.Bool("share") && ttl < time.Second:
		return usageErrorf("--ttl: want 1s or more, or leave it out for a link that never expires, got %s", ttl)
	case !c.Bool("share") && (ttl < time.Second || ttl > longestPresign):
		return usageErrorf("--ttl: want 1s to 168h (a presigned link cannot live longer), got %s", ttl)
	case !knownAsset(c.String("asset")):
		return usageErrorf("--asset: want video, thumbnail, gif, captions or captioned_video, got %q", c.String("asset"))
	}
	errs := []error{validAccount(c.String("account"))}
	if c.Bool("share") {
		errs = append(errs, cfg.Need("REELKEEP_PUBLIC_URL", "REELKEEP_LINK_SECRETS"))
	}
	return errors.Join(errs...)
}

type linkRequest struct {
	asset  string
	ttl    time.Duration
	asJSON bool
	share  *sharing // nil: a presigned link
}

// sharing is what share links are made with.
type sharing struct {
	base   string
	signer *sharelink.Signer
	until  time.Time // zero: for ever
}

func newSharing(c *cli.Command, cfg config.Config) *sharing {
	s := &sharing{base: cfg.PublicURL, signer: sharelink.NewSigner(cfg.LinkSecrets)}
	if c.IsSet("ttl") {
		s.until = time.Now().Add(c.Duration("ttl"))
	}
	return s
}

func knownAsset(name string) bool {
	for _, asset := range heygen.Assets() {
		if string(asset) == name {
			return true
		}
	}
	return false
}

func printLink(ctx context.Context, con *console, s *shelf, k storage.VideoKey, want linkRequest) error {
	m, err := sealedManifest(ctx, s, k)
	if err != nil {
		return err
	}
	for _, asset := range m.Assets {
		if asset.Asset == want.asset {
			return printAssetLink(ctx, con, s, asset, k, want)
		}
	}
	for _, absent := range m.Absent {
		if absent.Asset == want.asset && absent.Reason == storage.AbsentLate {
			return withCode(exitNotYet, fmt.Errorf("%s has no %s yet: it may still come", k.VideoID, want.asset))
		}
	}
	return withCode(exitNotDone, fmt.Errorf("%s has no %s: HeyGen offered none", k.VideoID, want.asset))
}

func printAssetLink(ctx context.Context, con *console, s *shelf, asset storage.Asset, k storage.VideoKey, want linkRequest) error {
	var link string
	var expires *time.Time
	switch {
	case want.share != nil:
		shared, err := want.share.signer.Share(want.share.base, sharelink.File{Account: k.Account, VideoID: k.VideoID, Asset: asset.Asset}, want.share.until)
		if err != nil {
			return err
		}
		link, expires = shared, wholeSeconds(want.share.until)
	case s.folder != "":
		link = s.file(k, asset.Key)
	default:
		presigned, until, err := s.PresignGet(ctx, k, asset.Key, storage.PresignOptions{
			TTL: want.ttl, ContentType: asset.ContentType, Download: "",
		})
		if err != nil {
			return fmt.Errorf("presign %s of %s: %w", want.asset, k.VideoID, err)
		}
		if short := time.Now().Add(want.ttl).Sub(until); short > time.Minute {
			con.sayf("warning: the credentials end sooner: this link dies at %s", until.UTC().Format(time.RFC3339))
		}
		link, expires = presigned, report.UTC(&until)
	}
	if want.asJSON {
		return con.dataJSON(map[string]any{"video_id": k.VideoID, "asset": want.asset, "url": link, "expires": expires, "file": path.Base(asset.Key)})
	}
	_, err := fmt.Fprintln(stdoutOf{con}, link)
	return err
}

// wholeSeconds is an expiry as a link says it; nil for one that never comes.
func wholeSeconds(t time.Time) *time.Time {
	t = t.Truncate(time.Second)
	return report.UTC(&t)
}
