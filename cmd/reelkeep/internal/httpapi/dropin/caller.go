package dropin

import (
	"net/http"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// The headers in which HeyGen's callers say who they are.
const (
	keyHeader     = "X-Api-Key"
	authorization = "Authorization"
)

// Account is one HeyGen account.
type Account struct {
	Name string
	Key  secret.String
}

// caller is who asks. The zero value is a stranger, for whom we are a pipe.
type caller struct {
	account *Account
	token   bool // came with a token of ours, which the account's key takes the place of
	// vague: a token of ours, and it is not clear for which account.
	vague bool
}

func (c caller) known() bool { return c.account != nil }

// callers knows keys and tokens.
type callers struct {
	accounts []Account
	keys     *auth.Tokens // HeyGen's, each for its account
	tokens   *auth.Tokens
}

func newCallers(accounts []Account, tokens *auth.Tokens) *callers {
	keys := make([]auth.Token, len(accounts))
	for i, a := range accounts {
		keys[i] = auth.Token{Account: a.Name, Secret: a.Key}
	}
	return &callers{accounts: accounts, keys: auth.NewTokens(keys), tokens: tokens}
}

// of says who asks. What is in x-api-key decides; only where there is nothing does a bearer token count, because that is
// how the rest of our API is asked.
func (c *callers) of(r *http.Request) caller {
	if key := r.Header.Get(keyHeader); key != "" {
		if access := c.keys.Access(key); !access.None() {
			return caller{account: c.account(access.Account)}
		}
		return c.byToken(key)
	}
	if bearer, ok := auth.Bearer(r); ok {
		return c.byToken(bearer)
	}
	return caller{}
}

// account is the one of that name, or nil.
func (c *callers) account(name string) *Account {
	for i := range c.accounts {
		if c.accounts[i].Name == name {
			return &c.accounts[i]
		}
	}
	return nil
}

func (c *callers) byToken(text string) caller {
	access := c.tokens.Access(text)
	if access.None() {
		return caller{}
	}
	name := access.Account
	switch {
	case access.All && len(c.accounts) == 1:
		name = c.accounts[0].Name
	case access.All:
		name = sharelink.DefaultAccount
	}
	if account := c.account(name); account != nil {
		return caller{account: account, token: true}
	}
	return caller{vague: true}
}

// dress makes the headers of a request fit to leave us: no token of ours goes with it, whoever sent it and in whichever form;
// who came with one gets the account's key, and nothing else that says who asks: HeyGen wants one or the other.
func (c *callers) dress(header http.Header, who caller) {
	for _, name := range []string{keyHeader, authorization} {
		values := header[name]
		delete(header, name)
		for _, value := range values {
			if !c.holdsToken(value) {
				header[name] = append(header[name], value)
			}
		}
	}
	header.Del("Cookie") // a browser's session with us; HeyGen's API has none
	if who.token {
		header.Set(keyHeader, who.account.Key.Reveal())
		header.Del(authorization)
	}
}

// holdsToken says whether the value of a header has a token of ours in it: by itself, behind the name of a scheme, or in
// what curl -u makes of it.
func (c *callers) holdsToken(value string) bool {
	_, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	user, password, _ := (&http.Request{Header: http.Header{authorization: {value}}}).BasicAuth()
	for _, text := range []string{value, rest, user, password} {
		if !c.tokens.Access(strings.TrimSpace(text)).None() {
			return true
		}
	}
	return false
}
