package embedded

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func background() context.Context { return context.Background() }

// client signs just enough of S3 to put, get and list. The SDK belongs to the storage room.
type client struct {
	S3Public

	http *http.Client
}

func newClient(t *testing.T, s S3Public) *client {
	t.Helper()
	transport := &http.Transport{Proxy: nil}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{s, &http.Client{Transport: transport}}
}

type answer struct {
	Code int
	Body string
}

func (c *client) put(t *testing.T, key, body string, header ...string) answer {
	t.Helper()
	return c.do(t, http.MethodPut, key, body, header...)
}

func (c *client) get(t *testing.T, key string) answer {
	t.Helper()
	return c.do(t, http.MethodGet, key, "")
}

// list returns the XML of a listing of everything.
func (c *client) list(t *testing.T) string {
	t.Helper()
	return c.do(t, http.MethodGet, "?list-type=2", "").Body
}

func (c *client) do(t *testing.T, method, key, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.Endpoint+"/"+c.Bucket+"/"+key, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	c.sign(req, time.Now().UTC())
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(got)}
}

// sign is AWS Signature Version 4 with an unsigned payload.
func (c *client) sign(req *http.Request, now time.Time) {
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	const signed = "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), req.URL.RawQuery,
		"host:" + req.URL.Host, "x-amz-content-sha256:UNSIGNED-PAYLOAD", "x-amz-date:" + stamp, "",
		signed, "UNSIGNED-PAYLOAD",
	}, "\n")
	scope := day + "/" + c.Region + "/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + c.SecretKey)
	for _, step := range []string{day, c.Region, "s3", "aws4_request"} {
		key = mac(key, step)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.AccessKey, scope, signed, signature))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
