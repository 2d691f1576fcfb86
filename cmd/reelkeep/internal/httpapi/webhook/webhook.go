package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/stall"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/talk"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	// maxBody is a hundred times what HeyGen sends.
	maxBody = 256 << 10
	// commonBody is what any delivery of HeyGen's fits into. One that is longer needs one of the places for long ones, so that
	// strangers who send long bodies slowly take memory for so many, and no place of HeyGen's.
	commonBody = 16 << 10
	longBodies = 64
	// roomWait is how long such a place is waited for.
	roomWait = 500 * time.Millisecond
	// maxDrain is how much of a body that is too long is read all the same: whoever is cut off in the middle of it hears
	// no answer.
	maxDrain    = 1 << 20
	readTimeout = 10 * time.Second
	// patience is how long Redis may take. HeyGen waits some ten seconds.
	patience = 8 * time.Second
)

// Queue is where events go.
type Queue interface {
	Signal(ctx context.Context, jobs []queue.Job) ([]queue.Result, error)
}

// Secret is what HeyGen signs the deliveries of one account with.
type Secret struct {
	Account string // "": the default one, or the only one there is
	Secret  secret.String
}

// Config is what may be delivered, and where it goes.
type Config struct {
	Secrets []Secret      // the one that verifies tells the account
	Token   secret.String // last part of the path of unsigned deliveries
	// Accounts are those for which the fleet has a key; none, if nobody knows yet.
	Accounts func(context.Context) ([]string, error)

	Queue Queue
	Log   *slog.Logger
	Now   func() time.Time
}

// Mounts are the routes by pattern; none, where nothing is set that could prove a delivery.
func Mounts(cfg Config) map[string]http.Handler {
	mounts := map[string]http.Handler{}
	if len(cfg.Secrets) == 0 && cfg.Token.IsZero() {
		return mounts
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &door{cfg: cfg, keys: newKeyring(cfg.Secrets), token: auth.NewTokens([]auth.Token{{Secret: cfg.Token}}), roll: &roll{ask: cfg.Accounts, now: cfg.Now}, post: &batcher{queue: cfg.Queue}, long: make(chan struct{}, longBodies), talk: teller{log: cfg.Log, limit: talk.Limit{Now: cfg.Now}}}
	mounts["/webhooks/heygen"] = d.route(d.signed)
	if !cfg.Token.IsZero() {
		mounts["/webhooks/heygen/{token}"] = d.route(d.unsigned)
	}
	return mounts
}

type door struct {
	cfg   Config
	keys  keyring
	token *auth.Tokens // of the path
	roll  *roll
	post  *batcher
	long  chan struct{} // holds a token for each long body that is being read
	talk  teller
}

// route sorts the methods. A HEAD or GET is how some of HeyGen's callers look whether anybody is there.
func (d *door) route(deliver http.HandlerFunc) http.Handler {
	const allow = "OPTIONS, GET, HEAD, POST"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			// Whoever sends a byte at a time keeps a connection, and not for long. A writer that has no deadline is a test's.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
			deliver(w, r)
		case http.MethodOptions, http.MethodGet, http.MethodHead:
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusOK)
		default:
			problem.NotAllowed(r.Method, allow).ServeHTTP(w, r)
		}
	})
}

// The reasons for which a delivery is refused, as the log names them. Whoever sent it is not told which it was.
const (
	tooLong      = "too_long"
	brokenOff    = "broken_off"
	noSignature  = "no_signature"
	wrongMAC     = "wrong_signature"
	wrongTime    = "wrong_time"
	wrongToken   = "wrong_token"
	wrongAccount = "unknown_account"
	crowded      = "too_many_long_bodies"
)

func (d *door) signed(w http.ResponseWriter, r *http.Request) {
	if len(signatures(r.Header)) == 0 {
		stall.Unread(w, r)
		d.refuse(w, r, noSignature)
		return
	}
	body, why := d.readBody(w, r)
	var account string
	if why == "" {
		account, why = d.keys.verify(r.Header, body, d.cfg.Now())
	}
	if why != "" {
		d.refuse(w, r, why)
		return
	}
	d.accept(w, r, account, body)
}

func (d *door) unsigned(w http.ResponseWriter, r *http.Request) {
	if d.token.Access(r.PathValue("token")).None() {
		stall.Unread(w, r)
		d.refuse(w, r, wrongToken)
		return
	}
	body, why := d.readBody(w, r)
	if why != "" {
		d.refuse(w, r, why)
		return
	}
	d.accept(w, r, r.URL.Query().Get("account"), body)
}

// refuse says no more than that: a caller who guesses shall not learn how close he was.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, why string) {
	d.talk.refused(why)
	if why == crowded {
		p := problem.New(http.StatusServiceUnavailable, "busy", "too many long deliveries come at once", "deliver it again in a moment")
		p.RetryAfter = 5 * time.Second
		p.ServeHTTP(w, r)
		return
	}
	problem.New(http.StatusUnauthorized, "unauthorized", "this delivery is not proven to be HeyGen's",
		"REELKEEP_WEBHOOK_SECRETS, webhook_secrets of an account and REELKEEP_WEBHOOK_TOKEN set what is; the log tells what was wrong").ServeHTTP(w, r)
}

// accept hands in what the delivery names, and answers when Redis holds it. whose is the account that it is for, as far as
// it says so.
func (d *door) accept(w http.ResponseWriter, r *http.Request, whose string, body []byte) {
	e := parse(body)
	if e.videoID == "" {
		d.cfg.Log.Debug("a delivery of HeyGen's names no video for us", "event", e.name)
		w.WriteHeader(http.StatusOK)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	account, err := d.roll.whose(ctx, whose)
	var receipt queue.Receipt
	if err == nil {
		receipt, err = d.post.signal(ctx, queue.Job{VideoID: e.videoID, Account: account})
	}
	switch {
	case errors.Is(err, errNoAccount), errors.Is(err, errWhose):
		d.refuse(w, r, wrongAccount)
		return
	case errors.Is(err, queue.ErrInvalidJob):
		d.cfg.Log.Debug("a delivery of HeyGen's can't be handed in", "event", e.name, "err", err)
	case err != nil:
		d.talk.away(queue.Explain(err))
		p := problem.New(http.StatusServiceUnavailable, "redis_away", "the event can't be taken now", "deliver it again in a moment")
		p.RetryAfter = 5 * time.Second
		p.ServeHTTP(w, r)
		return
	default:
		d.cfg.Log.Debug("heygen told of a video", "event", e.name, "video_id", e.videoID, "account", account, "state", string(receipt.State), "duplicate", receipt.Duplicate)
	}
	w.WriteHeader(http.StatusOK)
}

// readBody reads a body that is not longer than it may be. why says what is wrong with it.
func (d *door) readBody(w http.ResponseWriter, r *http.Request) (body []byte, why string) {
	if r.ContentLength > maxBody {
		drain(r)
		return nil, tooLong
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, commonBody+1))
	if err == nil && len(body) > commonBody {
		if !d.room(r.Context()) {
			stall.Unread(w, r)
			return nil, crowded
		}
		defer func() { <-d.long }()
		long := bytes.NewBuffer(body)
		_, err = long.ReadFrom(io.LimitReader(r.Body, maxBody+1-commonBody))
		body = long.Bytes()
	}
	switch {
	case err != nil:
		return nil, brokenOff
	case len(body) > maxBody:
		drain(r)
		return nil, tooLong
	}
	return body, ""
}

// room waits a moment for a place for a long body, and says whether there is one.
func (d *door) room(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	select {
	case d.long <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain reads on for a while, so that the sender comes to read the answer. One that asks before it sends needs no such help.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain))
	}
}
