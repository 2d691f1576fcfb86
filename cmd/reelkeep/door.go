package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/url"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/permalink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/web"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// door is the HTTP door of a process with the role api; of one without it there is none.
type door struct {
	server *httpapi.Server
	settle func() // ends what outlives the last request
}

// mayListen refuses what others reach if nothing would keep them out: an address of other machines', and a name of ours by
// which they come. What forwards to loopback may look like this machine itself.
func mayListen(cfg config.Config) error {
	if len(cfg.APITokens) > 0 {
		return nil
	}
	var errs []error
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && (host == "" || !auth.Loopback(host)) {
		errs = append(errs, &config.SettingError{Env: "REELKEEP_LISTEN", Got: cfg.Listen,
			Want: "an address of loopback, such as 127.0.0.1:8080, as long as REELKEEP_API_TOKENS is not set (openssl rand -hex 32 makes a good token)"})
	}
	if own, err := url.Parse(cfg.PublicURL); err == nil && own.Host != "" && !auth.Loopback(own.Host) {
		errs = append(errs, &config.SettingError{Env: "REELKEEP_API_TOKENS",
			Want: "set a token (openssl rand -hex 32 makes a good one): REELKEEP_PUBLIC_URL says that others reach the API, and what brings their requests here may look like this machine"})
	}
	return errors.Join(errs...)
}

// openDoor listens. Like the door for the platform it is open before anything is contacted, so that an address that is
// taken is told at once and whoever comes early hears that we are starting.
func (s *service) openDoor(ctx context.Context) (*door, error) {
	if !s.has(roleAPI) {
		return &door{}, nil
	}
	server, err := httpapi.Listen(ctx, s.cfg.Listen, s.board.problems, s.log)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	s.log.Info("serving the API", "addr", server.Addr())
	if len(s.cfg.APITokens) == 0 {
		s.log.Warn("no token is set: the API answers only requests of this machine", "hint", "set REELKEEP_API_TOKENS")
	}
	return &door{server, func() {}}, nil
}

// Close may be called after the role has closed it.
func (d *door) Close() error {
	if d.server == nil {
		return nil
	}
	return d.server.Close()
}

// newAPI brings together what the door serves, and returns the role.
func (s *service) newAPI(client *queue.Client, p *parts, d *door) (func(context.Context) error, error) {
	links, mounts, err := s.newLinks(client, p, d)
	if err != nil {
		return nil, err
	}
	maps.Copy(mounts, s.webhooks(client))
	guard := &auth.Guard{Tokens: tokensOf(s.cfg)}
	page, err := s.newPage(client, p, guard, links)
	if err != nil {
		return nil, err
	}
	maps.Copy(mounts, page.Mounts())
	handler, err := httpapi.New(httpapi.Deps{
		Guard: guard, Videos: client, Archive: p.shelf.Store, Accounts: s.accounts(client),
		Links: links, Mounts: mounts, PublicURL: s.cfg.PublicURL, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	handler = belowPath(s.cfg.PublicURL, handler)
	if s.only(roleAPI) {
		s.board.spare("redis") // what is archived is served without it
	}
	return func(ctx context.Context) error {
		defer d.settle() // before Redis is closed
		defer page.Close()
		defer context.AfterFunc(ctx, page.Close)() // nobody waits for streams that have no end
		return d.server.Serve(ctx, handler, func() {
			s.board.door(false)
			if s.opened != nil {
				s.opened(d.server.Addr())
			}
		})
	}, nil
}

// newPage is what people see in a browser.
func (s *service) newPage(client *queue.Client, p *parts, guard *auth.Guard, links *permalink.Links) (*web.Handler, error) {
	d := web.Deps{
		Guard: guard, Videos: client, Accounts: s.accounts(client), Manifests: links.Manifests, Links: links, Share: links.Base != "" && links.Signer.Ready(),
		Version: buildVersion().version, Log: s.log,
	}
	if !s.proxies(p) {
		d.Origin = func(ctx context.Context) string { return originOf(ctx, p.shelf.Store) }
	}
	return web.New(d)
}

// originOf is where the store's presigned links lead; "" if it can't be told now.
func originOf(ctx context.Context, store *storage.Store) string {
	link, _, err := store.PresignGet(ctx, storage.VideoKey{VideoID: "any"}, "video.mp4", storage.PresignOptions{})
	if err != nil {
		return ""
	}
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// accounts says for which accounts the fleet has a key. All processes that have keys have the same.
func (s *service) accounts(client *queue.Client) func(context.Context) ([]string, error) {
	if names := s.cfg.AccountNames(); len(names) > 0 {
		return func(context.Context) ([]string, error) { return names, nil }
	}
	return func(ctx context.Context) ([]string, error) { return accountsOf(ctx, client) }
}

func tokensOf(cfg config.Config) *auth.Tokens {
	list := make([]auth.Token, len(cfg.APITokens))
	for i, t := range cfg.APITokens {
		list[i] = auth.Token{Account: t.Account, Secret: t.Token}
	}
	return auth.NewTokens(list)
}

// agree makes sure that this process belongs to the fleet behind its Redis. One without a key of HeyGen, which only a
// door can be, has no accounts of its own and takes the fleet's.
func (s *service) agree(ctx context.Context, client *queue.Client, sh *shelf) error {
	if len(s.cfg.Accounts) > 0 {
		return client.CheckFingerprint(ctx, fingerprintOf(s.cfg, sh))
	}
	theirs, err := client.Fingerprint(ctx)
	if err != nil || theirs == "" {
		return err
	}
	if store, _ := splitFingerprint(theirs); store != sh.Fingerprint() {
		return &queue.FingerprintError{Ours: sh.Fingerprint(), Theirs: theirs}
	}
	return nil
}
