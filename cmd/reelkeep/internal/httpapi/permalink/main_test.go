package permalink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
	"github.com/reelkeep/reelkeep/worker/secret"
)

var minio *storagetest.Server

func TestMain(m *testing.M) {
	os.Exit(storagetest.RunWithMinIO(m, &minio))
}

const (
	base       = "https://videos.example.com"
	linkSecret = "a-secret-of-sixteen-or-more"
	everything = "Authorization: Bearer token-for-everything"
	west       = "Authorization: Bearer token-for-west"
	east       = "Authorization: Bearer token-for-east"
)

// bundle is a door with permalinks in front of a real store.
type bundle struct {
	t      *testing.T
	url    string
	store  *storage.Store
	files  *countingFiles
	queue  states
	signer *sharelink.Signer
	now    atomic.Int64

	permalinks *Handler

	client *http.Client
}

func setup(t *testing.T, cfg Config) *bundle {
	t.Helper()
	t.Parallel()
	b := &bundle{t: t, queue: states{}, signer: sharelink.NewSigner([]secret.String{secret.New(linkSecret)})}
	b.now.Store(time.Now().Unix())
	cfg.Now = b.clock
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	b.store, err = storage.Open(context.WithoutCancel(t.Context()), storage.Config{
		URL: "s3://" + minio.Bucket(t) + "/videos", Endpoint: minio.Endpoint, Log: cfg.Log,
		Credentials: storage.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.store.Close)
	b.files = &countingFiles{Store: b.store}
	mux := http.NewServeMux()
	b.permalinks = New(cfg, Deps{Manifests: b.store, Files: b.files, Queue: b.queue, Signer: b.signer})
	for pattern, h := range b.permalinks.Mounts() {
		mux.Handle(pattern, h)
	}
	guard := &auth.Guard{Tokens: auth.NewTokens([]auth.Token{
		{Secret: secret.New("token-for-everything")}, {Account: "west", Secret: secret.New("token-for-west")}, {Account: "east", Secret: secret.New("token-for-east")},
	})}
	server := httptest.NewUnstartedServer(guard.Identify(mux))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 30*time.Second, time.Minute
	server.Start()
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (b *bundle) clock() time.Time { return time.Unix(b.now.Load(), 0) }

// states stands for the queue.
type states map[string]queue.State

func (s states) StatusIn(_ context.Context, account, id string) (queue.Status, error) {
	switch state := s[account+"/"+id]; state {
	case "":
		return queue.Status{}, fmt.Errorf("status of %s: %w", id, queue.ErrUnknown)
	case "away":
		return queue.Status{}, errors.New("no route to Redis")
	default:
		return queue.Status{State: state}, nil
	}
}

// countingFiles counts what is open.
type countingFiles struct {
	*storage.Store
	open, opened atomic.Int64
	closed       chan struct{} // a token for each that was closed; nil: nobody waits for that
	fail         atomic.Pointer[error]
}

func (f *countingFiles) Open(ctx context.Context, k storage.VideoKey, name string, off, n int64) (io.ReadCloser, error) {
	if err := f.fail.Load(); err != nil {
		return nil, *err
	}
	body, err := f.Store.Open(ctx, k, name, off, n)
	if err != nil {
		return nil, err
	}
	f.open.Add(1)
	f.opened.Add(1)
	return &countedBody{ReadCloser: body, files: f}, nil
}

type countedBody struct {
	io.ReadCloser
	files *countingFiles
}

func (c *countedBody) Close() error {
	err := c.ReadCloser.Close()
	c.files.open.Add(-1)
	select {
	case c.files.closed <- struct{}{}:
	default:
	}
	return err
}

// file is one that the test archives.
type file struct {
	name, contentType string
	body              []byte
}

func film() file { return file{"video.mp4", "video/mp4", bytesOf(200_000)} }

// bytesOf are n bytes of which every stretch is another one.
func bytesOf(n int) []byte {
	out := make([]byte, 0, n+8)
	for i := 0; len(out) < n; i++ {
		out = fmt.Appendf(out, "%08d", i)
	}
	return out[:n]
}

// archive seals a video with these files.
func (b *bundle) archive(k storage.VideoKey, title string, files map[string]file) *storage.Manifest {
	b.t.Helper()
	m := &storage.Manifest{VideoID: k.VideoID, Account: k.Account, State: storage.StateArchived, Video: storage.Video{Title: title}}
	for asset, f := range files {
		u, err := b.store.Upload(b.t.Context(), k, storage.UploadSpec{Asset: asset, Name: f.name, Size: int64(len(f.body)), ContentType: f.contentType})
		if err != nil {
			b.t.Fatal(err)
		}
		if err := u.Put(b.t.Context(), 1, f.body); err != nil {
			b.t.Fatal(err)
		}
		obj, err := u.Complete(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		sum := sha256.Sum256(f.body)
		m.Assets = append(m.Assets, storage.Asset{
			Asset: asset, Key: f.name, Bytes: obj.Size, SHA256: hex.EncodeToString(sum[:]), ContentType: f.contentType, ETag: obj.ETag,
			StoredAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		})
	}
	b.seal(m)
	return m
}

func (b *bundle) seal(m *storage.Manifest) {
	b.t.Helper()
	if err := b.store.Seal(b.t.Context(), m); err != nil {
		b.t.Fatal(err)
	}
}

// answer is what the door said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers are "Name: value".
func (b *bundle) ask(method, path string, headers ...string) answer {
	b.t.Helper()
	link := path
	if strings.HasPrefix(path, "/") {
		link = b.url + path
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, link, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// share is the path and query of a share link.
func (b *bundle) share(f sharelink.File, until time.Time) string {
	b.t.Helper()
	link, err := b.signer.Share(base, f, until)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimPrefix(link, base)
}
