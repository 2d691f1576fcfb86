package heygen

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// DefaultBaseURL is where HeyGen answers.
const DefaultBaseURL = "https://api.heygen.com"

const defaultKeySetting = "HEYGEN_API_KEY"

// Values of Config.Version.
const (
	VersionAuto = "auto"
	VersionV3   = "v3"
	VersionV1   = "v1"
)

// Config says which HeyGen account to talk to, and how.
type Config struct {
	BaseURL   string        // "" is DefaultBaseURL; a path in front of /v3 and /v1 is kept
	Key       secret.String // goes to BaseURL and nowhere else
	Version   string        // "" is VersionAuto
	UserAgent string        // "" is "reelkeep"

	// KeySetting is what messages call the place where a person finds Key; "" is HEYGEN_API_KEY.
	KeySetting string

	// Gate lets requests in. nil: all, at once.
	Gate Gate

	// HTTP replaces the transport and time-outs. Its redirect rule and cookie jar are not used: neither may
	// carry the key to another host.
	HTTP *http.Client
	Log  *slog.Logger
	Now  func() time.Time

	// Observe hears of every request: endpoint is status, list, statuses or webhooks; code is 2xx, 3xx, 4xx, 429, 5xx or error.
	// A request that the caller gave up is not reported. It may be called from several goroutines.
	Observe func(endpoint, code string, d time.Duration)
}

// Client asks HeyGen. It is safe for use by several goroutines.
type Client struct {
	cfg    Config
	base   string // without a slash at the end
	http   *http.Client
	memory memory
}

// New checks the settings and builds a client. It contacts nobody.
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	switch cfg.Version {
	case "":
		cfg.Version = VersionAuto
	case VersionAuto, VersionV3, VersionV1:
	default:
		return nil, fmt.Errorf("HEYGEN_API_VERSION: want auto, v3 or v1, got %q", cfg.Version)
	}
	cfg.KeySetting = firstOf(cfg.KeySetting, defaultKeySetting)
	if !printable(cfg.Key.Reveal()) {
		return nil, errors.New(cfg.KeySetting + ": the key holds a space, a line break or another character that no key has")
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "reelkeep"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, time.Duration) {}
	}
	c := &Client{cfg: cfg, base: base, http: httpClient(cfg.HTTP)}
	c.memory.fixed = cfg.Version
	return c, nil
}

// Close lets go of idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// version matches the end of an address that already names a generation, as HeyGen's own pages do.
var version = regexp.MustCompile(`/v[0-9]+$`)

// baseURL checks the address. Errors never repeat it: it could hold a password.
func baseURL(raw string) (string, error) {
	if raw == "" {
		return DefaultBaseURL, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("HEYGEN_API_URL: not an address; want something like " + DefaultBaseURL)
	}
	shown := secret.New(raw).String()
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return "", errors.New("HEYGEN_API_URL: want an address that starts with https:// or http:// and names a host, like " + DefaultBaseURL)
	case u.User != nil:
		return "", fmt.Errorf("HEYGEN_API_URL: %s must not carry a user or password; the key belongs into HEYGEN_API_KEY", shown)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("HEYGEN_API_URL: %s must not have anything behind a ? or #", shown)
	}
	base := strings.TrimRight(u.String(), "/")
	if v := version.FindString(base); v != "" {
		return "", fmt.Errorf("HEYGEN_API_URL: leave out %s at the end; HEYGEN_API_VERSION picks the generation", v)
	}
	return base, nil
}

// printable says whether a key can be put into a header as it is.
func printable(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return false
		}
	}
	return true
}
