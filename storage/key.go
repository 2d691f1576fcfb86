package storage

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// DefaultAccount is the account whose videos lie directly under the prefix, so that adding a second account
	// never moves what is there.
	DefaultAccount = "default"

	manifestName = "manifest.json"
	uploadDir    = ".upload/"
)

// VideoKey names one video of one account. Account "" is the default account.
type VideoKey struct{ Account, VideoID string }

// Dir returns the video's folder under the prefix, without a slash at either end.
func (k VideoKey) Dir() string {
	if a := k.account(); a != DefaultAccount {
		return "@" + a + "/" + k.VideoID
	}
	return k.VideoID
}

// Validate refuses ids and accounts that could name anything but one folder.
func (k VideoKey) Validate() error {
	if !validName(k.VideoID, 128) {
		return fmt.Errorf("video id %q: want 1 to 128 letters, digits, _ or -", cut(k.VideoID, 140))
	}
	if !validName(k.account(), 64) {
		return fmt.Errorf("account %q of video %s: want 1 to 64 letters, digits, _ or -", cut(k.Account, 80), k.VideoID)
	}
	return nil
}

func (k VideoKey) String() string { return k.Dir() }

func (k VideoKey) account() string {
	if k.Account == "" {
		return DefaultAccount
	}
	return k.Account
}

func validName(s string, limit int) bool {
	return s != "" && len(s) <= limit && only(s, "_-")
}

// validAssetKey accepts what a manifest may refer to: a path below the video's folder that is no manifest and not
// part of our bookkeeping.
func validAssetKey(name string) error {
	if len(name) > 255 {
		return fmt.Errorf("asset key %q…: longer than 255 characters", cut(name, 40))
	}
	segments := strings.Split(name, "/")
	for _, s := range segments {
		if !validSegment(s) || s[0] == '.' {
			return fmt.Errorf("asset key %q: want a plain path below the video's folder", name)
		}
	}
	if len(segments) == 1 && strings.HasPrefix(name, "manifest.") {
		return fmt.Errorf("asset key %q: this name is kept for manifests", name)
	}
	return nil
}

// generationOf says to which generation of its video an asset belongs. Those of the first lie in the video's folder itself.
func generationOf(name string) int {
	folder, _, deeper := strings.Cut(name, "/")
	n, err := strconv.Atoi(strings.TrimPrefix(folder, "g"))
	if !deeper || err != nil || folder != "g"+strconv.Itoa(n) {
		return 1
	}
	return n
}

// dir returns the video's folder as a key prefix, with the slash.
func (s *Store) dir(k VideoKey) string { return s.loc.prefix + k.Dir() + "/" }

// assetKey checks both halves and joins them.
func (s *Store) assetKey(k VideoKey, name string) (string, error) {
	if err := k.Validate(); err != nil {
		return "", err
	}
	if err := validAssetKey(name); err != nil {
		return "", fmt.Errorf("video %s: %w", k, err)
	}
	return s.dir(k) + name, nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
