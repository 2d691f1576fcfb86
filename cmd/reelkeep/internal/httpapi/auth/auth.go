// Package auth says who may do what.
//
// A token (REELKEEP_API_TOKENS) is for everything or for one account. Where there is none, only whoever sits at this
// machine may do anything: the listener is on loopback, and a request counts as one of this machine's own if it was
// not handed on by a proxy, addresses us by a name of this machine, and was not made by a page of another origin. A
// browser that runs on this machine would otherwise be everybody's way in: by a page that makes requests in its
// user's stead, or by a name that resolves to 127.0.0.1. What forwards bytes (ssh -R, socat, a load balancer below HTTP) looks
// like this machine itself: behind one there has to be a token.
//
// A browser that has brought a token once has a session instead, in a cookie (Guard.SignIn). It counts only in requests that
// no page of another origin has made.
//
//	Identify    puts the Access of a request into its context; it refuses nobody
//	Require     refuses a request without Access: for the doors that nothing else guards
//	Of, With    read the Access, and set that of a door which knows its callers by other means
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// Token is one bearer token.
type Token struct {
	Account string // "" = every account
	Secret  secret.String
}

// Access is what a caller may reach. The zero value reaches nothing.
type Access struct {
	All     bool   // every account
	Account string // this account; "" if All
}

// None says whether nothing can be reached.
func (a Access) None() bool { return !a.All && a.Account == "" }

// Allows says whether videos of the account can be reached.
func (a Access) Allows(account string) bool { return a.All || (account != "" && a.Account == account) }

// Tokens are all tokens that are live.
type Tokens struct {
	hashes [][sha256.Size]byte
	access []Access
}

// NewTokens returns the tokens.
func NewTokens(list []Token) *Tokens {
	t := &Tokens{}
	for _, token := range list {
		t.hashes = append(t.hashes, sha256.Sum256([]byte(token.Secret.Reveal())))
		t.access = append(t.access, Access{All: token.Account == "", Account: token.Account})
	}
	return t
}

// Empty says whether there is no token.
func (t *Tokens) Empty() bool { return len(t.hashes) == 0 }

// Access is what a presented token gives access to; none, if it is not ours. How long that takes does not depend on how
// much of a token was guessed, nor on which of ours it is.
func (t *Tokens) Access(presented string) Access {
	got := sha256.Sum256([]byte(presented))
	found := len(t.access)
	for i := range t.hashes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(got[:], t.hashes[i][:]), i, found)
	}
	return append(t.access[:len(t.access):len(t.access)], Access{})[found]
}

type key struct{}

// With puts an Access into a context.
func With(ctx context.Context, a Access) context.Context { return context.WithValue(ctx, key{}, a) }

// Of is the Access of a request's context.
func Of(ctx context.Context) Access {
	a, _ := ctx.Value(key{}).(Access)
	return a
}
