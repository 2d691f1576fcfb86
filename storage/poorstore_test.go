package storage_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/minio/crc64nvme"

	"github.com/reelkeep/reelkeep/storage"
)

// A poorStore is an S3 in memory that can lack what real ones lack. It checks no signatures.
type poorStore struct {
	ignoreConditions bool // takes every conditional write
	rejectConditions bool // 501 for them
	rejectChecksums  bool // 400 for x-amz-checksum-…
	ignoreChecksums  bool // takes wrong ones
	ignoreMD5        bool
	composite        bool // tells a checksum of checksums
	noMetadata       bool
	noListParts      bool
	oddETags         bool // ETags that are no MD5
	flipOnComplete   bool // damages objects made of parts

	mu      sync.Mutex
	n       int
	objects map[string]poorObject
	uploads map[string]poorUpload
}

type poorObject struct {
	data []byte
	etag string
	meta http.Header
	crc  string
}

type poorUpload struct {
	parts map[string][]byte
	meta  http.Header
	crc   bool
}

func (p *poorStore) open(t *testing.T, checksum string) *storage.Store {
	t.Helper()
	p.objects, p.uploads = map[string]poorObject{}, map[string]poorUpload{}
	srv := httptest.NewServer(p)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return open(t, storage.Config{
		URL: "s3://bucket/p", PartSize: storage.MinPartSize, Endpoint: srv.URL, Checksum: checksum,
		Credentials: storage.Credentials{AccessKey: "a", SecretKey: "b"},
	})
}

func (p *poorStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && q.Has("list-type"):
		p.list(w, q.Get("prefix"))
	case r.Method == http.MethodPost && q.Has("uploads"):
		p.n++
		id := fmt.Sprint("upload-", p.n)
		p.uploads[id] = poorUpload{map[string][]byte{}, p.metaOf(r), r.Header.Get("X-Amz-Checksum-Algorithm") != ""}
		answer(w, 200, "<InitiateMultipartUploadResult><UploadId>"+id+"</UploadId></InitiateMultipartUploadResult>")
	case q.Has("uploadId"):
		p.multipart(w, r, body)
	case r.Method == http.MethodPut:
		if p.admit(w, r, body) && p.condition(w, r) {
			w.Header().Set("ETag", p.store(r.URL.Path, body, p.metaOf(r), r.Header.Get("X-Amz-Checksum-Crc64nvme")))
		}
	case r.Method == http.MethodDelete:
		delete(p.objects, r.URL.Path)
		w.WriteHeader(204)
	default:
		p.get(w, r)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func deny(w http.ResponseWriter, status int, code string) {
	answer(w, status, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
}

func (p *poorStore) metaOf(r *http.Request) http.Header {
	m := http.Header{}
	for k, v := range r.Header {
		if strings.HasPrefix(k, "X-Amz-Meta-") && !p.noMetadata {
			m[k] = v
		}
	}
	return m
}

func (p *poorStore) etag(data []byte) string {
	if p.oddETags {
		p.n++
		return fmt.Sprintf(`"odd-%d"`, p.n)
	}
	return fmt.Sprintf(`"%x"`, md5.Sum(data))
}

func (p *poorStore) store(key string, data []byte, meta http.Header, crc string) string {
	o := poorObject{data, p.etag(data), meta, crc}
	p.objects[key] = o
	return o.etag
}

// admit checks what protects a body.
func (p *poorStore) admit(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if sum := r.Header.Get("X-Amz-Checksum-Crc64nvme"); sum != "" {
		if p.rejectChecksums {
			deny(w, 400, "InvalidArgument")
			return false
		}
		if !p.ignoreChecksums && sum != storage.EncodeCRC(crc64nvme.Checksum(body)) {
			deny(w, 400, "BadDigest")
			return false
		}
	}
	sum := md5.Sum(body)
	if want := r.Header.Get("Content-Md5"); want != "" && !p.ignoreMD5 && want != base64.StdEncoding.EncodeToString(sum[:]) {
		deny(w, 400, "BadDigest")
		return false
	}
	return true
}

func (p *poorStore) condition(w http.ResponseWriter, r *http.Request) bool {
	none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
	if p.ignoreConditions || none+match == "" {
		return true
	}
	o, there := p.objects[r.URL.Path]
	switch {
	case p.rejectConditions:
		deny(w, 501, "NotImplemented")
	case none != "" && there, match != "" && o.etag != match:
		deny(w, 412, "PreconditionFailed")
	default:
		return true
	}
	return false
}

func (p *poorStore) get(w http.ResponseWriter, r *http.Request) {
	o, ok := p.objects[r.URL.Path]
	if !ok {
		deny(w, 404, "NoSuchKey")
		return
	}
	if m := r.Header.Get("If-Match"); m != "" && m != o.etag {
		deny(w, 412, "PreconditionFailed")
		return
	}
	for k, v := range o.meta {
		w.Header()[k] = v
	}
	if o.crc != "" && r.Header.Get("X-Amz-Checksum-Mode") != "" {
		w.Header().Set("X-Amz-Checksum-Crc64nvme", o.crc)
	}
	w.Header().Set("ETag", o.etag)
	from, to := 0, len(o.data)
	if rng := r.Header.Get("Range"); rng != "" {
		if n, _ := fmt.Sscanf(rng, "bytes=%d-%d", &from, &to); n == 2 {
			to = min(to+1, len(o.data))
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.data)))
		w.Header().Set("Content-Length", fmt.Sprint(to-from))
		w.WriteHeader(206)
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(to))
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(o.data[from:to])
	}
}

func (p *poorStore) list(w http.ResponseWriter, prefix string) {
	type entry struct{ Key string }
	out := struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []entry
	}{}
	for k := range p.objects {
		if k = strings.TrimPrefix(k, "/bucket/"); strings.HasPrefix(k, prefix) {
			out.Contents = append(out.Contents, entry{k})
		}
	}
	b, _ := xml.Marshal(out)
	answer(w, 200, string(b))
}

func (p *poorStore) multipart(w http.ResponseWriter, r *http.Request, body []byte) {
	id, n := r.URL.Query().Get("uploadId"), r.URL.Query().Get("partNumber")
	u, ok := p.uploads[id]
	switch {
	case !ok:
		deny(w, 404, "NoSuchUpload")
	case r.Method == http.MethodPut:
		if p.admit(w, r, body) {
			u.parts[n] = body
			w.Header().Set("ETag", p.etag(body))
		}
	case r.Method == http.MethodDelete:
		delete(p.uploads, id)
		w.WriteHeader(204)
	case r.Method == http.MethodGet && p.noListParts:
		deny(w, 501, "NotImplemented")
	case r.Method == http.MethodGet:
		var b strings.Builder
		for n, data := range u.parts {
			fmt.Fprintf(&b, "<Part><PartNumber>%s</PartNumber><Size>%d</Size><ETag>x</ETag></Part>", n, len(data))
		}
		answer(w, 200, "<ListPartsResult>"+b.String()+"</ListPartsResult>")
	case p.condition(w, r):
		delete(p.uploads, id)
		p.store(r.URL.Path, p.assemble(u), u.meta, p.wholeCRC(u))
		answer(w, 200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	}
}

func (p *poorStore) assemble(u poorUpload) []byte {
	var whole []byte
	for n := 1; n <= len(u.parts); n++ {
		whole = append(whole, u.parts[fmt.Sprint(n)]...)
	}
	if p.flipOnComplete && len(whole) > 100 {
		whole[99] ^= 1
	}
	return whole
}

func (p *poorStore) wholeCRC(u poorUpload) string {
	switch {
	case !u.crc:
		return ""
	case p.composite:
		return storage.EncodeCRC(1) + "-1"
	}
	return storage.EncodeCRC(crc64nvme.Checksum(p.assemble(u)))
}
