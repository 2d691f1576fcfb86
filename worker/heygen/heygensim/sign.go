package heygensim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	keyPairID     = "K2SIMULATED000"
	signatureSize = 256 // bytes of an RSA-2048 signature: 344 characters in the link, as real ones have
)

// signer signs links and checks them. CloudFront signs with RSA; an HMAC, stretched to the same length, is as hard to
// forge from outside.
type signer struct{ key []byte }

func newSigner() signer {
	key := make([]byte, 32)
	rand.Read(key) // never fails, by its own promise
	return signer{key}
}

// query is what follows the "?" of a link. A download id makes every link another one, as it does since 2026.
func (s signer) query(path, downloadID string, expires int64) string {
	prefix := ""
	if downloadID != "" {
		prefix = "download_id=" + downloadID + "&"
	}
	return fmt.Sprintf("%sExpires=%d&Signature=%s&Key-Pair-Id=%s", prefix, expires, s.signature(path, downloadID, expires), keyPairID)
}

func (s signer) signature(path, downloadID string, expires int64) string {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%d", path, downloadID, expires)
	sig := make([]byte, signatureSize)
	mathrand.NewChaCha8([32]byte(mac.Sum(nil))).Read(sig) // never fails, by its own promise
	// CloudFront's own alphabet: what base64 has beyond letters and digits would need escaping in a query.
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(sig))
}

var signedQuery = regexp.MustCompile(`^(?:download_id=([0-9a-f-]{36})&)?Expires=([0-9]{1,12})&Signature=[A-Za-z0-9_~-]+&Key-Pair-Id=[A-Z0-9]+$`)

// check returns CloudFront's error code for a link that may not be followed, or "". The query has to come
// back byte for byte: what is compared is its spelling, not what it means.
func (s signer) check(path, query string, now time.Time) (code, message string) {
	if query == "" || !strings.Contains(query, "Key-Pair-Id=") {
		return "MissingKey", "Missing Key-Pair-Id query parameter or cookie value"
	}
	if !strings.Contains(query, "Key-Pair-Id="+keyPairID) {
		return "InvalidKey", "Unknown Key"
	}
	m := signedQuery.FindStringSubmatch(query)
	if m == nil {
		return "AccessDenied", "Access denied"
	}
	expires, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil || now.Unix() >= expires || !hmac.Equal([]byte(query), []byte(s.query(path, m[1], expires))) {
		return "AccessDenied", "Access denied"
	}
	return "", ""
}

// link is a fresh link to a path. It lives LinkLife at least and ends on a whole second.
func (s *Sim) link(path string, unique bool) string {
	end := s.opt.Now().Add(s.opt.LinkLife)
	expires := end.Unix()
	if end.Nanosecond() > 0 {
		expires++
	}
	id := ""
	if unique {
		h := randomHex(16)
		id = strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	}
	return s.fileURL + path + "?" + s.signer.query(path, id, expires)
}
