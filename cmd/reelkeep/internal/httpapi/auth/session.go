package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A session stands for a token in a browser: when it ends, and a MAC of that, keyed by the token's hash. So the cookie is not
// the token and doesn't give it away, every process that has the token knows it, it outlives restarts, and it ends with
// the token. Nothing is kept here, so signing out is the browser's forgetting.
const (
	sessionCookie = "reelkeep_session"
	sessionLife   = 7 * 24 * time.Hour
	sessionDomain = "reelkeep.session/1"
)

// session is what a browser gets for a token; "" if the token is not ours.
func (t *Tokens) session(presented string, until time.Time) string {
	if t.Access(presented).None() {
		return ""
	}
	end := strconv.FormatInt(until.Unix(), 10)
	return end + "." + sessionMAC(sha256.Sum256([]byte(presented)), end)
}

// resume is what a session gives access to. It takes as long for any of our tokens.
func (t *Tokens) resume(session string, now time.Time) Access {
	end, mac, _ := strings.Cut(session, ".")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil || now.Unix() >= until {
		return Access{}
	}
	found := len(t.access)
	for i, hash := range t.hashes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare([]byte(mac), []byte(sessionMAC(hash, end))), i, found)
	}
	return append(t.access[:len(t.access):len(t.access)], Access{})[found]
}

func sessionMAC(hash [sha256.Size]byte, end string) string {
	mac := hmac.New(sha256.New, hash[:])
	mac.Write([]byte(sessionDomain + "\x00" + end))
	return hex.EncodeToString(mac.Sum(nil))
}

// SignIn gives the browser that sent the request a session for the token, and says whether the token is one of ours. The
// caller has made sure that no page of another origin is behind it (CrossSite).
func (g *Guard) SignIn(w http.ResponseWriter, r *http.Request, token string) bool {
	until := g.now().Add(sessionLife)
	session := g.Tokens.session(token, until)
	if session == "" {
		return false
	}
	c := cookie(r, session)
	c.MaxAge = int(sessionLife / time.Second)
	http.SetCookie(w, c)
	return true
}

// SignOut takes the session away from the browser.
func (g *Guard) SignOut(w http.ResponseWriter, r *http.Request) {
	c := cookie(r, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookie names no path: a browser takes the folder of the address that it has asked, whatever an ingress has put in front
// of it.
func cookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, HttpOnly: true, Secure: overTLS(r), SameSite: http.SameSiteStrictMode}
}

// overTLS says whether the browser speaks TLS, to us or to a proxy. Whoever says so wrongly loses only his own cookie.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// signedIn is the access of the session that a browser sends. A page of another origin could make it send that too.
func (g *Guard) signedIn(r *http.Request) Access {
	c, err := r.Cookie(sessionCookie)
	if err != nil || CrossSite(r) {
		return Access{}
	}
	return g.Tokens.resume(c.Value, g.now())
}

// withoutSession is the request without our cookie, if it has it: no handler behind us needs it, and one hands requests on
// to HeyGen.
func withoutSession(r *http.Request) *http.Request {
	if _, err := r.Cookie(sessionCookie); err != nil {
		return r
	}
	out := *r
	out.Header = r.Header.Clone()
	out.Header.Del("Cookie")
	for _, c := range r.Cookies() {
		if c.Name != sessionCookie {
			out.AddCookie(c)
		}
	}
	return &out
}
