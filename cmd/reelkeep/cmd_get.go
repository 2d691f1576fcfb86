package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker/heygen"
)

func getCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "copy the files of a video out of the archive", ArgsUsage: "ID [DIR]",
		Description: "Writes every asset and the manifest into DIR (default: a folder named after the video) and proves each against\n" +
			"its SHA-256. A file that is there already is kept if it is the same and never overwritten if it is not.\n\n" + exitCodes,
		Flags: readFlags(archiveAccountFlag()),
		Action: withShelf(con, checkGet, func(ctx context.Context, c *cli.Command, s *shelf) error {
			id, dir := c.Args().First(), c.Args().Get(1)
			if dir == "" {
				dir = id
			}
			return getVideo(ctx, con, s, storage.VideoKey{Account: c.String("account"), VideoID: id}, dir, c.Bool("json"))
		}),
	}
}

func checkGet(c *cli.Command) error {
	switch {
	case c.NArg() == 0 || c.NArg() > 2:
		return usageErrorf("get wants a video id and, if you like, a folder")
	case !heygen.ValidID(c.Args().First()):
		return invalidID(c.Args().First())
	}
	return validAccount(c.String("account"))
}

func getVideo(ctx context.Context, con *console, s *shelf, k storage.VideoKey, dir string, asJSON bool) error {
	m, err := sealedManifest(ctx, s, k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for %s: %w", k.VideoID, err)
	}
	for _, asset := range m.Assets {
		target := filepath.Join(dir, filepath.Base(filepath.FromSlash(asset.Key)))
		if err := getAsset(ctx, s, k, asset, target); err != nil {
			return err
		}
		if asJSON {
			err = con.dataJSON(map[string]any{"video_id": k.VideoID, "asset": asset.Asset, "file": target, "bytes": asset.Bytes, "sha256": asset.SHA256})
		} else {
			err = con.dataf("%s", target)
		}
		if err != nil {
			return err
		}
	}
	text, sum := m.Bytes(), sha256.Sum256(m.Bytes())
	return place(filepath.Join(dir, "manifest.json"), bytes.NewReader(text), hex.EncodeToString(sum[:]))
}

// sealedManifest returns the manifest or the error that `get` and `url` end with.
func sealedManifest(ctx context.Context, s *shelf, k storage.VideoKey) (*storage.Manifest, error) {
	m, err := s.Manifest(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		advice := "reelkeep archive " + k.VideoID
		if k.Account != defaultAccount {
			advice += " --account " + k.Account
		}
		return nil, withCode(exitNotYet, fmt.Errorf("%s is not archived yet in %s: %s", k.VideoID, ofAccount(k.Account), advice))
	}
	return m, err
}

func getAsset(ctx context.Context, s *shelf, k storage.VideoKey, asset storage.Asset, target string) error {
	body, err := s.Store.Open(ctx, k, asset.Key, 0, asset.Bytes)
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", asset.Asset, k.VideoID, err)
	}
	defer body.Close()
	err = place(target, body, asset.SHA256)
	var damaged *sumError
	if errors.As(err, &damaged) {
		return withCode(exitDamage, fmt.Errorf("%s of %s is damaged in the archive: %w", asset.Asset, k.VideoID, damaged))
	}
	return err
}

// sumError: the bytes are not those that the manifest vouches for.
type sumError struct{ got, want string }

func (e *sumError) Error() string {
	return fmt.Sprintf("its SHA-256 is %s, its manifest says %s", e.got, e.want)
}

// place writes a file beside its target and moves it there once its checksum is right. What is there already stays: if
// it is the same that is fine, if not it is an error.
func place(target string, body io.Reader, want string) error {
	have, err := fileSum(target)
	switch {
	case err == nil && have == want:
		return nil
	case err == nil:
		return fmt.Errorf("%s exists and is another file: move it away or name another folder", target)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s exists and cannot be read: %w", target, err)
	}
	part, err := os.CreateTemp(filepath.Dir(target), ".reelkeep-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	defer os.Remove(part.Name())
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(part, sum), body)
	if err = errors.Join(err, part.Chmod(0o644), part.Close()); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return &sumError{got, want}
	}
	return os.Rename(part.Name(), target)
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
