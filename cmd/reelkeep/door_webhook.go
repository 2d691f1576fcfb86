package main

import (
	"net/http"
	"slices"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/webhook"
	"github.com/reelkeep/reelkeep/queue"
)

// webhooks are the routes for HeyGen's deliveries.
func (s *service) webhooks(client *queue.Client) map[string]http.Handler {
	return webhook.Mounts(webhook.Config{
		Secrets: webhookSecrets(s.cfg), Token: s.cfg.WebhookToken, Accounts: s.accounts(client),
		Queue: client, Log: s.log,
	})
}

// unnamedAccount is whose videos are meant where nobody says it: the default account's, or those of the only one there is.
func unnamedAccount(cfg config.Config) string {
	if len(cfg.Accounts) == 1 {
		return cfg.Accounts[0].Name
	}
	return defaultAccount
}

func webhookSecrets(cfg config.Config) []webhook.Secret {
	var out []webhook.Secret
	for _, secret := range cfg.WebhookSecrets {
		out = append(out, webhook.Secret{Secret: secret})
	}
	for _, account := range cfg.Accounts {
		for _, secret := range account.WebhookSecrets {
			out = append(out, webhook.Secret{Account: account.Name, Secret: secret})
		}
	}
	return out
}

// checkWebhooks refuses secrets of which nobody could say whose deliveries they prove.
func checkWebhooks(cfg config.Config) error {
	if len(cfg.WebhookSecrets) == 0 || len(cfg.Accounts) == 0 || slices.Contains(cfg.AccountNames(), unnamedAccount(cfg)) {
		return nil
	}
	return &config.SettingError{Env: "REELKEEP_WEBHOOK_SECRETS",
		Want: "an account of its own: there are several and none is called " + defaultAccount + ", so put them into webhook_secrets of theirs in REELKEEP_ACCOUNTS_FILE"}
}
