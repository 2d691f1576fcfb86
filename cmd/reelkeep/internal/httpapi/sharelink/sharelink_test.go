package sharelink

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

const base = "https://videos.example.com/keep"

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func signer(secrets ...string) *Signer {
	var list []secret.String
	for _, s := range secrets {
		list = append(list, secret.New(s))
	}
	return NewSigner(list)
}

func share(t *testing.T, s *Signer, f File, until time.Time) (path string, query url.Values) {
	t.Helper()
	link, err := s.Share(base, f, until)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path, u.Query()
}

func TestAShareLinkOpensItsFileUntilItsTime(t *testing.T) {
	t.Parallel()
	s := signer("first-secret-of-the-links")
	f := File{VideoID: "v1", Asset: "video"}
	path, query := share(t, s, f, noon().Add(time.Hour))
	if path != "/keep/v/v1/video" || query.Has(ParamAccount) {
		t.Errorf("the link leads to %s?%v", path, query)
	}
	until, err := s.Check(f, query, noon())
	if err != nil || !until.Equal(noon().Add(time.Hour)) {
		t.Errorf("got %v, %v", until, err)
	}
	if _, err := s.Check(f, query, noon().Add(time.Hour-time.Second)); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	if _, err := s.Check(f, query, noon().Add(time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("when its time is over: %v", err)
	}
}

func TestALinkForEverIsForEver(t *testing.T) {
	t.Parallel()
	s := signer("first-secret-of-the-links")
	f := File{Account: "west", VideoID: "v1", Asset: "captions"}
	path, query := share(t, s, f, time.Time{})
	if path != "/keep/v/v1/captions" || query.Get(ParamAccount) != "west" || query.Get(ParamExpiry) != "0" {
		t.Errorf("the link leads to %s?%v", path, query)
	}
	if until, err := s.Check(f, query, noon().AddDate(500, 0, 0)); err != nil || !until.IsZero() {
		t.Errorf("after 500 years: %v, %v", until, err)
	}
}

// The words and their order are a promise to every link that was ever given away.
func TestALinkOfTodayOpensTomorrow(t *testing.T) {
	t.Parallel()
	link, err := signer("0123456789abcdef").Share("https://v.example.com/", File{Account: "west", VideoID: "0a1b", Asset: "gif"}, time.Unix(1800000000, 0))
	const want = "https://v.example.com/v/0a1b/gif?account=west&e=1800000000&s=RpPv1vdQLZPPUHOwh24n01OFW3YncBpVGSZ11X72q8Y"
	if err != nil || link != want {
		t.Errorf("got  %s, %v\nwant %s", link, err, want)
	}
}

func TestARotatedSecretIsStillBelieved(t *testing.T) {
	t.Parallel()
	f := File{VideoID: "v1", Asset: "video"}
	_, old := share(t, signer("the-old-secret-of-links"), f, time.Time{})
	both := signer("the-new-secret-of-links", "the-old-secret-of-links")
	if _, err := both.Check(f, old, noon()); err != nil {
		t.Errorf("the old link: %v", err)
	}
	_, fresh := share(t, both, f, time.Time{})
	if _, err := signer("the-new-secret-of-links").Check(f, fresh, noon()); err != nil {
		t.Errorf("the new link is not signed by the first secret: %v", err)
	}
	if _, err := signer("the-new-secret-of-links").Check(f, old, noon()); !errors.Is(err, ErrForged) {
		t.Errorf("the old link after its secret was taken away: %v", err)
	}
}

func TestALinkThatWasChangedInAnyPlaceOpensNothing(t *testing.T) {
	t.Parallel()
	s := signer("first-secret-of-the-links")
	f := File{Account: "west", VideoID: "v1", Asset: "video"}
	_, good := share(t, s, f, noon().Add(time.Hour))
	sig, e := good.Get(ParamSignature), good.Get(ParamExpiry)
	files := map[string]File{
		"another asset": {"west", "v1", "gif"}, "another video": {"west", "v2", "video"}, "another account": {"east", "v1", "video"},
		"the default account": {"", "v1", "video"}, "what moves a boundary": {"west", "v1\nvideo", "video"}, "no asset": {"west", "v1", ""},
	}
	for name, other := range files {
		if _, err := s.Check(other, good, noon()); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	queries := map[string]url.Values{
		"for ever": {"e": {"0"}, "s": {sig}}, "later": {"e": {e + "0"}, "s": {sig}}, "a leading zero": {"e": {"0" + e}, "s": {sig}},
		"a plus": {"e": {"+" + e}, "s": {sig}}, "no expiry": {"s": {sig}}, "no signature": {"e": {e}}, "two signatures": {"e": {e}, "s": {sig, sig}},
		"two expiries": {"e": {e, "0"}, "s": {sig}}, "padding": {"e": {e}, "s": {sig + "="}}, "a shorter one": {"e": {e}, "s": {sig[:42]}},
		"an empty one": {"e": {e}, "s": {""}}, "another case": {"e": {e}, "s": {strings.ToLower(sig)}}, "a line feed": {"e": {e}, "s": {sig + "\n"}},
	}
	for name, query := range queries {
		if _, err := s.Check(f, query, noon()); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The last character of 43 carries two bits that mean nothing: there are four spellings of every signature.
func TestASignatureHasOneSpelling(t *testing.T) {
	t.Parallel()
	s := signer("first-secret-of-the-links")
	f := File{VideoID: "v1", Asset: "video"}
	_, query := share(t, s, f, time.Time{})
	sig := query.Get(ParamSignature)
	want, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		other := sig[:42] + string(last)
		if b, err := base64.RawURLEncoding.DecodeString(other); err != nil || string(b) != string(want) {
			continue
		}
		same++
		if _, err := s.Check(f, url.Values{"e": {"0"}, "s": {other}}, noon()); (err == nil) != (other == sig) {
			t.Errorf("%s: %v", other, err)
		}
	}
	if same != 4 {
		t.Errorf("%d spellings of the same bytes, want 4: this test tests nothing", same)
	}
}

// Signing e as it stands means that a forger can't choose among spellings; reading it must not either.
func TestAnExpiryHasOneSpellingEvenIfSigned(t *testing.T) {
	t.Parallel()
	s := signer("first-secret-of-the-links")
	f := File{VideoID: "v1", Asset: "video"}
	for _, e := range []string{"", "-1", "00", "+0", "1e9", "0x7fffffff", " 0", "99999999999999999999"} {
		query := url.Values{"e": {e}, "s": {sign(s.secrets[0], f, e)}}
		if _, err := s.Check(f, query, noon()); !errors.Is(err, ErrForged) {
			t.Errorf("%q: %v", e, err)
		}
	}
}

func TestWithoutSecretsNothingIsSignedOrBelieved(t *testing.T) {
	t.Parallel()
	f := File{VideoID: "v1", Asset: "video"}
	none := NewSigner(nil)
	_, err := none.Share(base, f, time.Time{})
	var missing *NoSecretError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "REELKEEP_LINK_SECRETS") || missing.Hint() == "" {
		t.Errorf("share: %v", err)
	}
	for _, s := range []*Signer{none, new(Signer)} {
		if _, err := s.Check(f, url.Values{"e": {"0"}, "s": {sign(nil, f, "0")}}, noon()); !errors.Is(err, ErrForged) {
			t.Errorf("signed with nothing: %v", err)
		}
	}
}

func TestNoLinkLeadsOutOfItsPath(t *testing.T) {
	t.Parallel()
	for _, f := range []File{{VideoID: "../x", Asset: "video"}, {VideoID: "v1", Asset: "video?x"}, {Account: "a/b", VideoID: "v1", Asset: "video"}, {VideoID: "", Asset: "video"}} {
		if link, err := Permalink(base, f); err == nil {
			t.Errorf("%+v: got %s", f, link)
		}
	}
	if link, err := Permalink(base+"/", File{Account: "west", VideoID: "v_1", Asset: "gif"}); err != nil || link != base+"/v/v_1/gif?account=west" {
		t.Errorf("got %s, %v", link, err)
	}
}

func FuzzNoQueryOpensAFile(f *testing.F) {
	s := signer("first-secret-of-the-links")
	file := File{VideoID: "v1", Asset: "video"}
	f.Add("e=0&s=" + sign(s.secrets[0], File{VideoID: "v2", Asset: "video"}, "0"))
	f.Add("e=0&s=")
	good := sign(s.secrets[0], file, "0")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil || query.Get("s") == good {
			return
		}
		if _, err := s.Check(file, query, noon()); err == nil {
			t.Errorf("%q opens the file", raw)
		}
	})
}
