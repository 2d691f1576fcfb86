package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// Config is every setting, checked.
type Config struct {
	// Accounts are the HeyGen accounts, by name in order. HEYGEN_API_KEY is the one called DefaultAccount.
	Accounts         []Account
	HeyGenURL        string
	HeyGenVersion    string
	Redis            secret.String
	Store            string // "" = not set
	StoreFolder      string // the absolute folder, if Store is one
	S3PublicURL      string
	Checksum         string
	Concurrency      int
	PartSize, Memory int64 // bytes
	Streams          int
	Bandwidth        int64 // bytes a second; 0 = no limit
	HostStreams      int
	StallTimeout     time.Duration
	SourceHosts      []string
	PrivateSources   []netip.Prefix
	RenderWait       time.Duration
	LateAssetsWait   time.Duration
	OpsListen        string        // host:port
	SweepEvery       time.Duration // 0 = off
	SweepFullEvery   time.Duration // 0 = off
	Listen           string        // host:port
	APITokens        []APIToken
	PublicURL        string // without a slash at its end; "" = not set
	LinkSecrets      []secret.String
	PermalinkMode    string // auto, redirect, proxy
	PublicPermalinks bool
	DropIn           string          // off, status, full
	WebhookSecrets   []secret.String // those of DefaultAccount; other accounts have their own
	WebhookToken     secret.String
	NotifyURL        secret.String // its path or query may be what keeps others from it
	NotifySecret     secret.String // whsec_…
	LogFormat        string
	LogLevel         slog.Level
}

// SettingError is one setting with a value that cannot be used.
type SettingError struct {
	Env  string
	Want string
	Got  string // as given; "" for secrets
}

func (e *SettingError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("%s: %s", e.Env, e.Want)
	}
	return fmt.Sprintf("%s: want %s, got %q", e.Env, e.Want, e.Got)
}

// Lookup gives the value of a setting and whether one was given, by flag or environment.
type Lookup func(Setting) (string, bool)

// Environment is the Lookup of a process without flags.
func Environment(s Setting) (string, bool) { return os.LookupEnv(s.Env) }

// Load reads and checks all settings. Its error names every setting that is wrong.
func Load(lookup Lookup) (Config, error) {
	r := &reader{values: map[string]string{}}
	for _, s := range Settings() {
		r.read(s, lookup)
	}
	c := Config{
		Accounts:       r.accounts(),
		HeyGenURL:      r.origin("HEYGEN_API_URL"),
		HeyGenVersion:  r.oneOf("HEYGEN_API_VERSION", "auto", "v3", "v1"),
		Redis:          r.redis("REELKEEP_REDIS"),
		Store:          r.values["REELKEEP_STORE"],
		S3PublicURL:    r.origin("REELKEEP_S3_PUBLIC_URL"),
		Checksum:       r.oneOf("REELKEEP_CHECKSUM", "auto", "crc64nvme", "md5", "readback"),
		Concurrency:    r.number("REELKEEP_CONCURRENCY", 1, 1024),
		PartSize:       r.bytes("REELKEEP_PART_SIZE", 5<<20, 5<<30),
		Memory:         r.bytes("REELKEEP_MEMORY", 1, 1<<50),
		Streams:        r.number("REELKEEP_STREAMS", 1, 256),
		HostStreams:    r.number("REELKEEP_HOST_STREAMS", 1, 1024),
		StallTimeout:   r.duration("REELKEEP_STALL_TIMEOUT", time.Second, time.Hour),
		SourceHosts:    r.list("REELKEEP_SOURCE_HOSTS"),
		PrivateSources: r.prefixes("REELKEEP_PRIVATE_SOURCES"),
		RenderWait:     r.duration("REELKEEP_RENDER_WAIT", time.Second, 10*365*24*time.Hour),
		LateAssetsWait: r.duration("REELKEEP_LATE_ASSETS_WAIT", 0, 7*24*time.Hour),
		OpsListen:      r.address("REELKEEP_OPS_LISTEN"),
		SweepEvery:     r.duration("REELKEEP_SWEEP_EVERY", 0, 10*365*24*time.Hour),
		SweepFullEvery: r.duration("REELKEEP_SWEEP_FULL_EVERY", 0, 10*365*24*time.Hour),
		Listen:         r.address("REELKEEP_LISTEN"),
		PublicURL:      r.origin("REELKEEP_PUBLIC_URL"),
		LinkSecrets:    r.secrets("REELKEEP_LINK_SECRETS", shortestLinkSecret),
		PermalinkMode:  r.oneOf("REELKEEP_PERMALINK_MODE", "auto", "redirect", "proxy"),
		DropIn:         r.oneOf("REELKEEP_DROPIN", "off", "status", "full"),
		WebhookSecrets: r.secrets("REELKEEP_WEBHOOK_SECRETS", shortestSecret),
		WebhookToken:   r.pathToken("REELKEEP_WEBHOOK_TOKEN"),
		NotifyURL:      r.endpoint("REELKEEP_NOTIFY_URL"),
		NotifySecret:   r.signingSecret("REELKEEP_NOTIFY_SECRET"),
		LogFormat:      r.oneOf("REELKEEP_LOG_FORMAT", "text", "json"),
		LogLevel:       r.level("REELKEEP_LOG_LEVEL"),
	}
	c.APITokens = r.apiTokens("REELKEEP_API_TOKENS", c.AccountNames())
	c.PublicPermalinks = r.oneOf("REELKEEP_PUBLIC_PERMALINKS", "true", "false") == "true"
	if r.values["REELKEEP_BANDWIDTH"] != "" {
		c.Bandwidth = r.bytes("REELKEEP_BANDWIDTH", 64<<10, 1<<40)
	}
	if c.Memory > 0 && c.PartSize > 0 && c.Memory < c.PartSize {
		r.fail("REELKEEP_MEMORY", "at least one part (REELKEEP_PART_SIZE is "+r.values["REELKEEP_PART_SIZE"]+")")
	}
	r.notKeys(c)
	r.ownPath(c.PublicURL)
	c.StoreFolder = r.folder(c.Store)
	return c, errors.Join(r.errs...)
}

// UseStore sets the store of a command that has a default for it.
func (c *Config) UseStore(store string) error {
	r := &reader{values: map[string]string{"REELKEEP_STORE": store}}
	c.Store, c.StoreFolder = store, r.folder(store)
	return errors.Join(r.errs...)
}

// Need returns an error that names the settings among envs that are not set. Commands call it for what they
// cannot work without.
func (c Config) Need(envs ...string) error {
	var errs []error
	for _, env := range envs {
		switch {
		case env == "HEYGEN_API_KEY" && len(c.Accounts) == 0:
			errs = append(errs, &SettingError{Env: env, Want: "set it to the key of your HeyGen account (app.heygen.com → Settings → API), or REELKEEP_ACCOUNTS_FILE for several"})
		case env == "REELKEEP_STORE" && c.Store == "":
			errs = append(errs, &SettingError{Env: env, Want: "set it to s3://bucket/prefix or to a folder"})
		case env == "REELKEEP_PUBLIC_URL" && c.PublicURL == "":
			errs = append(errs, &SettingError{Env: env, Want: "set it to the address under which others reach the API, such as https://videos.example.com"})
		case env == "REELKEEP_LINK_SECRETS" && len(c.LinkSecrets) == 0:
			errs = append(errs, &SettingError{Env: env, Want: "set it to a secret that signs share links (openssl rand -hex 32 makes a good one), the same on all replicas"})
		case env == "REELKEEP_REDIS" && c.Redis.IsZero():
			errs = append(errs, &SettingError{Env: env, Want: "set it to redis://host:6379/0, the Redis of your fleet"})
		}
	}
	return errors.Join(errs...)
}

// reader collects values and what is wrong with them.
type reader struct {
	values map[string]string
	errs   []error
}

func (r *reader) fail(env, want string) {
	r.errs = append(r.errs, &SettingError{Env: env, Want: want, Got: r.values[env]})
}

func (r *reader) read(s Setting, lookup Lookup) {
	value, given := lookup(s)
	value = strings.TrimSpace(value)
	if s.Secret {
		value, given = r.secretFile(s, value, given)
	}
	if !given || value == "" {
		value = s.Default
	}
	r.values[s.Env] = value
}

func (r *reader) secretFile(s Setting, value string, given bool) (string, bool) {
	file := os.Getenv(s.Env + "_FILE")
	if file == "" {
		return value, given
	}
	if value != "" {
		r.errs = append(r.errs, &SettingError{Env: s.Env, Want: "set it or " + s.Env + "_FILE, not both"})
		return value, given
	}
	text, err := os.ReadFile(file)
	if err != nil {
		r.errs = append(r.errs, &SettingError{Env: s.Env + "_FILE", Want: "cannot be read: " + err.Error()})
		return "", false
	}
	return strings.TrimSpace(string(text)), true
}

// redis takes any of the URL forms. The error does not repeat the URL: it may hold a password.
func (r *reader) redis(env string) secret.String {
	value := r.values[env]
	if value == "" {
		return secret.String{}
	}
	if err := queue.CheckURL(value); err != nil {
		r.errs = append(r.errs, err)
	}
	return secret.New(value)
}

// origin takes scheme://host[:port] and nothing behind it but a path for the API.
func (r *reader) origin(env string) string {
	value := r.values[env]
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		r.values[env] = secret.Scrub(value)
		r.fail(env, "an address such as https://host, without query or credentials")
		return ""
	}
	if env == "REELKEEP_S3_PUBLIC_URL" && strings.Trim(u.Path, "/") != "" {
		r.fail(env, "an origin without a path, such as https://files.example.com")
	}
	return strings.TrimRight(value, "/")
}

// ownPath refuses a path in our own address that begins like one of our routes: of a request to it nobody could say whether
// what stands before us has taken the path away.
func (r *reader) ownPath(public string) {
	u, err := url.Parse(public)
	if err != nil {
		return
	}
	first, _, _ := strings.Cut(strings.TrimLeft(u.Path, "/"), "/")
	if slices.Contains([]string{"api", "assets", "docs", "events", "favicon.ico", "openapi.json", "signin", "signout", "v", "v1", "v2", "v3", "videos", "webhooks"}, first) {
		r.fail("REELKEEP_PUBLIC_URL", "an address whose path, if it has one, does not begin with /"+first+", which is a route of reelkeep's own; such as https://host/reelkeep")
	}
}

func (r *reader) oneOf(env string, words ...string) string {
	for _, word := range words {
		if r.values[env] == word {
			return word
		}
	}
	r.fail(env, strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	return ""
}

func (r *reader) number(env string, from, to int) int {
	n, err := strconv.Atoi(r.values[env])
	if err != nil || n < from || n > to {
		r.fail(env, fmt.Sprintf("a number from %d to %d", from, to))
		return 0
	}
	return n
}

func (r *reader) duration(env string, from, to time.Duration) time.Duration {
	d, err := time.ParseDuration(r.values[env])
	if r.values[env] == "0" {
		d, err = 0, nil
	}
	if err != nil || d < from || d > to {
		r.fail(env, fmt.Sprintf("a duration from %s to %s, such as 30s, 10m or 72h", from, to))
		return 0
	}
	return d
}

func (r *reader) bytes(env string, from, to int64) int64 {
	n, err := ParseBytes(r.values[env])
	if err != nil || n < from || n > to {
		want := "a size such as 8MiB or 1GiB"
		if from > 1 {
			want = fmt.Sprintf("a size from %s to %s", FormatBytes(from), FormatBytes(to))
		}
		r.fail(env, want)
		return 0
	}
	return n
}

// address takes host:port; the host may be missing.
func (r *reader) address(env string) string {
	_, port, err := net.SplitHostPort(r.values[env])
	if _, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil {
		r.fail(env, "an address such as 127.0.0.1:8080 or :8080")
		return ""
	}
	return r.values[env]
}

func (r *reader) list(env string) []string {
	var out []string
	for part := range strings.SplitSeq(r.values[env], ",") {
		if part = strings.ToLower(strings.TrimSpace(part)); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (r *reader) prefixes(env string) []netip.Prefix {
	var out []netip.Prefix
	for _, part := range r.list(env) {
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			r.fail(env, "a comma list of CIDRs such as 10.0.0.0/8 or 127.0.0.1/32")
			return nil
		}
		out = append(out, prefix.Masked())
	}
	return out
}

func (r *reader) level(env string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.oneOf(env, "debug", "info", "warn", "error"))); err != nil {
		return slog.LevelInfo
	}
	return level
}

// folder returns the absolute folder of a store that is one, and checks the form of one that is not.
func (r *reader) folder(store string) string {
	r.values["REELKEEP_STORE"] = store
	if store == "" || strings.HasPrefix(store, "s3://") {
		return ""
	}
	if strings.HasPrefix(store, "s3:") {
		r.fail("REELKEEP_STORE", "s3://bucket/prefix or a folder")
		return ""
	}
	if scheme, _, found := strings.Cut(store, "://"); found {
		r.fail("REELKEEP_STORE", "s3://bucket/prefix or a folder (there is no store "+scheme+"://)")
		return ""
	}
	folder, err := filepath.Abs(store)
	if err != nil {
		r.fail("REELKEEP_STORE", "a folder that can be found")
	}
	return folder
}
