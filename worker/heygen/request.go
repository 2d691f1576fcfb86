package heygen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	totalTimeout  = 60 * time.Second // answers are small; a slow one is an outage

	// longestAnswer is well above a page of 100 videos (some 300 KB) and well below what would hurt.
	longestAnswer = 8 << 20
)

// httpClient returns a client that never follows a redirect and keeps no cookies. Go drops Authorization on the
// way to another host, but would hand x-api-key on.
func httpClient(given *http.Client) *http.Client {
	var own http.Client
	if given != nil {
		own = *given
	} else {
		own.Timeout = totalTimeout
		own.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   16, // status calls of all workers of a process go to one host
		}
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	return &own
}

// request is one call of the API.
type request struct {
	endpoint string // for Observe
	api      string
	path     string
	query    url.Values
	method   string // "" is GET
	body     any    // sent as JSON; nil: none
}

// get makes one request, if the gate lets it, and returns the members of the answer. Every answer that is not a readable
// success is an *Error; if the caller's context ended, its cause is returned instead.
func (t *turn) get(ctx context.Context, r request) (fields, *answer, error) {
	if err := t.enter(ctx, r.api); err != nil {
		return nil, nil, err
	}
	return t.exchange(ctx, r)
}

// exchange makes one request and reads the answer.
func (c *Client) exchange(ctx context.Context, r request) (fields, *answer, error) {
	start := time.Now()
	a, err := c.send(ctx, r)
	took := time.Since(start)
	if ctx.Err() != nil && err != nil {
		return nil, nil, ended(ctx)
	}
	c.cfg.Observe(r.endpoint, codeLabel(a), took)
	c.cfg.Log.DebugContext(ctx, "heygen asked", "endpoint", r.endpoint, "api", r.api, "code", codeLabel(a), "dur", took)
	if err != nil {
		return nil, nil, err
	}
	f, ok := a.fine()
	switch {
	case ok:
		return f, a, nil
	case a.status/100 == 2 && f == nil && !a.page():
		e := c.unintelligible(a, "not a JSON object")
		e.foreign = true
		return nil, nil, e
	}
	return nil, nil, c.classify(a)
}

// send makes the request and reads the whole answer, within limits.
func (c *Client) send(ctx context.Context, r request) (*answer, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var content io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return nil, c.down(r, err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, firstOf(r.method, http.MethodGet), target, content)
	if err != nil {
		return nil, c.down(r, err)
	}
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.cfg.Key.IsZero() {
		req.Header.Set("X-Api-Key", c.cfg.Key.Reveal())
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.down(r, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	if err != nil {
		return nil, c.down(r, err)
	}
	a := &answer{api: r.api, status: resp.StatusCode, header: resp.Header}
	if len(body) > longestAnswer {
		return nil, c.unintelligible(a, fmt.Sprintf("longer than %d MiB", longestAnswer>>20))
	}
	a.body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf")))
	return a, nil
}

// down wraps an error of the network. Only its text is kept: net/http's own error carries the whole address.
func (c *Client) down(r request, err error) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &Error{Kind: Down, Message: c.clean(err.Error()), api: r.api}
}

func (c *Client) unintelligible(a *answer, why string) *Error {
	return &Error{Kind: Unintelligible, HTTPStatus: a.status, Message: why, RequestID: c.clean(a.header.Get("X-Request-Id")), api: a.api}
}

// ended says why the caller's context ended. Both what it was (errors.Is(err, context.Canceled)) and its cause can be asked for.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// codeLabel names how a request ended; a is nil if no answer could be read.
func codeLabel(a *answer) string {
	switch {
	case a == nil, a.status < 200, a.status > 599:
		return "error"
	case a.status == http.StatusTooManyRequests:
		return "429"
	}
	return fmt.Sprintf("%dxx", a.status/100)
}
