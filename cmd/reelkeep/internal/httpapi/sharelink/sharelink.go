package sharelink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Names of what a link carries in its query.
const (
	ParamAccount   = "account"
	ParamSignature = "s"
	ParamExpiry    = "e"
)

// DefaultAccount is whose video a link names that names no account.
const DefaultAccount = "default"

const domain = "reelkeep.sharelink/1"

var (
	// ErrForged: the signature is not one of ours for this file and this expiry.
	ErrForged = errors.New("this link's signature is not ours")
	// ErrExpired: the signature is ours, and its time is over.
	ErrExpired = errors.New("this link has expired")
)

// A NoSecretError means that share links can't be signed, and which setting is missing.
type NoSecretError struct{}

func (*NoSecretError) Error() string {
	return "sign a share link: REELKEEP_LINK_SECRETS is not set"
}

// Hint says what a person can do.
func (*NoSecretError) Hint() string {
	return "set REELKEEP_LINK_SECRETS to a secret of at least 16 characters (openssl rand -hex 32), the same on all replicas"
}

// File is one archived file: an asset of a video of an account. Account "" is DefaultAccount.
type File struct{ Account, VideoID, Asset string }

func (f File) account() string {
	if f.Account == "" {
		return DefaultAccount
	}
	return f.Account
}

// validate refuses what would need escaping in a path, and line feeds, which part the fields of a signature's text.
func (f File) validate() error {
	for _, part := range []string{f.account(), f.VideoID, f.Asset} {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return fmt.Errorf("link to %q of video %q of account %q: want letters, digits, _ or - in each", f.Asset, f.VideoID, f.account())
		}
	}
	return nil
}

// Permalink is the address of a file below base, which is REELKEEP_PUBLIC_URL. Opening it takes a token.
func Permalink(base string, f File) (string, error) {
	if err := f.validate(); err != nil {
		return "", err
	}
	return address(base, f, url.Values{}), nil
}

func address(base string, f File, query url.Values) string {
	if a := f.account(); a != DefaultAccount {
		query.Set(ParamAccount, a)
	}
	link := strings.TrimRight(base, "/") + "/v/" + f.VideoID + "/" + f.Asset
	if len(query) > 0 {
		link += "?" + query.Encode()
	}
	return link
}

// A Signer signs share links and tells ours from others. The zero value has no secrets: it signs and believes nothing.
type Signer struct{ secrets [][]byte }

// NewSigner takes REELKEEP_LINK_SECRETS: the first secret signs, all are believed.
func NewSigner(secrets []secret.String) *Signer {
	s := new(Signer)
	for _, one := range secrets {
		if !one.IsZero() {
			s.secrets = append(s.secrets, []byte(one.Reveal()))
		}
	}
	return s
}

// Ready says whether there is a secret to sign with.
func (s *Signer) Ready() bool { return len(s.secrets) > 0 }

// Share is an address of a file below base that opens without a token until then; the zero time means for ever. It is
// not looked whether the file is there.
func (s *Signer) Share(base string, f File, until time.Time) (string, error) {
	if !s.Ready() {
		return "", &NoSecretError{}
	}
	if err := f.validate(); err != nil {
		return "", err
	}
	e := "0"
	if !until.IsZero() {
		if until.Unix() <= 0 {
			return "", fmt.Errorf("sign a share link to %s: it would have expired in %d", f.VideoID, until.Year())
		}
		e = strconv.FormatInt(until.Unix(), 10)
	}
	return address(base, f, url.Values{ParamExpiry: {e}, ParamSignature: {sign(s.secrets[0], f, e)}}), nil
}

func sign(key []byte, f File, e string) string {
	mac := hmac.New(sha256.New, key)
	// hash.Hash never returns an error.
	_, _ = mac.Write([]byte(strings.Join([]string{domain, f.account(), f.VideoID, f.Asset, e}, "\n")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Signed says whether a query claims to be that of a share link.
func Signed(query url.Values) bool { return query.Has(ParamSignature) || query.Has(ParamExpiry) }

// Check says whether a query opens the file: until when (zero: for ever), or ErrForged or ErrExpired. It takes the same
// time whatever of the signature is wrong.
func (s *Signer) Check(f File, query url.Values, now time.Time) (until time.Time, err error) {
	given, e := query[ParamSignature], query[ParamExpiry]
	if len(given) != 1 || len(e) != 1 || f.validate() != nil {
		return time.Time{}, ErrForged
	}
	// The text is compared, not the bytes: base64 spells the same bytes in several ways.
	ours := false
	for _, key := range s.secrets {
		if hmac.Equal([]byte(sign(key, f, e[0])), []byte(given[0])) {
			ours = true
		}
	}
	seconds, numberErr := strconv.ParseInt(e[0], 10, 64)
	if !ours || numberErr != nil || seconds < 0 || strconv.FormatInt(seconds, 10) != e[0] {
		return time.Time{}, ErrForged
	}
	if seconds == 0 {
		return time.Time{}, nil
	}
	until = time.Unix(seconds, 0).UTC()
	if !now.Before(until) {
		return time.Time{}, ErrExpired
	}
	return until, nil
}
