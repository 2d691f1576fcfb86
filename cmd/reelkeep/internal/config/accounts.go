package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// DefaultAccount is the name of the account of HEYGEN_API_KEY.
const DefaultAccount = "default"

// longestAccount is the longest name of an account; it becomes a folder of the archive.
const longestAccount = 64

// Account is one HeyGen key under a name.
type Account struct {
	Name           string
	Key            secret.String
	KeyIn          string          // where a person finds it
	WebhookSecrets []secret.String // what HeyGen signs this account's deliveries with
}

// ValidAccount says whether a name can be an account: [A-Za-z0-9_-]{1,64}. It becomes part of keys in the bucket.
func ValidAccount(name string) bool {
	return name != "" && len(name) <= longestAccount && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// Account returns the account of that name.
func (c Config) Account(name string) (Account, bool) {
	i := slices.IndexFunc(c.Accounts, func(a Account) bool { return a.Name == name })
	if i < 0 {
		return Account{}, false
	}
	return c.Accounts[i], true
}

// KeyIn says where a person finds the key of an account, or has to put it.
func (c Config) KeyIn(name string) string {
	switch a, ok := c.Account(name); {
	case ok:
		return a.KeyIn
	case name == DefaultAccount:
		return "HEYGEN_API_KEY"
	}
	return inAccountsFile(name)
}

func inAccountsFile(name string) string { return "account " + name + " of REELKEEP_ACCOUNTS_FILE" }

// AccountNames lists the names of all accounts, in order.
func (c Config) AccountNames() []string {
	names := make([]string, len(c.Accounts))
	for i, a := range c.Accounts {
		names[i] = a.Name
	}
	return names
}

// accounts reads HEYGEN_API_KEY and REELKEEP_ACCOUNTS_FILE. No error repeats what the file holds: it may hold keys.
func (r *reader) accounts() []Account {
	var out []Account
	if key := r.values["HEYGEN_API_KEY"]; key != "" {
		out = append(out, Account{Name: DefaultAccount, Key: secret.New(key), KeyIn: "HEYGEN_API_KEY"})
	}
	const env = "REELKEEP_ACCOUNTS_FILE"
	file := r.values[env]
	if file == "" {
		return out
	}
	text, err := os.ReadFile(file)
	if err != nil {
		r.wrong(env, "cannot be read: "+err.Error())
		return out
	}
	var entries []accountEntry
	if json.Unmarshal(text, &entries) != nil {
		r.wrong(env, file+` is not what it should be: want [{"name": "…", "api_key_file": "…"}, …]`)
		return out
	}
	for i, e := range entries {
		a, wrong := e.account(filepath.Dir(file))
		if wrong == "" && slices.ContainsFunc(out, func(b Account) bool { return b.Name == a.Name }) {
			wrong = fmt.Sprintf("the name %q is there twice (HEYGEN_API_KEY is the account %q)", a.Name, DefaultAccount)
		}
		if wrong != "" {
			r.wrong(env, fmt.Sprintf("entry %d of %s: %s", i+1, file, wrong))
			continue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// accountEntry is one account in the file.
type accountEntry struct {
	Name       string `json:"name"`
	APIKey     string `json:"api_key"`
	APIKeyFile string `json:"api_key_file"` // relative to the file's own folder

	WebhookSecrets []string `json:"webhook_secrets"`
}

func (e accountEntry) account(dir string) (a Account, wrong string) {
	a.Name, a.KeyIn = e.Name, inAccountsFile(e.Name)
	for i, s := range e.WebhookSecrets {
		s = strings.TrimSpace(s)
		if wrong := wrongSecret(s, shortestSecret); wrong != "" {
			return a, fmt.Sprintf("account %q: number %d of webhook_secrets: want %s", e.Name, i+1, wrong)
		}
		a.WebhookSecrets = append(a.WebhookSecrets, secret.New(s))
	}
	switch {
	case !ValidAccount(e.Name):
		return a, fmt.Sprintf("name %q: want 1 to %d letters, digits, - or _", e.Name, longestAccount)
	case (e.APIKey == "") == (e.APIKeyFile == ""):
		return a, fmt.Sprintf("account %q: want either api_key_file or api_key", e.Name)
	case e.APIKey != "":
		a.Key = secret.New(strings.TrimSpace(e.APIKey))
		return a, ""
	}
	name := e.APIKeyFile
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	key, err := os.ReadFile(name)
	if err != nil {
		return a, fmt.Sprintf("account %q: api_key_file cannot be read: %v", e.Name, err)
	}
	if a.Key = secret.New(strings.TrimSpace(string(key))); a.Key.IsZero() {
		return a, fmt.Sprintf("account %q: api_key_file %s is empty", e.Name, name)
	}
	return a, ""
}

// wrong notes a setting whose value is not worth repeating.
func (r *reader) wrong(env, what string) {
	r.errs = append(r.errs, &SettingError{Env: env, Want: what})
}
