package fetch_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

// wantBlocked wants an error at once that names the setting.
func (b *bench) wantBlocked(err error, says string) {
	b.t.Helper()
	b.clean(err)
	var hint interface{ Hint() string }
	if !errors.Is(err, fetch.ErrBlocked) || !errors.As(err, &hint) {
		b.t.Errorf("got %v, want ErrBlocked", err)
		return
	}
	if text := err.Error() + " " + hint.Hint(); !strings.Contains(text, says) {
		b.t.Errorf("%q does not say %q", text, says)
	}
}

func TestALinkIntoTheNetworkIsNotFollowed(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.PrivateSources = nil
	b := setupWith(t, cfg, size)
	port := b.URL[strings.LastIndex(b.URL, ":"):]
	for raw, says := range map[string]string{
		"https://127.0.0.1" + port + "/":                "REELKEEP_PRIVATE_SOURCES",
		"http://127.0.0.1" + port + "/":                 "REELKEEP_PRIVATE_SOURCES",
		"https://localhost" + port + "/":                "REELKEEP_PRIVATE_SOURCES",
		"http://localhost" + port + "/":                 "REELKEEP_PRIVATE_SOURCES",
		"https://[::ffff:127.0.0.1]" + port + "/":       "REELKEEP_PRIVATE_SOURCES",
		"https://[::1]/":                                "REELKEEP_PRIVATE_SOURCES",
		"https://169.254.169.254/latest/meta-data":      "REELKEEP_PRIVATE_SOURCES",
		"http://93.184.215.14/public-but-plain":         "https",
		"https://93.184.215.14:22/public-but-odd":       "443",
		"ftp://host/file":                               "https",
		"https://user:TOPSECRET@host/file":              "user name",
		"file:///etc/passwd":                            "https://host/path",
		"TOPSECRET":                                     "https://host/path",
		"https://":                                      "https://host/path",
		"https://[::1/?Signature=TOPSECRET":             "https://host/path",
		"https://:443/?Signature=TOPSECRET":             "https://host/path",
		"https://host/%zz?Signature=TOPSECRET":          "https://host/path",
		"https://169.254.169.254\\@93.184.215.14/TOP":   "https://host/path",
		"https://0.0.0.0" + port + "/":                  "REELKEEP_PRIVATE_SOURCES",
		"https://[64:ff9b::7f00:1]/nat64?q=TOPSECRET":   "REELKEEP_PRIVATE_SOURCES",
		"https://[fe80::1%25lo]/zone?q=TOPSECRET":       "REELKEEP_PRIVATE_SOURCES",
		"https://[2002:7f00:1::]/6to4?q=TOPSECRET":      "REELKEEP_PRIVATE_SOURCES",
		"https://2130706433" + port + "/?q=1#TOPSECRET": "",
	} {
		if says == "" {
			continue // a name to the resolver, which may be asked but is not ours to predict
		}
		_, err := b.client.Open(t.Context(), fetch.Link{URL: secretLink(raw)}, nil, fetch.Options{})
		b.wantBlocked(err, says)
	}
	if n := len(b.seen()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestOnlyTheNamedHostsAreAsked(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.SourceHosts = []string{".HeyGen.ai", "*.example.org.", "127.0.0.1"}
	b := setupWith(t, cfg, size)
	b.open(fetch.Options{})
	for _, raw := range []string{"https://evilheygen.ai/", "https://heygen.ai.evil/", "https://1.127.0.0.1/", "https://7.0.0.1/"} {
		_, err := b.client.Open(t.Context(), fetch.Link{URL: secretLink(raw)}, nil, fetch.Options{})
		b.wantBlocked(err, "REELKEEP_SOURCE_HOSTS")
	}
}

func TestALinkFromRefreshIsCheckedToo(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.SourceHosts = []string{"127.0.0.1"}
	b := setupWith(t, cfg, size, status(403))
	elsewhere := func(context.Context) (fetch.Link, error) {
		return fetch.Link{URL: secretLink("https://elsewhere.example/?s=TOPSECRET")}, nil
	}
	_, err := b.client.Open(t.Context(), b.link(0), elsewhere, fetch.Options{})
	b.wantBlocked(err, "REELKEEP_SOURCE_HOSTS")
}

// to answers with a redirect.
func to(code int, location string) trick {
	return answers("HTTP/1.1 %d Moved\nLocation: %s", code, location)
}

func TestARedirectIsFollowedWithoutALeak(t *testing.T) {
	t.Parallel()
	b := setup(t, size)
	other := &source{file: b.file, etag: `"v1"`, modified: b.modified}
	other.Server = httptest.NewServer(other)
	defer other.Close()
	b.play(
		to(301, "/next?Signature=TOPSECRET%7e1"), to(302, "?relative=1"), to(303, "deeper%2Fdown"),
		to(307, "//"+strings.TrimPrefix(b.URL, "http://")+"/fourth"), to(308, other.URL+"/a%2fb|~?X-Sig=TOPSECRET~"),
	)
	f := b.open(fetch.Options{Length: 10})
	b.wantBytes(f, 0, 10)
	var paths []string
	for _, r := range append(b.seen(), other.seen()...) {
		paths = append(paths, r.RequestURI)
		if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s was sent %v", r.RequestURI, r.Header)
		}
	}
	want := "/next?Signature=TOPSECRET%7e1 /next?relative=1 /deeper%2Fdown /fourth /a%2fb|~?X-Sig=TOPSECRET~"
	if got := strings.Join(paths[1:], " "); got != want {
		t.Errorf("went to %s\nwant %s", got, want)
	}
	b.wantBytes(f, 50, 10) // later ranges start from the link again
	if n := len(b.seen()); n != 6 {
		t.Errorf("%d requests", n)
	}
}

func TestARedirectIsHeldToTheSameRules(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.SourceHosts = []string{"127.0.0.1", "inside.example"}
	b := setupWith(t, cfg, size)
	for location, says := range map[string]string{
		"https://elsewhere.example/?s=TOPSECRET": "REELKEEP_SOURCE_HOSTS",
		"file:///etc/passwd":                     "https://host/path",
		"https://u:TOPSECRET@127.0.0.1/":         "user name",
		"/again?s=TOPSECRET":                     "redirects",
	} {
		b.playAlways(to(302, location))
		b.wantBlocked(b.openError(fetch.Options{}), says)
	}
	if n := len(b.seen()); n != 3+6 {
		t.Errorf("%d requests, want one each and 5 redirects", n)
	}
}

func TestHTTPSIsVerifiedAndNeverLeftForHTTP(t *testing.T) {
	t.Parallel()
	s := &source{file: randomBytes(size), etag: `"v1"`}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
	s.StartTLS()
	defer s.Close()
	cfg := fast()
	b := setupWith(t, cfg, size)
	if _, err := b.client.Open(t.Context(), s.link(0), nil, fetch.Options{}); !isGiveUp(err) ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown authority: %v", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(s.Certificate())
	trusting, err := fetch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer trusting.Close()
	f, err := trusting.Open(t.Context(), s.link(0), nil, fetch.Options{Length: size})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b.file = s.file
	b.wantBytes(f, 0, -1)
	if p := s.seen()[0].Proto; p != "HTTP/1.1" {
		t.Errorf("spoke %s", p)
	}
	s.play(to(302, b.URL+"/?s=TOPSECRET"))
	_, err = trusting.Open(t.Context(), s.link(0), nil, fetch.Options{})
	b.wantBlocked(err, "plain http")
}

func TestAProxyFromTheEnvironmentIsNotUsed(t *testing.T) {
	b := setup(t, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	b.wantBytes(b.open(fetch.Options{}), 0, -1)
	// Loopback is never proxied by net/http's own rule, so ask for an address that would be.
	_, err := b.client.Open(t.Context(), fetch.Link{URL: secretLink("http://10.1.2.3/x")}, nil, fetch.Options{})
	b.wantBlocked(err, "REELKEEP_PRIVATE_SOURCES")
}
