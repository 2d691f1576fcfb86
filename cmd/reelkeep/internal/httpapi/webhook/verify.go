package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// window is how far the time of a delivery may be from ours, before and after: HeyGen's documents say five minutes.
const window = 5 * time.Minute

// keyring is every secret that is live.
type keyring struct {
	keys     [][]byte
	accounts []string
}

func newKeyring(secrets []Secret) keyring {
	var k keyring
	for _, s := range secrets {
		k.keys = append(k.keys, []byte(s.Secret.Reveal()))
		k.accounts = append(k.accounts, s.Account)
	}
	return k
}

// verify says whose delivery it is, or why it is nobody's.
//
// The time is no part of what HeyGen signs, so that it only stops those who repeat a delivery as it was. One without a
// time is as good: v1 sends none, and v3 was seen without. To repeat one is harmless by itself: it is a signal to look.
func (k keyring) verify(h http.Header, body []byte, now time.Time) (account, why string) {
	given := signatures(h)
	if len(given) == 0 {
		return "", noSignature
	}
	account, ok := k.find(given, body)
	if !ok {
		return "", wrongMAC
	}
	for _, text := range h.Values("Heygen-Timestamp") {
		seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > window {
			return "", wrongTime
		}
	}
	return account, ""
}

// find tries every secret, however early one fits: the time it takes says nothing of which.
func (k keyring) find(given [][]byte, body []byte) (account string, ok bool) {
	found := len(k.keys)
	for i, key := range k.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(body)
		want := mac.Sum(nil)
		for _, got := range given {
			// The first of two accounts with the same secret has it.
			fits := subtle.ConstantTimeCompare(got, want) & subtle.ConstantTimeEq(int32(found), int32(len(k.keys)))
			found = subtle.ConstantTimeSelect(fits, i, found)
		}
	}
	if found == len(k.keys) {
		return "", false
	}
	return k.accounts[found], true
}

// maxSignatures bounds the work that a header can make us do.
const maxSignatures = 4

// signatures are what the delivery gives as one, in v1's header and in v3's: an endpoint of v3 was seen to send v1's.
func signatures(h http.Header) [][]byte {
	var out [][]byte
	for _, name := range []string{"Heygen-Signature", "Signature"} {
		for _, text := range h.Values(name) {
			text = strings.TrimPrefix(strings.TrimSpace(text), "sha256=")
			if mac, err := hex.DecodeString(text); err == nil && len(mac) == sha256.Size && len(out) < maxSignatures {
				out = append(out, mac)
			}
		}
	}
	return out
}
