package storagetest

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/minio/crc64nvme"
)

// Poor is an S3 in memory that can lack what real ones lack. It checks no signatures.
type Poor struct {
	IgnoreConditions bool // takes every conditional write
	RejectConditions bool // 501 for them
	RejectChecksums  bool // 400 for every header about checksums
	IgnoreChecksums  bool // takes wrong ones
	IgnoreMD5        bool
	Composite        bool // tells a checksum of checksums
	NoMetadata       bool
	NoListParts      bool
	OddETags         bool // ETags that are no MD5
	FlipOnComplete   bool // damages objects made of parts

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
	parts map[int]poorPart
	meta  http.Header
	crc   bool
}

type poorPart struct {
	data []byte
	etag string
	crc  string
}

// Start serves it, empty, until the test ends. Any bucket is there, and any key is right.
func (p *Poor) Start(t testing.TB) (endpoint string) {
	t.Helper()
	p.objects, p.uploads = map[string]poorObject{}, map[string]poorUpload{}
	srv := httptest.NewServer(p)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// Left is how much it holds.
func (p *Poor) Left() (objects, uploads int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.objects), len(p.uploads)
}

// Keys lists what it holds, bucket included.
func (p *Poor) Keys() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.objects))
}

// Lose turns the bytes of an object into zeros and keeps what it tells about it: so a power cut leaves a disk that nobody had
// told to write.
func (p *Poor) Lose(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.objects[key].data)
}

func (p *Poor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	switch {
	case p.RejectChecksums && aboutChecksums(r.Header):
		deny(w, 400, "InvalidArgument")
	case r.Method == http.MethodGet && q.Has("list-type"):
		p.list(w, strings.TrimSuffix(r.URL.Path, "/")+"/", q.Get("prefix"))
	case r.Method == http.MethodPost && q.Has("uploads"):
		p.n++
		id := fmt.Sprint("upload-", p.n)
		p.uploads[id] = poorUpload{map[int]poorPart{}, p.metaOf(r), r.Header.Get("X-Amz-Checksum-Algorithm") != ""}
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

// encodeCRC writes a checksum as S3 does.
func encodeCRC(sum uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func deny(w http.ResponseWriter, status int, code string) {
	answer(w, status, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
}

func (p *Poor) metaOf(r *http.Request) http.Header {
	m := http.Header{}
	for k, v := range r.Header {
		if strings.HasPrefix(k, "X-Amz-Meta-") && !p.NoMetadata {
			m[k] = v
		}
	}
	return m
}

func aboutChecksums(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") || strings.HasPrefix(name, "X-Amz-Sdk-Checksum-") || name == "X-Amz-Trailer" {
			return true
		}
	}
	return false
}

func (p *Poor) etag(data []byte) string {
	if p.OddETags {
		p.n++
		return fmt.Sprintf(`"odd-%d"`, p.n)
	}
	return fmt.Sprintf(`"%x"`, md5.Sum(data))
}

func (p *Poor) store(key string, data []byte, meta http.Header, crc string) string {
	o := poorObject{data, p.etag(data), meta, crc}
	p.objects[key] = o
	return o.etag
}

// admit checks what protects a body.
func (p *Poor) admit(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if sum := r.Header.Get("X-Amz-Checksum-Crc64nvme"); sum != "" {
		if !p.IgnoreChecksums && sum != encodeCRC(crc64nvme.Checksum(body)) {
			deny(w, 400, "BadDigest")
			return false
		}
	}
	sum := md5.Sum(body)
	if want := r.Header.Get("Content-Md5"); want != "" && !p.IgnoreMD5 && want != base64.StdEncoding.EncodeToString(sum[:]) {
		deny(w, 400, "BadDigest")
		return false
	}
	return true
}

func (p *Poor) condition(w http.ResponseWriter, r *http.Request) bool {
	none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
	if p.IgnoreConditions || none+match == "" {
		return true
	}
	o, there := p.objects[r.URL.Path]
	switch {
	case p.RejectConditions:
		deny(w, 501, "NotImplemented")
	case none != "" && there, match != "" && o.etag != match:
		deny(w, 412, "PreconditionFailed")
	default:
		return true
	}
	return false
}

func (p *Poor) get(w http.ResponseWriter, r *http.Request) {
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

func (p *Poor) list(w http.ResponseWriter, bucket, prefix string) {
	type entry struct {
		Key, ETag string
		Size      int
	}
	out := struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []entry
	}{}
	for k, o := range p.objects {
		if key, ok := strings.CutPrefix(k, bucket); ok && strings.HasPrefix(key, prefix) {
			out.Contents = append(out.Contents, entry{key, o.etag, len(o.data)})
		}
	}
	b, _ := xml.Marshal(out)
	answer(w, 200, string(b))
}

func (p *Poor) multipart(w http.ResponseWriter, r *http.Request, body []byte) {
	id := r.URL.Query().Get("uploadId")
	u, ok := p.uploads[id]
	switch {
	case !ok:
		deny(w, 404, "NoSuchUpload")
	case r.Method == http.MethodPut:
		if n, err := strconv.Atoi(r.URL.Query().Get("partNumber")); err == nil && p.admit(w, r, body) {
			u.parts[n] = poorPart{body, p.etag(body), r.Header.Get("X-Amz-Checksum-Crc64nvme")}
			w.Header().Set("ETag", u.parts[n].etag)
		}
	case r.Method == http.MethodDelete:
		delete(p.uploads, id)
		w.WriteHeader(204)
	case r.Method == http.MethodGet && p.NoListParts:
		deny(w, 501, "NotImplemented")
	case r.Method == http.MethodGet:
		p.listParts(w, u)
	case !p.condition(w, r):
	case !u.offers(body):
		deny(w, 400, "InvalidPart")
	default:
		delete(p.uploads, id)
		p.complete(r.URL.Path, u)
		answer(w, 200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	}
}

// completeRequest is the list that ends an upload.
type completeRequest struct {
	Part []struct {
		PartNumber int
		ETag       string
	}
}

// offers says whether the list names the parts there are, in order, as S3 wants it.
func (u poorUpload) offers(body []byte) bool {
	var list completeRequest
	if xml.Unmarshal(body, &list) != nil || len(list.Part) != len(u.parts) {
		return false
	}
	for i, p := range list.Part {
		if have, ok := u.parts[p.PartNumber]; !ok || p.PartNumber != i+1 || p.ETag != have.etag {
			return false
		}
	}
	return true
}

func (p *Poor) listParts(w http.ResponseWriter, u poorUpload) {
	type entry struct {
		PartNumber        int
		Size              int
		ETag              string
		ChecksumCRC64NVME string `xml:",omitempty"`
	}
	out := struct {
		XMLName xml.Name `xml:"ListPartsResult"`
		Part    []entry
	}{}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		part := u.parts[n]
		out.Part = append(out.Part, entry{n, len(part.data), part.etag, part.crc})
	}
	b, _ := xml.Marshal(out)
	answer(w, 200, string(b))
}

// complete makes the object. What it tells of it, it tells of what lies there in the end.
func (p *Poor) complete(key string, u poorUpload) {
	var whole, sums []byte
	for n := range len(u.parts) {
		whole = append(whole, u.parts[n+1].data...)
	}
	if p.FlipOnComplete && len(whole) > 100 {
		whole[99] ^= 1
	}
	rest := whole
	for n := range len(u.parts) {
		size := len(u.parts[n+1].data)
		sum := md5.Sum(rest[:size])
		sums, rest = append(sums, sum[:]...), rest[size:]
	}
	o := poorObject{data: whole, etag: fmt.Sprintf("\"%x-%d\"", md5.Sum(sums), len(u.parts)), meta: u.meta}
	if p.OddETags {
		o.etag = p.etag(whole)
	}
	switch {
	case u.crc && p.Composite:
		o.crc = encodeCRC(1) + "-1"
	case u.crc:
		o.crc = encodeCRC(crc64nvme.Checksum(whole))
	}
	p.objects[key] = o
}
