package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Client reads remote files. It is safe for concurrent use; make one a process, since it counts the connections
// to each host.
type Client struct {
	cfg     Config
	hosts   []string
	secure  *http.Transport
	plain   *http.Transport // http: reaches private sources only
	streams *streams
	meter   *meter // nil: no limit
}

// New returns a Client, or an error that names every bad setting.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	c := &Client{
		cfg:     cfg,
		secure:  newTransport(cfg, newGuard(cfg.PrivateSources, true)),
		plain:   newTransport(cfg, newGuard(cfg.PrivateSources, false)),
		streams: &streams{limit: cfg.HostStreams, hosts: map[string]*slots{}},
		meter:   newMeter(cfg.Bandwidth),
	}
	for _, host := range cfg.SourceHosts {
		c.hosts = append(c.hosts, hostSuffix(host))
	}
	return c, nil
}

// Close lets idle connections go. Open files are not touched.
func (c *Client) Close() {
	c.secure.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

func newTransport(cfg Config, g guard) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second, ControlContext: g.control}
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    cfg.HostStreams,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              &http1,
		// Larger than a TLS record, so that a fast source costs few system calls.
		ReadBufferSize: 64 << 10,
	}
}

const maxRedirects = 5

// question is one request: which bytes, and of which version.
type question struct {
	link     Link
	off, end int64  // end -1: to the end; both -1: the whole file, without a Range header
	ifRange  string // a strong ETag, or ""
	turn     *turn
}

// ask sends one request, follows redirects, and turns every other status into a *fault.
func (c *Client) ask(ctx context.Context, q question) (*answer, error) {
	to, err := parseTarget(q.link.URL, c.hosts)
	if err != nil {
		return nil, err
	}
	for range maxRedirects + 1 {
		a, err := c.send(ctx, q, to)
		if err != nil {
			return nil, err
		}
		switch {
		case a.status == http.StatusOK, a.status == http.StatusPartialContent,
			a.status == http.StatusRequestedRangeNotSatisfiable:
			if err := a.packed(); err != nil {
				a.body.Close()
				return nil, err
			}
			return a, nil
		case a.status < 300 || a.status >= 400 || a.status == http.StatusNotModified:
			return nil, c.refused(a)
		}
		a.body.Close()
		if to, err = to.redirect(a.header, c.hosts); err != nil {
			return nil, err
		}
	}
	return nil, blocked("the link must lead to a file", "more than %d redirects from %s", maxRedirects, q.link.URL)
}

// send does one hop. The stall watch covers it from the first packet on.
func (c *Client) send(ctx context.Context, q question, to target) (*answer, error) {
	leave, err := c.streams.enter(ctx, to.url.Host, q.turn)
	if err != nil {
		return nil, err
	}
	own, w := newWatch(ctx, c.cfg.StallTimeout)
	b := &body{watch: w, host: to.url.Host, leave: leave, src: http.NoBody}
	if c.meter != nil {
		b.piece, b.pay = c.meter.piece, func(n int) { c.meter.pay(own, q.turn, n) }
	}
	b.bind(ctx)
	transport := c.secure
	if to.url.Scheme == "http" {
		transport = c.plain
	}
	w.start()
	asked := time.Now()
	resp, err := transport.RoundTrip(c.request(own, q, to))
	w.stop()
	if err != nil {
		b.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, sortSendError(w, err)
	}
	b.src = resp.Body
	return &answer{
		status: resp.StatusCode, header: resp.Header, length: resp.ContentLength,
		marked: len(resp.TransferEncoding) > 0, took: time.Since(asked), body: b,
	}, nil
}

func sortSendError(w *watch, err error) error {
	var refusal *detail
	var op *net.OpError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &op) && op.Op == "dial":
		return &fault{kind: unreachable, text: "connect: " + cut(err.Error(), longestText)}
	}
	return w.sort(err)
}

func (c *Client) request(ctx context.Context, q question, to target) *http.Request {
	h := http.Header{
		"Accept":          {"*/*"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {c.cfg.UserAgent},
	}
	switch {
	case q.off >= 0 && q.end >= 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", q.off, q.end-1))
	case q.off >= 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-", q.off))
	}
	if q.ifRange != "" {
		h.Set("If-Range", q.ifRange)
	}
	req := &http.Request{Method: http.MethodGet, URL: to.url, Host: to.url.Host, Header: h}
	return req.WithContext(ctx)
}

// errorCode finds the one word of an S3 or CloudFront error page that helps a person. The rest of such a page may
// repeat the signed request.
var errorCode = regexp.MustCompile(`<Code>([A-Za-z]{1,64})</Code>`)

// refused says what a status other than 200, 206, 416 asks of us, and ends the answer.
func (c *Client) refused(a *answer) error {
	defer a.body.Close()
	// One watch for the whole page: it holds one of the host's connections, and a host may send it a byte at a time.
	a.body.watch.start()
	page, _ := io.ReadAll(io.LimitReader(a.body.src, 4<<10))
	a.body.watch.stop()
	text := "status " + strconv.Itoa(a.status)
	if code := errorCode.FindSubmatch(page); code != nil {
		text += " " + string(code[1])
	}
	f := &fault{kind: wrong, status: a.status, text: text}
	switch {
	case a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusTooEarly ||
		a.status == http.StatusRequestTimeout:
		f.kind = busy
		f.after = parseRetryAfter(a.header.Get("Retry-After"), c.cfg.Now())
	case a.status >= 400:
		f.kind = denied
	}
	return f
}
