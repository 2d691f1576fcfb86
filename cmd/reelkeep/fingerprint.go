package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/queue"
)

const accountsMark = " accounts="

// fingerprintOf is what all processes of a fleet must agree on.
func fingerprintOf(cfg config.Config, s *shelf) string {
	return s.Fingerprint() + accountsMark + strings.Join(cfg.AccountNames(), ",")
}

// splitFingerprint takes a fingerprint apart: the store, and the accounts for which the fleet has a key.
func splitFingerprint(text string) (store string, accounts []string) {
	store, names, found := strings.Cut(text, accountsMark)
	if !found || names == "" {
		return store, nil
	}
	return store, strings.Split(names, ",")
}

// accountsOf are the accounts for which the fleet has a key; nil if no worker of it has ever started.
func accountsOf(ctx context.Context, client *queue.Client) ([]string, error) {
	fingerprint, err := client.Fingerprint(ctx)
	_, accounts := splitFingerprint(fingerprint)
	return accounts, err
}

// checkFleetAccount refuses an account for which the fleet has no key: its videos would wait for ever.
func checkFleetAccount(ctx context.Context, client *queue.Client, account string) error {
	asking, cancel := patiently(ctx)
	defer cancel()
	known, err := accountsOf(asking, client)
	if err != nil {
		return fleetError(ctx, err)
	}
	if known == nil || slices.Contains(known, account) {
		return nil
	}
	return withCode(exitNotDone, fmt.Errorf("--account: the fleet has no key for the account %q; it has: %s", account, strings.Join(known, ", ")))
}
