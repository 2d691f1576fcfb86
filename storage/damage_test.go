package storage_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// mustHold compares what lies under a key below the prefix.
func mustHold(t *testing.T, s *storage.Store, key string, data []byte) {
	t.Helper()
	got, err := s.Raw(t.Context(), key)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s holds %d bytes (%v) that are not the %d stored", key, len(got), err, len(data))
	}
}

// refuse makes the store refuse matching requests at once, so that nobody tries again.
func refuse(p *storagetest.Proxy, times int, method string, texts ...string) {
	p.Break(storagetest.Rule{
		Match: storagetest.Request(method, texts...), Times: times, Status: http.StatusForbidden,
		Body: "<Error><Code>AccessDenied</Code><Message>not now</Message></Error>",
	})
}

// A power cut, or a person, has changed a small file that was not sealed, and it still says of itself what it was.
func TestASmallFileThatChangedInPlaceIsStoredAgain(t *testing.T) {
	t.Parallel()
	for _, checksum := range []string{storage.ChecksumCRC64NVME, storage.ChecksumMD5, storage.ChecksumReadback} {
		t.Run(checksum, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Checksum = checksum
			s := open(t, cfg)
			data := storagetest.Bytes(1, 1000)
			spec := storagetest.Spec("video", "video.mp4", data)
			u := begin(t, s, spec)
			put(t, u, 1, data)
			finish(t, u, data)
			bad := bytes.Clone(data)
			bad[500] ^= 1
			if err := s.Respell(t.Context(), "vid_1/video.mp4", bad); err != nil {
				t.Fatal(err)
			}
			if left, err := s.Leftovers(t.Context(), listFolder(t, s), nil, 1); err != nil || len(left) > 0 {
				t.Errorf("leftovers: %v, %v; want none", left, err)
			}
			again := begin(t, s, spec)
			put(t, again, 1, data)
			if err := s.Seal(t.Context(), sealable2(finish(t, again, data))); err != nil {
				t.Fatal(err)
			}
			mustHold(t, s, "vid_1/video.mp4", data)
		})
	}
}

func TestWhatWasReadBackOnceIsNotReadAgain(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	p := storagetest.NewProxy(t, cfg.Endpoint)
	cfg.Endpoint, cfg.Checksum = p.URL, storage.ChecksumReadback
	s := open(t, cfg)
	data := storagetest.Bytes(3, 1000)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "/vid_1/video.mp4"), Times: 1, DropReply: true})
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	finish(t, u, data)
	if n := p.Count("GET", "/video.mp4", "x-id=GetObject"); n != 1 {
		t.Errorf("read back %d times", n)
	}
}

func TestAStoreThatStumblesOverALookCostsNoSealedAsset(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	p := storagetest.NewProxy(t, cfg.Endpoint)
	cfg.Endpoint, cfg.Checksum = p.URL, storage.ChecksumReadback
	s := open(t, cfg)
	data := storagetest.Bytes(2, 1000)
	spec := storagetest.Spec("video", "video.mp4", data)
	stale, fast := begin(t, s, spec), begin(t, s, spec)
	put(t, fast, 1, data)
	if err := s.Seal(t.Context(), sealable2(finish(t, fast, data))); err != nil {
		t.Fatal(err)
	}
	refuse(p, 0, http.MethodGet, "/vid_1/video.mp4")
	var refused *storage.RefusedError
	if err := stale.Put(t.Context(), 1, data); !errors.As(err, &refused) {
		t.Errorf("Put = %v, want the store's refusal", err)
	}
	keys, err := s.Keys(t.Context())
	if err != nil || !slices.Contains(keys, "vid_1/video.mp4") {
		t.Errorf("in the store: %v, %v; the sealed asset is gone", keys, err)
	}
}

// Two workers share an upload. What one of them has sealed stays, whatever the other makes of it.
func TestASealedAssetThatLooksDamagedStays(t *testing.T) {
	t.Parallel()
	p := &storagetest.Poor{}
	s := openPoor(t, p, storage.ChecksumReadback)
	data := storagetest.Bytes(3, 2*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	fast := begin(t, s, spec)
	storagetest.PutMissing(t, fast, data)
	o := finish(t, fast, data)
	stale := begin(t, s, spec)
	if err := s.Seal(t.Context(), sealable2(o)); err != nil {
		t.Fatal(err)
	}
	p.Lose("/bucket/p/vid_1/video.mp4")
	if _, err := stale.Complete(t.Context()); !errors.Is(err, storage.ErrSealed) {
		t.Errorf("Complete = %v, want ErrSealed", err)
	}
	if keys := p.Keys(); !slices.Contains(keys, "/bucket/p/vid_1/video.mp4") {
		t.Errorf("in the store: %v; the sealed asset is gone", keys)
	}
}

func TestAnAnswerWithoutALengthIsNotTakenForDamage(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	target, err := url.Parse(cfg.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var chunked atomic.Bool
	between := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			if chunked.Load() && r.Request.Method == http.MethodGet && strings.HasSuffix(r.Request.URL.Path, "/video.mp4") {
				r.Header.Del("Content-Length")
				r.ContentLength = -1
			}
			return nil
		},
	})
	t.Cleanup(between.Close)
	cfg.Endpoint, cfg.Checksum = between.URL, storage.ChecksumReadback
	s := open(t, cfg)
	data := storagetest.Bytes(4, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	chunked.Store(true)
	var away *storage.UnreachableError
	if _, err := u.Complete(t.Context()); !errors.As(err, &away) {
		t.Errorf("Complete = %v, want an UnreachableError", err)
	}
	chunked.Store(false)
	next := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if n, _, _, ok := next.Next(); ok {
		t.Errorf("part %d is fetched again though the object is whole", n)
	}
	finish(t, next, data)
}

// Nobody told the disk to write before the seal. After a power cut, what a dead worker left keeps its length and its stored
// checksum, and not its bytes.
func TestAFolderIsNotBelievedAfterAPowerCut(t *testing.T) {
	t.Parallel()
	p := &storagetest.Poor{}
	s := open(t, storage.Config{
		URL: "s3://bucket/p", PartSize: part, Endpoint: p.Start(t), Credentials: storage.Credentials{AccessKey: "a", SecretKey: "b"},
		Flush: func([]string) error { return nil },
	})
	data := storagetest.Bytes(5, 3*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	u := begin(t, s, spec)
	storagetest.PutMissing(t, u, data)
	finish(t, u, data)
	p.Lose("/bucket/p/vid_1/video.mp4")
	var damaged *storage.DamagedError
	if o, err := begin(t, s, spec).Complete(t.Context()); !errors.As(err, &damaged) {
		t.Fatalf("Complete = %+v, %v, want a DamagedError", o, err)
	}
	again := begin(t, s, spec)
	storagetest.PutMissing(t, again, data)
	if err := s.Seal(t.Context(), sealable2(finish(t, again, data))); err != nil {
		t.Fatal(err)
	}
	mustHold(t, s, "vid_1/video.mp4", data)
}

// The reply to Complete is lost, so is the look after it: the object is there all the same.
func TestALostLookAfterCompleteCostsNothing(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(6, 3*part)
	spec := storagetest.Spec("video", "video.mp4", data)
	u := begin(t, s, spec)
	storagetest.PutMissing(t, u, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "uploadId="), Times: 1, DropReply: true})
	refuse(p, 1, http.MethodHead, "/vid_1/video.mp4")
	if _, err := u.Complete(t.Context()); err == nil || errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Complete = %v, want the trouble of the look", err)
	}
	next := begin(t, s, spec)
	if n, _, _, ok := next.Next(); ok {
		t.Errorf("part %d is fetched again though the object is whole", n)
	}
	finish(t, next, data)
}
