package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func from(values map[string]string) Lookup {
	return func(s Setting) (string, bool) {
		v, ok := values[s.Env]
		return v, ok
	}
}

func TestTheDefaultsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	c, err := Load(from(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.HeyGenURL != "https://api.heygen.com" || c.HeyGenVersion != "auto" || c.Concurrency != 8 || c.PartSize != 8<<20 ||
		c.Memory != 128<<20 || c.HostStreams != 64 || c.Streams != 32 || c.Bandwidth != 0 || c.StallTimeout != 30*time.Second || c.RenderWait != 72*time.Hour ||
		c.LateAssetsWait != 10*time.Minute || c.LogLevel != slog.LevelInfo || c.Checksum != "auto" || c.Store != "" ||
		c.Listen != "127.0.0.1:8080" || c.PermalinkMode != "auto" || c.PublicPermalinks || c.DropIn != "status" {
		t.Errorf("got %+v", c)
	}
}

func TestAllBadSettingsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"HEYGEN_API_URL": "api.heygen.com", "HEYGEN_API_VERSION": "v2", "REELKEEP_STORE": "gs://bucket", "REELKEEP_S3_PUBLIC_URL": "https://x/path",
		"REELKEEP_CHECKSUM": "sha1", "REELKEEP_CONCURRENCY": "0", "REELKEEP_PART_SIZE": "1MiB", "REELKEEP_MEMORY": "lots", "REELKEEP_HOST_STREAMS": "-1",
		"REELKEEP_STREAMS": "257", "REELKEEP_BANDWIDTH": "1KiB",
		"REELKEEP_STALL_TIMEOUT": "10ms", "REELKEEP_PRIVATE_SOURCES": "10.0.0.1", "REELKEEP_RENDER_WAIT": "soon", "REELKEEP_LATE_ASSETS_WAIT": "-1s",
		"REELKEEP_LOG_FORMAT": "xml", "REELKEEP_LOG_LEVEL": "loud", "REELKEEP_OPS_LISTEN": "9464", "REELKEEP_SWEEP_EVERY": "hourly",
		"REELKEEP_SWEEP_FULL_EVERY": "-1h", "REELKEEP_ACCOUNTS_FILE": "/does/not/exist.json",
		"REELKEEP_REDIS": "htp://x:secretpw@h", "REELKEEP_LISTEN": "localhost", "REELKEEP_API_TOKENS": "short", "REELKEEP_PUBLIC_URL": "videos.example.com",
		"REELKEEP_LINK_SECRETS": "not-sixteen", "REELKEEP_PERMALINK_MODE": "stream", "REELKEEP_PUBLIC_PERMALINKS": "yes", "REELKEEP_DROPIN": "on",
		"REELKEEP_WEBHOOK_SECRETS": "short", "REELKEEP_WEBHOOK_TOKEN": "not/a/path/segment", "REELKEEP_NOTIFY_URL": "app.example.com/hook",
		"REELKEEP_NOTIFY_SECRET": "whsec_short",
	}
	_, err := Load(from(bad))
	if err == nil {
		t.Fatal("all of it was accepted")
	}
	for env := range bad {
		if !strings.Contains(err.Error(), env+":") {
			t.Errorf("%s is not named in:\n%v", env, err)
		}
	}
}

func TestAMemoryOfLessThanOnePartIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Load(from(map[string]string{"REELKEEP_MEMORY": "8MiB", "REELKEEP_PART_SIZE": "16MiB"}))
	if err == nil || !strings.Contains(err.Error(), "REELKEEP_MEMORY") || !strings.Contains(err.Error(), "REELKEEP_PART_SIZE") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(from(map[string]string{"REELKEEP_MEMORY": "8MiB"})); err != nil {
		t.Errorf("exactly one part: %v", err)
	}
}

func TestASecretComesFromItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk_from_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEYGEN_API_KEY_FILE", file)
	c, err := Load(from(nil))
	if err != nil || len(c.Accounts) != 1 || c.Accounts[0].Key.Reveal() != "sk_from_file" {
		t.Errorf("got %d accounts, %v", len(c.Accounts), err)
	}
	_, err = Load(from(map[string]string{"HEYGEN_API_KEY": "sk_also_set"}))
	if err == nil || !strings.Contains(err.Error(), "not both") || strings.Contains(err.Error(), "sk_also_set") {
		t.Errorf("both set: %v", err)
	}
	t.Setenv("HEYGEN_API_KEY_FILE", file+".missing")
	if _, err = Load(from(nil)); err == nil || !strings.Contains(err.Error(), "HEYGEN_API_KEY_FILE") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestARedisThatCanNeverBeReachedIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"redis://:secretpw@h:99999/0", "redis-cluster://", "redis-sentinel://h1,:26379?master=m", "redis://"} {
		_, err := Load(from(map[string]string{"REELKEEP_REDIS": bad}))
		if err == nil || !strings.Contains(err.Error(), "REELKEEP_REDIS") || strings.Contains(err.Error(), "secretpw") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, good := range []string{"redis://h", "rediss://user:p%40ss@h:6380/2", "redis-sentinel://h1:26379,h2/0?master=m", "redis-cluster://h1,h2:7000", "redis://[::1]:6379"} {
		if _, err := Load(from(map[string]string{"REELKEEP_REDIS": good})); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestSeveralAccountsComeFromTheirFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("west.key", "sk_west\n")
	file := write("accounts.json", `[{"name":"west","api_key_file":"west.key","webhook_secrets":["whsec_west_1","whsec_west_2"]},{"name":"east","api_key":"sk_east"}]`)
	c, err := Load(from(map[string]string{"REELKEEP_ACCOUNTS_FILE": file, "HEYGEN_API_KEY": "sk_default"}))
	if err != nil || strings.Join(c.AccountNames(), " ") != "default east west" {
		t.Fatalf("got %v, %v", c.AccountNames(), err)
	}
	if a, ok := c.Account("west"); !ok || a.Key.Reveal() != "sk_west" {
		t.Error("the key of west is not that of its file")
	} else if len(a.WebhookSecrets) != 2 || a.WebhookSecrets[1].Reveal() != "whsec_west_2" {
		t.Errorf("west has %d webhook secrets", len(a.WebhookSecrets))
	}
	for name, text := range map[string]string{
		"twice": `[{"name":"a","api_key":"SECRET"},{"name":"a","api_key":"SECRET"}]`,
		"both":  `[{"name":"a","api_key":"SECRET","api_key_file":"west.key"}]`,
		"none":  `[{"name":"a"}]`, "name": `[{"name":"a/b","api_key":"SECRET"}]`, "shape": `{"a":"SECRET"}`,
		"missing": `[{"name":"a","api_key_file":"no.key"}]`, "short webhook secret": `[{"name":"a","api_key":"k","webhook_secrets":["SECRET"]}]`,
	} {
		_, err := Load(from(map[string]string{"REELKEEP_ACCOUNTS_FILE": write(name, text)}))
		if err == nil || !strings.Contains(err.Error(), "REELKEEP_ACCOUNTS_FILE") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoErrorShowsASecret(t *testing.T) {
	t.Parallel()
	_, err := Load(from(map[string]string{"HEYGEN_API_URL": "https://user:TOPSECRET@host/?key=TOPSECRET"}))
	if err == nil || strings.Contains(err.Error(), "TOPSECRET") {
		t.Errorf("got %v", err)
	}
	for _, s := range Settings() {
		if s.Secret && s.Flag() != "" {
			t.Errorf("%s is a secret and has a flag", s.Env)
		}
	}
}

func TestAFolderIsMadeAbsoluteAndABucketIsNot(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(from(map[string]string{"REELKEEP_STORE": "some/folder"}))
	if err != nil || c.StoreFolder != filepath.Join(here, "some", "folder") {
		t.Errorf("got %q, %v", c.StoreFolder, err)
	}
	c, err = Load(from(map[string]string{"REELKEEP_STORE": "s3://bucket/prefix"}))
	if err != nil || c.StoreFolder != "" || c.Store != "s3://bucket/prefix" {
		t.Errorf("got %q %q, %v", c.Store, c.StoreFolder, err)
	}
	if err := c.UseStore("./archive"); err != nil || c.StoreFolder != filepath.Join(here, "archive") {
		t.Errorf("got %q, %v", c.StoreFolder, err)
	}
}

func TestWhatACommandNeedsIsNamed(t *testing.T) {
	t.Parallel()
	all := []string{"HEYGEN_API_KEY", "REELKEEP_STORE", "REELKEEP_REDIS", "REELKEEP_PUBLIC_URL", "REELKEEP_LINK_SECRETS"}
	err := Config{}.Need(all...)
	for _, env := range all {
		if err == nil || !strings.Contains(err.Error(), env) {
			t.Errorf("%s is not named: %v", env, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "8MiB": 8 << 20, " 8 mib ": 8 << 20, "1GB": 1e9, "1KiB": 1024, "2TiB": 2 << 40,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1MiB", "1.5MiB", "8 Mi", "99999999TiB", "1e9", "8MiB8"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 3 << 30: "3 GiB", 5 << 50: "5120 TiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func FuzzParseBytesNeverOverflows(f *testing.F) {
	f.Add("8MiB")
	f.Add("9223372036854775807TiB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseBytes(text); err == nil && n < 0 {
			t.Errorf("ParseBytes(%q) = %d", text, n)
		}
	})
}
