package dropin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeep/reelkeep/worker/secret"
)

const (
	dialTimeout = 10 * time.Second
	// headerTimeout is for HeyGen to begin its answer. Some creations are slow; a status is not.
	headerTimeout = 5 * time.Minute
	// longestList is well above a page of 100 videos, some 300 KB.
	longestList = 8 << 20
	// pseudonym is how we sign what we hand on, in Via.
	pseudonym = "reelkeep"
)

// errand is what is to be known of a request on its way to HeyGen and back.
type errand struct {
	who  caller
	list bool // a list of videos of an account of ours: items are looked at
	// creates: the request, of an account of ours, may be one that makes a video.
	creates bool
	// worth: the answer leaves room for the video to exist. It stays set where there was no answer.
	worth bool
}

// newTransport is the way to HeyGen. It has no cookies and leaves encodings as they are.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true, // else a client that asked for nothing would get another answer than HeyGen gave
	}
}

// pipe takes one request to HeyGen and its answer back. It follows no redirect.
func (h *Handler) pipe(ctx context.Context, e *errand) *httputil.ReverseProxy {
	proxy := h.proxy
	proxy.Rewrite = func(p *httputil.ProxyRequest) { h.rewrite(p, e) }
	proxy.ModifyResponse = func(res *http.Response) error { return h.modify(ctx, res, e) }
	return &proxy
}

func (h *Handler) rewrite(p *httputil.ProxyRequest, e *errand) {
	p.SetURL(h.target)
	p.Out.URL.RawQuery = p.In.URL.RawQuery // byte for byte: ReverseProxy drops what it can't read
	h.callers.dress(p.Out.Header, e.who)
	via := "1." + strconv.Itoa(p.In.ProtoMinor)
	if p.In.ProtoMajor != 1 {
		via = strconv.Itoa(p.In.ProtoMajor) + ".0"
	}
	p.Out.Header.Add("Via", via+" "+pseudonym)
	if e.list || e.creates { // the answer is read
		p.Out.Header.Set("Accept-Encoding", "identity")
	}
}

// looped says whether a request has been through us already. One of our own making comes back when HEYGEN_API_URL leads
// to ourselves.
func looped(r *http.Request) bool {
	for _, line := range r.Header.Values("Via") {
		for hop := range strings.SplitSeq(line, ",") {
			if fields := strings.Fields(hop); len(fields) > 1 && fields[1] == pseudonym {
				return true
			}
		}
	}
	return false
}

// modify looks at an answer on its way back.
func (h *Handler) modify(ctx context.Context, res *http.Response, e *errand) error {
	// HeyGen's own word that there is no such video, or that this key may not see it, is a no. A page is not: an API that
	// was shut down answers with one, and the video may well be there.
	refused := res.StatusCode >= 400 && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests && isJSON(res.Header)
	e.worth = !refused
	res.Header.Del("Set-Cookie") // a browser would keep HeyGen's cookies as ours, and send them to all that we serve
	if e.creates {
		h.listenIn(ctx, res, e.who.account.Name)
		return nil
	}
	if !e.list || res.StatusCode != http.StatusOK || !isJSON(res.Header) || res.Header.Get("Content-Encoding") != "" || res.Request.Method != http.MethodGet {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, longestList+1))
	if err != nil {
		return err
	}
	if len(body) > longestList {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), res.Body), res.Body}
		return nil
	}
	_ = res.Body.Close() // read to its end
	body = h.relinkList(ctx, e.who.account.Name, body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.TransferEncoding = nil
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	for _, name := range []string{"ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		res.Header.Del(name) // of a body that nobody gets
	}
	return nil
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// failed answers when HeyGen did not.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // whoever asked has left
	}
	if h.talk.Speaks("heygen") {
		h.cfg.Log.Warn("heygen not reached", "path", r.URL.Path, "err", secret.Scrub(err.Error()))
	}
	status := http.StatusBadGateway
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		status = http.StatusGatewayTimeout
	}
	refuse(w, r, status, "HeyGen is out of reach")
}

// refuse answers in the shape that HeyGen's clients read: v3 has an error object, the older ones a code and a message.
func refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	body := object{{"code", legacyCode(status)}, {"data", null()}, {"message", quote(message)}}
	if strings.HasPrefix(r.URL.Path, "/v3/") {
		code := strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "_"))
		body = object{{"error", object{{"code", quote(code)}, {"message", quote(message)}}.encode()}}
	}
	writeJSON(w, status, body.encode())
}

// legacyCode is a code of v1's kind: longer than an HTTP status, as HeyGen's own are.
func legacyCode(status int) []byte { return []byte(strconv.Itoa(status * 1000)) }

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store") // a link in it opens without a token
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked may be gone
}
