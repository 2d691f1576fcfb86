package main

import (
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/permalink"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/notify"
)

// newSender builds what tells of videos; nil where nobody wants to be told. Whether this process has a door of its own
// doesn't matter: permalinks lead to REELKEEP_PUBLIC_URL.
func newSender(cfg config.Config) (*notify.Sender, error) {
	if cfg.NotifyURL.IsZero() {
		return nil, nil
	}
	links := permalink.Links{Base: cfg.PublicURL}
	return notify.New(notify.Config{
		URL: cfg.NotifyURL, Secret: cfg.NotifySecret, Private: cfg.PrivateSources, UserAgent: userAgent(), Permalink: links.Permalink,
	})
}

// checkNotify tells at the start what could never be delivered.
func checkNotify(cfg config.Config) error {
	sender, err := newSender(cfg)
	if sender != nil {
		sender.Close()
	}
	return err
}
