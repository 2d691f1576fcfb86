package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// accountsOf writes an accounts file with these names.
func accountsOf(t *testing.T, names ...string) string {
	t.Helper()
	entries := make([]string, len(names))
	for i, name := range names {
		entries[i] = `{"name":"` + name + `","api_key":"k"}`
	}
	file := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(file, []byte("["+strings.Join(entries, ",")+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTokensAreForEverythingOrForOneAccount(t *testing.T) {
	t.Parallel()
	c, err := Load(from(map[string]string{
		"REELKEEP_ACCOUNTS_FILE": accountsOf(t, "east", "west"),
		"REELKEEP_API_TOKENS":    "for-everything, west:for-west-1,\nwest:for-west-2==",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []APIToken{{"", secret.New("for-everything")}, {"west", secret.New("for-west-1")}, {"west", secret.New("for-west-2==")}}
	if diff := cmp.Diff(want, c.APITokens, cmp.Comparer(func(a, b secret.String) bool { return a == b })); diff != "" {
		t.Errorf("tokens:\n%s", diff)
	}
}

func TestABadSecretIsCountedAndNeverRepeated(t *testing.T) {
	t.Parallel()
	accounts := accountsOf(t, "east", "west")
	for name, c := range map[string]struct{ env, value, want string }{
		"a short one":                  {"REELKEEP_API_TOKENS", "long-enough-token,TOPSECR", "entry 2: want 8 to"},
		"a short one of an account":    {"REELKEEP_API_TOKENS", "west:TOPSECR", "entry 1: want 8 to"},
		"no account of ours":           {"REELKEEP_API_TOKENS", "TOPSECRET:long-enough-token", "entry 1: want the name of an account before the colon (east, west)"},
		"not an account":               {"REELKEEP_API_TOKENS", "TOP SECRET:long-enough-token", "entry 1: want account:token"},
		"what no header carries":       {"REELKEEP_API_TOKENS", "TOPSECRET-ünlaut", "entry 1: want no spaces"},
		"a colon in the token":         {"REELKEEP_API_TOKENS", "west:TOPSECRET:more", "entry 1: want a token of letters"},
		"nothing but commas":           {"REELKEEP_API_TOKENS", " , ,", "nothing is between its commas"},
		"one token twice":              {"REELKEEP_API_TOKENS", "TOPSECRET,west:TOPSECRET", "entry 2: want a token that is not there already"},
		"a short link secret":          {"REELKEEP_LINK_SECRETS", "0123456789abcdef,TOPSECRET", "entry 2: want 16 to"},
		"a webhook secret of spaces":   {"REELKEEP_WEBHOOK_SECRETS", "TOP SECRET x", "entry 1: want no spaces"},
		"a token that is no segment":   {"REELKEEP_WEBHOOK_TOKEN", "TOPSECRET/..", "want letters, digits"},
		"not base64":                   {"REELKEEP_NOTIFY_SECRET", "TOPSECRET!", "want whsec_"},
		"too few bytes":                {"REELKEEP_NOTIFY_SECRET", "whsec_VE9QU0VDUkVU", "want whsec_"},
		"credentials in an address":    {"REELKEEP_NOTIFY_URL", "https://u:TOPSECRET@h/", "without credentials"},
		"an address that is no web's":  {"REELKEEP_NOTIFY_URL", "ftp://h/TOPSECRET", "want an address"},
		"an address without its name":  {"REELKEEP_NOTIFY_URL", "https://:443/TOPSECRET", "want an address"},
		"an address that can't be one": {"REELKEEP_NOTIFY_URL", "https://h/%zzTOPSECRET", "want an address"},
	} {
		_, err := Load(from(map[string]string{"REELKEEP_ACCOUNTS_FILE": accounts, c.env: c.value}))
		if err == nil || !strings.Contains(err.Error(), c.env+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "TOP") {
			t.Errorf("%s: got %v, want %q and nothing of the value", name, err, c.want)
		}
	}
}

func TestASigningSecretIsTakenWithOrWithoutItsPrefix(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		c, err := Load(from(map[string]string{"REELKEEP_NOTIFY_SECRET": value, "REELKEEP_NOTIFY_URL": "https://app.example.com/hook?k=v"}))
		if err != nil || c.NotifySecret.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" || c.NotifyURL.Reveal() != "https://app.example.com/hook?k=v" {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// A process that only hands videos in knows the tokens' variable, perhaps, and no account.
func TestATokensAccountIsNotLookedForWhereThereAreNone(t *testing.T) {
	t.Parallel()
	c, err := Load(from(map[string]string{"REELKEEP_API_TOKENS": "west:for-west-1"}))
	if err != nil || len(c.APITokens) != 1 || c.APITokens[0].Account != "west" {
		t.Errorf("got %v, %v", c.APITokens, err)
	}
}

func TestATokenIsNoKeyOfHeyGens(t *testing.T) {
	t.Parallel()
	_, err := Load(from(map[string]string{"HEYGEN_API_KEY": "TOPSECRET-key", "REELKEEP_API_TOKENS": "another-token,default:TOPSECRET-key"}))
	if err == nil || !strings.Contains(err.Error(), "REELKEEP_API_TOKENS: token 2 is also a key") || strings.Contains(err.Error(), "TOP") {
		t.Errorf("got %v", err)
	}
}

func TestOurOwnAddressHasNoPathOfOurRoutes(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://h": true, "https://h/": true, "https://h/keep": true, "https://h/videos/v": false, "https://h/films/v": true, "https://h/v4": true, "https://h/apis/x": true,
		"https://h/v": false, "https://h/v/": false, "https://h/v1": false, "https://h/v3/x": false, "https://h/api": false, "https://h//api/v1": false, "https://h/webhooks": false,
	} {
		_, err := Load(from(map[string]string{"REELKEEP_PUBLIC_URL": address}))
		if (err == nil) != want || (err != nil && !strings.Contains(err.Error(), "REELKEEP_PUBLIC_URL: ")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Whose key is refused hears where it is, whatever the account's name.
func TestAKeyIsFoundWhereItWasPut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values map[string]string
		want   string // of the account default
	}{
		"the variable": {map[string]string{"HEYGEN_API_KEY": "k"}, "HEYGEN_API_KEY"},
		"the file":     {map[string]string{"REELKEEP_ACCOUNTS_FILE": accountsOf(t, "default", "west")}, "account default of REELKEEP_ACCOUNTS_FILE"},
		"nowhere yet":  {nil, "HEYGEN_API_KEY"},
	} {
		cfg, err := Load(from(c.values))
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.KeyIn(DefaultAccount); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := cfg.KeyIn("west"); got != "account west of REELKEEP_ACCOUNTS_FILE" {
			t.Errorf("%s: west's is in %q", name, got)
		}
	}
}
