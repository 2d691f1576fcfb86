package main

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/dropin"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/manifests"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/permalink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
)

// Values of REELKEEP_PERMALINK_MODE and REELKEEP_DROPIN.
const (
	permalinkProxy = "proxy"
	dropinOff      = "off"
	dropinFull     = "full"
)

// publicURL is what links begin with: REELKEEP_PUBLIC_URL, or the address itself if only this machine can reach it. ""
// where others reach us and nobody has said by what name.
func publicURL(cfg config.Config, addr string) string {
	if cfg.PublicURL != "" {
		return cfg.PublicURL
	}
	if host, _, err := net.SplitHostPort(addr); err != nil || host == "" || !auth.Loopback(host) {
		return ""
	}
	return "http://" + addr
}

// mayDropIn refuses what was asked for by name and can't be done. The mode that nobody asked for is left out instead, and
// the log says so.
func mayDropIn(cfg config.Config) error {
	if cfg.DropIn == dropinOff {
		return nil
	}
	if own, err := url.Parse(publicURL(cfg, cfg.Listen)); err == nil && own.Host != "" {
		if heygen, err := url.Parse(cfg.HeyGenURL); err == nil && heygen.Host == own.Host {
			return &config.SettingError{Env: "HEYGEN_API_URL", Want: "it leads to ourselves; name HeyGen's own address, or set REELKEEP_DROPIN to off"}
		}
	}
	if cfg.DropIn != dropinFull {
		return nil
	}
	need := []string{"REELKEEP_LINK_SECRETS", "HEYGEN_API_KEY"}
	if publicURL(cfg, cfg.Listen) == "" {
		need = append(need, "REELKEEP_PUBLIC_URL")
	}
	if err := cfg.Need(need...); err != nil {
		return fmt.Errorf("REELKEEP_DROPIN: full can't do without what is missing:\n%w", err)
	}
	return nil
}

// proxies says whether the bytes behind permalinks go through us.
func (s *service) proxies(p *parts) bool {
	return p.shelf.folder != "" || s.cfg.PermalinkMode == permalinkProxy
}

// newLinks builds what lies behind our links: permalinks, share links and HeyGen's own routes.
func (s *service) newLinks(client *queue.Client, p *parts, d *door) (*permalink.Links, map[string]http.Handler, error) {
	base, signer := publicURL(s.cfg, d.server.Addr()), sharelink.NewSigner(s.cfg.LinkSecrets)
	known := manifests.New(p.shelf.Store, nil)
	mounts := permalink.New(
		permalink.Config{
			Proxy: s.proxies(p), Public: s.cfg.PublicPermalinks, Log: s.log,
		},
		permalink.Deps{Manifests: known, Files: p.shelf.Store, Queue: client, Signer: signer},
	).Mounts()
	links := &permalink.Links{Base: base, Signer: signer, Manifests: known}
	if s.cfg.DropIn == dropinOff {
		return links, mounts, nil
	}
	if base == "" || !signer.Ready() || len(s.cfg.Accounts) == 0 {
		s.log.Info("HeyGen's own routes are not served", "hint", "that takes REELKEEP_PUBLIC_URL, REELKEEP_LINK_SECRETS and HEYGEN_API_KEY; REELKEEP_DROPIN=off says that it is meant so")
		return links, mounts, nil
	}
	accounts := make([]dropin.Account, len(s.cfg.Accounts))
	for i, a := range s.cfg.Accounts {
		accounts[i] = dropin.Account{Name: a.Name, Key: a.Key}
	}
	handler, err := dropin.New(
		dropin.Config{HeyGenURL: s.cfg.HeyGenURL, BaseURL: base, Full: s.cfg.DropIn == dropinFull, Log: s.log},
		dropin.Deps{Manifests: known, Queue: client, Signer: signer, Accounts: accounts, Tokens: tokensOf(s.cfg)},
	)
	if err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	d.settle = handler.Settle
	maps.Copy(mounts, handler.Mounts())
	return links, mounts, nil
}

// belowPath also answers requests whose path still has what REELKEEP_PUBLIC_URL's has in front: not every ingress takes
// that away.
func belowPath(public string, next http.Handler) http.Handler {
	u, err := url.Parse(public)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return next
	}
	prefix := "/" + strings.Trim(u.Path, "/")
	stripped := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			stripped.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
