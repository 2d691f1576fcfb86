package webhook

import (
	"log/slog"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
)

// teller tells what is refused, and nothing of what was sent.
type teller struct {
	log   *slog.Logger
	limit talk.Limit
}

func (t *teller) refused(why string) {
	if t.limit.Speaks(why) {
		t.log.Warn("a delivery was refused", "reason", why, "hint", hints(why))
	}
}

func (t *teller) away(err error) {
	if t.limit.Speaks("away") {
		t.log.Warn("an event can't be taken; heygen delivers it again", "err", err)
	}
}

func hints(why string) string {
	switch why {
	case noSignature, wrongMAC:
		return "if it was HeyGen's, its secret is missing in REELKEEP_WEBHOOK_SECRETS or in webhook_secrets of its account; reelkeep webhook list shows what is registered"
	case crowded:
		return "HeyGen's deliveries are short: somebody else sends these; keep him out in front of reelkeep"
	case wrongTime:
		return "if it was HeyGen's, look at this machine's clock"
	case wrongToken:
		return "the path must end in REELKEEP_WEBHOOK_TOKEN"
	case wrongAccount:
		return "name one of the fleet's accounts in the callback_url (?account=NAME), and put secrets into webhook_secrets of theirs in REELKEEP_ACCOUNTS_FILE"
	}
	return ""
}
