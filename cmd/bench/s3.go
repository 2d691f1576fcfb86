//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// s3 speaks just enough S3 for the bare loop and for looking at what was stored. It is not the SDK: the limit should know
// nothing of what reelkeep is built from, and pay for nothing but the bytes. Keys must need no escaping.
type s3 struct {
	endpoint, key, secret string
	http                  *http.Client
}

const (
	region   = "us-east-1"
	unsigned = "UNSIGNED-PAYLOAD"
)

// do sends one signed request and expects 2xx. The caller closes the body.
func (c *s3) do(ctx context.Context, method, path string, query url.Values, body io.Reader, size int64) (*http.Response, error) {
	target := c.endpoint + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		req.ContentLength = size
	}
	c.sign(req, time.Now().UTC())
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(res.Body, tailBytes))
		_ = res.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, said)
	}
	return res, nil
}

// sign is AWS Signature Version 4 over the host, the date and the word that the payload is not signed.
func (c *s3) sign(req *http.Request, now time.Time) {
	date := now.Format("20060102T150405Z")
	scope := date[:8] + "/" + region + "/s3/aws4_request"
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	const names = "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), strings.ReplaceAll(req.URL.Query().Encode(), "+", "%20"),
		"host:" + req.URL.Host, "x-amz-content-sha256:" + unsigned, "x-amz-date:" + date, "", names, unsigned,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + c.secret)
	for _, part := range []string{date[:8], region, "s3", "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(sum[:])} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(key))
}

// put stores size bytes and returns the ETag.
func (c *s3) put(ctx context.Context, path string, query url.Values, body io.Reader, size int64) (string, error) {
	res, err := c.do(ctx, http.MethodPut, path, query, body, size)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.Header.Get("ETag"), err
}

func (c *s3) createUpload(ctx context.Context, path string) (string, error) {
	res, err := c.do(ctx, http.MethodPost, path, url.Values{"uploads": {""}}, nil, 0)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.NewDecoder(res.Body).Decode(&made); err != nil {
		return "", fmt.Errorf("start the upload of %s: %w", path, err)
	}
	return made.UploadID, nil
}

func (c *s3) completeUpload(ctx context.Context, path, id string, etags []string) error {
	var doc bytes.Buffer
	doc.WriteString("<CompleteMultipartUpload>")
	for i, etag := range etags {
		fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, strings.Trim(etag, `"`))
	}
	doc.WriteString("</CompleteMultipartUpload>")
	res, err := c.do(ctx, http.MethodPost, path, url.Values{"uploadId": {id}}, &doc, int64(doc.Len()))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err == nil && !bytes.Contains(said, []byte("CompleteMultipartUploadResult")) { // an error may come with a 200
		err = fmt.Errorf("complete %s: %s", path, said)
	}
	return err
}
