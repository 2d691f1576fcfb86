package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// timeout is how long a receiver may take for everything; 15 s is what Standard Webhooks calls the least it should be given.
const timeout = 15 * time.Second

// Config says whom to tell.
type Config struct {
	URL    secret.String
	Secret secret.String // whsec_ and base64
	// Private are addresses that may be told although they are not public.
	Private   []netip.Prefix
	UserAgent string
	// Permalink is the address of an asset, "" if it has none; nil: nobody knows our own address.
	Permalink func(account, videoID, asset string) string
	Now       func() time.Time // what a delivery is stamped with; nil: time.Now
}

// Sender delivers notifications. It is safe for concurrent use.
type Sender struct {
	cfg       Config
	transport *fetch.Guarded
	client    *http.Client
	signer    *standardwebhooks.Webhook
}

// New checks what can be checked without contacting anybody.
func New(cfg Config) (*Sender, error) {
	if cfg.Secret.IsZero() {
		return nil, errors.New("REELKEEP_NOTIFY_SECRET: must be set with REELKEEP_NOTIFY_URL: a receiver can't tell unsigned notifications from forged ones (echo whsec_$(openssl rand -base64 32) makes one)")
	}
	signer, err := standardwebhooks.NewWebhook(cfg.Secret.Reveal())
	if err != nil {
		return nil, errors.New("REELKEEP_NOTIFY_SECRET: want whsec_ and base64")
	}
	if u, err := url.Parse(cfg.URL.Reveal()); err != nil || u.Hostname() == "" {
		return nil, errors.New("REELKEEP_NOTIFY_URL: want an address such as https://app.example.com/hooks/reelkeep")
	} else if u.Scheme != "https" && len(cfg.Private) == 0 {
		return nil, errors.New("REELKEEP_NOTIFY_URL: plain http reaches only addresses that REELKEEP_PRIVATE_SOURCES names: use https, or set it to the receiver's network, such as 10.0.0.0/8")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Sender{cfg: cfg, transport: fetch.NewGuarded(cfg.Private), signer: signer}
	s.client = &http.Client{Transport: s.transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s, nil
}

// Close lets idle connections go.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Notify delivers once. The body and its id are the same each time, the stamp and the signature are of now.
func (s *Sender) Notify(ctx context.Context, n queue.Notification) error {
	body, err := json.Marshal(s.message(n))
	if err != nil {
		return fmt.Errorf("encode the notification: %w", err)
	}
	now := s.cfg.Now()
	signature, err := s.signer.Sign(n.ID, now, body)
	if err != nil {
		return fmt.Errorf("sign the notification: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("REELKEEP_NOTIFY_URL: not an address of %s", s.cfg.URL.Host())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	req.Header.Set(standardwebhooks.HeaderWebhookID, n.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return s.unreachable(ctx, err)
	}
	defer res.Body.Close()
	// What it says is not used; a connection that is read to its end can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return s.verdict(res)
}

// unreachable keeps the address out of the error: net/http puts all of it in.
func (s *Sender) unreachable(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() && ctx.Err() == nil {
			return &Error{host: s.cfg.URL.Host(), text: fmt.Sprintf("no answer within %s", timeout)}
		}
		err = wrapped.Err
	}
	return &Error{host: s.cfg.URL.Host(), text: "can't be reached", err: err}
}

// verdict says what an answer means. A redirect is none that we follow: it could lead anywhere.
func (s *Sender) verdict(res *http.Response) error {
	if res.StatusCode/100 == 2 {
		return nil
	}
	e := &Error{host: s.cfg.URL.Host(), text: "answered " + strconv.Itoa(res.StatusCode), gone: res.StatusCode == http.StatusGone}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		return &laterError{e, time.Duration(min(seconds, 3600)) * time.Second}
	}
	if res.StatusCode/100 == 3 {
		e.text += ", a redirect, which is not followed: set REELKEEP_NOTIFY_URL to where it leads"
	}
	return e
}

// Error is a delivery that failed. It names the receiver's host and nothing else of its address.
type Error struct {
	host, text string
	gone       bool
	err        error
}

func (e *Error) Error() string {
	text := "notify " + e.host + ": " + e.text
	if e.err != nil {
		text += ": " + secret.Scrub(e.err.Error())
	}
	return text
}

func (e *Error) Unwrap() error { return e.err }

// Permanent says whether the receiver wants no more of it (410).
func (e *Error) Permanent() bool { return e.gone }

// laterError is an Error whose receiver says when to come again.
type laterError struct {
	why   *Error
	after time.Duration
}

func (e *laterError) Error() string { return e.why.Error() }
func (e *laterError) Unwrap() error { return e.why }

// RetryAfter is when to come again.
func (e *laterError) RetryAfter() time.Duration { return e.after }
