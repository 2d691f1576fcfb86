package fetch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// A target is a link taken apart for the wire without changing a byte of it.
type target struct {
	link secret.String
	url  *url.URL
}

// parseTarget checks a link or redirect against the rules that need no DNS.
func parseTarget(link secret.String, hosts []string) (target, error) {
	raw, _, _ := strings.Cut(link.Reveal(), "#")
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return target{}, blocked("a link must look like https://host/path", "the link %s is no web address", link)
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return target{}, blocked("only https links are fetched", "the link's scheme is %q", u.Scheme)
	}
	if u.User != nil {
		return target{}, blocked("credentials in links are not sent", "the link %s carries a user name", link)
	}
	if !allowedHost(u.Hostname(), hosts) {
		return target{}, blocked(hostsHint, "host %s is not one of REELKEEP_SOURCE_HOSTS", u.Hostname())
	}
	spell(u, raw)
	return target{link: link, url: u}, nil
}

// spell makes the request line repeat raw byte for byte: url.URL would write some escapes its own way, and a
// signature covers the bytes. What can't stand in a request line is left to url.URL.
func spell(u *url.URL, raw string) {
	u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20")
	_, rest, _ := strings.Cut(raw, "://")
	path, _, _ := strings.Cut(rest, "?")
	slash := strings.IndexByte(path, '/')
	if slash < 0 {
		return
	}
	path = path[slash:]
	unfit := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	// A path of two slashes in Opaque would be written as an absolute address.
	if strings.HasPrefix(path, "//") || strings.ContainsFunc(path, unfit) {
		return
	}
	u.Opaque = path
}

// redirect returns the next target, or what is wrong with it. A secret stays one: the new address may hold a
// signature too.
func (t target) redirect(h http.Header, hosts []string) (target, error) {
	location := h.Get("Location")
	ref, err := url.Parse(location)
	if err != nil || location == "" {
		return target{}, wrongAnswer("%s: redirect without a usable Location", t.link)
	}
	base := *t.url
	base.Opaque = ""
	next := base.ResolveReference(ref).String()
	switch {
	case ref.IsAbs():
		next = location
	case strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//"):
		next = base.Scheme + "://" + base.Host + location
	}
	to, err := parseTarget(secret.New(next), hosts)
	if err != nil {
		return target{}, err
	}
	if t.url.Scheme == "https" && to.url.Scheme != "https" {
		return target{}, blocked("the source must stay on https", "redirect from %s to plain http", t.link)
	}
	return to, nil
}
