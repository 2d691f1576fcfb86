package main

import (
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/notify"
)

// newSender builds what tells of videos; nil where nobody wants to be told. permalink may be nil.
func newSender(cfg config.Config, permalink func(account, videoID, asset string) string) (*notify.Sender, error) {
	if cfg.NotifyURL.IsZero() {
		return nil, nil
	}
	return notify.New(notify.Config{
		URL: cfg.NotifyURL, Secret: cfg.NotifySecret, Private: cfg.PrivateSources, UserAgent: userAgent(), Permalink: permalink,
	})
}

// checkNotify tells at the start what could never be delivered.
func checkNotify(cfg config.Config) error {
	sender, err := newSender(cfg, nil)
	if sender != nil {
		sender.Close()
	}
	return err
}
