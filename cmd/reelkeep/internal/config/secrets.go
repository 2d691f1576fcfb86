package config

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	// shortestSecret is the least length of a secret that somebody could only guess by asking us.
	shortestSecret = 8
	// shortestLinkSecret is longer: whoever holds a share link can try secrets against its signature without asking.
	shortestLinkSecret = 16
	longestSecret      = 1024
)

// APIToken is one bearer token of the API.
type APIToken struct {
	Account string // "" = every account
	Token   secret.String
}

// apiTokens reads a list of token and account:token. The errors count the entries and repeat nothing of them: what
// stands before a colon may be half of a token. An account is looked for where the process has any.
func (r *reader) apiTokens(env string, accounts []string) []APIToken {
	var out []APIToken
	for i, entry := range r.secretList(env) {
		account, token, found := strings.Cut(entry, ":")
		if !found {
			account, token = "", entry
		}
		wrong := wrongSecret(token, shortestSecret)
		switch {
		case found && !ValidAccount(account):
			wrong = "account:token, or a token without a colon"
		case found && len(accounts) > 0 && !slices.Contains(accounts, account):
			wrong = "the name of an account before the colon (" + strings.Join(accounts, ", ") + ")"
		case wrong == "" && strings.Trim(token, tokenCharacters) != "":
			wrong = "a token of letters, digits and -._~+/= (what Authorization: Bearer can carry)"
		case wrong == "" && slices.ContainsFunc(out, func(t APIToken) bool { return t.Token.Reveal() == token }):
			wrong = "a token that is not there already: whose it is has to be clear"
		}
		if wrong != "" {
			r.wrong(env, fmt.Sprintf("entry %d: want %s", i+1, wrong))
			continue
		}
		out = append(out, APIToken{Account: account, Token: secret.New(token)})
	}
	return out
}

// notKeys refuses a token that is also a key of HeyGen's: whoever has one would have the other, and the drop-in could not
// tell them apart.
func (r *reader) notKeys(c Config) {
	for i, t := range c.APITokens {
		if slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.Key.Reveal() == t.Token.Reveal() }) {
			r.wrong("REELKEEP_API_TOKENS", fmt.Sprintf("token %d is also a key of HeyGen (HEYGEN_API_KEY or REELKEEP_ACCOUNTS_FILE): make one of its own (openssl rand -hex 32)", i+1))
		}
	}
}

const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="

// secretList splits a list at its commas; the lines of a file count as well.
func (r *reader) secretList(env string) []string {
	var out []string
	for entry := range strings.FieldsFuncSeq(r.values[env], func(c rune) bool { return c == ',' || c == '\n' }) {
		if entry = strings.TrimSpace(entry); entry != "" {
			out = append(out, entry)
		}
	}
	if out == nil && strings.TrimSpace(r.values[env]) != "" {
		r.wrong(env, "it is set, and nothing is between its commas: take it away, or give it a value")
	}
	return out
}

func (r *reader) secrets(env string, shortest int) []secret.String {
	var out []secret.String
	for i, entry := range r.secretList(env) {
		if wrong := wrongSecret(entry, shortest); wrong != "" {
			r.wrong(env, fmt.Sprintf("entry %d: want %s", i+1, wrong))
			continue
		}
		out = append(out, secret.New(entry))
	}
	return out
}

// wrongSecret says what a secret must be if it is not that.
func wrongSecret(text string, shortest int) string {
	if len(text) < shortest || len(text) > longestSecret {
		return fmt.Sprintf("%d to %d characters (openssl rand -hex 32 makes good ones)", shortest, longestSecret)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "no spaces, no control characters and nothing beyond ASCII"
	}
	return ""
}

// pathToken takes what can stand in a path as it is.
func (r *reader) pathToken(env string) secret.String {
	text := r.values[env]
	if text == "" {
		return secret.String{}
	}
	wrong := wrongSecret(text, shortestSecret)
	if wrong == "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		wrong = "letters, digits, - or _: it stands in a path"
	}
	if wrong != "" {
		r.wrong(env, "want "+wrong)
		return secret.String{}
	}
	return secret.New(text)
}

// signingSecret takes the form that Standard Webhooks gives a secret. The prefix may be left out.
func (r *reader) signingSecret(env string) secret.String {
	text := r.values[env]
	if text == "" {
		return secret.String{}
	}
	const prefix = "whsec_"
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, prefix))
	if err != nil || len(raw) < 16 || len(raw) > 64 {
		r.wrong(env, "want whsec_ and the base64 of 16 to 64 random bytes (echo whsec_$(openssl rand -base64 32) makes one)")
		return secret.String{}
	}
	return secret.New(prefix + strings.TrimPrefix(text, prefix))
}

// endpoint takes the whole address of somebody else's door. An error repeats neither its path nor its query, which may
// be all that keeps strangers out of it.
func (r *reader) endpoint(env string) secret.String {
	text := r.values[env]
	if text == "" {
		return secret.String{}
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		r.wrong(env, "want an address such as https://app.example.com/hooks/reelkeep, without credentials")
		return secret.String{}
	}
	return secret.New(text)
}
