package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between a client and a store and breaks the requests it was told to. The Host header is passed on as
// it came, so signatures stay valid.
type Proxy struct {
	URL string

	target string
	client *http.Client
	server *httptest.Server
	late   sync.WaitGroup

	mu    sync.Mutex
	rules []*Rule
	seen  []string
	watch func(*http.Request) func(body []byte, status int)
}

// A Rule breaks matching requests.
type Rule struct {
	Match func(*http.Request) bool
	Times int // how often; 0 means always

	DropReply bool                     // the store does it, and the client never hears of it
	Cut       int64                    // with DropReply: this many bytes of the body still arrive
	Status    int                      // answered in the store's place, if not 0
	Body      string                   // with Status
	Late      time.Duration            // the client is cut off at once, and the request reaches the store that much later
	Until     func(*http.Request) bool // the same; it reaches the store when this returns true, and with false never
	Before    func(*http.Request)      // called before the request is passed on, to let something else happen first
}

// NewProxy starts a proxy before the store at target, for one test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := StartProxy(target)
	t.Cleanup(p.Close)
	return p
}

// StartProxy starts a proxy before the store at target. The caller closes it.
func StartProxy(target string) *Proxy {
	p := &Proxy{target: target, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	return p
}

// Close cuts all connections and ends the proxy.
func (p *Proxy) Close() {
	p.Wait()
	p.server.CloseClientConnections()
	p.server.Close()
	p.client.CloseIdleConnections()
}

// Watch makes the proxy show every request to watch before it is passed on. What watch returns, if not nil, is told the
// body and with which status the store answered, 0 if it did not: when the store has answered and the client does not know
// yet.
func (p *Proxy) Watch(watch func(*http.Request) func(body []byte, status int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = watch
}

// Break adds a rule. Rules are tried in order; the first that matches acts.
func (p *Proxy) Break(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Times == 0 {
		r.Times = -1
	}
	p.rules = append(p.rules, &r)
}

// Seen returns method and path with query of every request so far.
func (p *Proxy) Seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

// Count returns how many requests so far contain all of these texts.
func (p *Proxy) Count(texts ...string) int {
	n := 0
	for _, line := range p.Seen() {
		all := true
		for _, t := range texts {
			all = all && strings.Contains(line, t)
		}
		if all {
			n++
		}
	}
	return n
}

func (p *Proxy) rule(r *http.Request) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.Method+" "+r.URL.RequestURI())
	for _, rule := range p.rules {
		if rule.Times != 0 && rule.Match(r) {
			if rule.Times > 0 {
				rule.Times--
			}
			return rule
		}
	}
	return nil
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule := p.rule(r)
	late := rule != nil && (rule.Late > 0 || rule.Until != nil)
	if late && !takeWhole(r) { // before anybody hears of it, and kills who is sending it
		panic(http.ErrAbortHandler)
	}
	if rule != nil && rule.Before != nil {
		rule.Before(r)
	}
	if rule != nil && rule.Status != 0 {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(rule.Status)
		_, _ = io.WriteString(w, rule.Body)
		return
	}
	if late {
		p.deliverLate(r, rule)
		panic(http.ErrAbortHandler)
	}
	answered := p.watched(r)
	resp, err := p.forward(r)
	if err != nil {
		answered(0)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answered(resp.StatusCode)
	if rule != nil && rule.DropReply && rule.Cut == 0 {
		_, _ = io.Copy(io.Discard, resp.Body)
		panic(http.ErrAbortHandler) // net/http's way to cut a connection
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	if rule != nil && rule.DropReply {
		_, _ = io.CopyN(w, resp.Body, rule.Cut)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = io.Copy(w, resp.Body)
}

// takeWhole reads the body of a request, and says whether all of it has come.
func takeWhole(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// deliverLate passes a request that has come whole on later, whatever has become of who sent it: packets wait in queues.
func (p *Proxy) deliverLate(r *http.Request, rule *Rule) {
	late := r.Clone(context.WithoutCancel(r.Context()))
	p.late.Go(func() {
		time.Sleep(rule.Late)
		if rule.Until != nil && !rule.Until(late) {
			return
		}
		answered := p.watched(late)
		resp, err := p.forward(late)
		if err != nil {
			answered(0)
			return
		}
		defer resp.Body.Close()
		answered(resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
	})
}

// Wait returns when all late requests have reached the store.
func (p *Proxy) Wait() { p.late.Wait() }

// watched returns what to call with the store's answer to the request.
func (p *Proxy) watched(r *http.Request) func(status int) {
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	if watch == nil {
		return func(int) {}
	}
	tell := watch(r)
	if tell == nil {
		return func(int) {}
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	return func(status int) { tell(body, status) }
}

// failing reads as the client's connection ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

func (p *Proxy) forward(r *http.Request) (*http.Response, error) {
	target, err := url.Parse(p.target)
	if err != nil {
		return nil, fmt.Errorf("parse the store's address: %w", err)
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = target.Scheme, target.Host, r.Host, ""
	return p.client.Do(out)
}

// Request matches a method and texts that must all be in path and query.
func Request(method string, texts ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if r.Method != method {
			return false
		}
		for _, t := range texts {
			if !strings.Contains(r.URL.RequestURI(), t) {
				return false
			}
		}
		return true
	}
}
