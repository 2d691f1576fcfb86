package webhook

import (
	"log/slog"
	"sync"
	"time"
)

// talkEvery is how often the same trouble is told: strangers may knock as often as they like.
const talkEvery = 30 * time.Second

// talk tells what is refused, and nothing of what was sent.
type talk struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	told map[string]time.Time
}

func (t *talk) speaks(what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if last, ok := t.told[what]; ok && now.Sub(last) < talkEvery {
		return false
	}
	if t.told == nil {
		t.told = map[string]time.Time{}
	}
	t.told[what] = now
	return true
}

func (t *talk) refused(why string) {
	if t.speaks(why) {
		t.log.Warn("a delivery was refused", "reason", why, "hint", hints(why))
	}
}

func (t *talk) away(err error) {
	if t.speaks("away") {
		t.log.Warn("an event can't be taken; heygen delivers it again", "err", err)
	}
}

func hints(why string) string {
	switch why {
	case noSignature, wrongMAC:
		return "if it was HeyGen's, its secret is missing in REELKEEP_WEBHOOK_SECRETS or in webhook_secrets of its account; reelkeep webhook list shows what is registered"
	case wrongTime:
		return "if it was HeyGen's, look at this machine's clock"
	case wrongToken:
		return "the path must end in REELKEEP_WEBHOOK_TOKEN"
	case wrongAccount:
		return "name one of the accounts in the callback_url: ?account=NAME"
	}
	return ""
}
