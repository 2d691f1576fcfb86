package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// broken is a store behind a proxy, already probed, so that tests break only what they mean.
func broken(t *testing.T) (*storage.Store, *storagetest.Proxy) {
	t.Helper()
	cfg := config(t)
	p := storagetest.NewProxy(t, cfg.Endpoint)
	cfg.Endpoint = p.URL
	s := open(t, cfg)
	if _, err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, p
}

const part = storage.MinPartSize

var video = storage.VideoKey{VideoID: "vid_1"}

func begin(t *testing.T, s *storage.Store, spec storage.UploadSpec) *storage.Upload {
	t.Helper()
	u, err := s.Upload(t.Context(), video, spec)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func finish(t *testing.T, u *storage.Upload, data []byte) storage.Object {
	t.Helper()
	o, err := u.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o.SHA256 != storagetest.SHA256(data) || o.Size != int64(len(data)) {
		t.Fatalf("object %+v, want %d bytes of sha256 %s", o, len(data), storagetest.SHA256(data))
	}
	return o
}

func put(t *testing.T, u *storage.Upload, n int, data []byte) {
	t.Helper()
	off := int64(n-1) * u.PartSize()
	if err := u.Put(t.Context(), n, data[off:min(off+u.PartSize(), int64(len(data)))]); err != nil {
		t.Fatal(err)
	}
}

func TestLostReplyOfCompleteIsSettledByLooking(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(1, 2*part+3)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "uploadId="), Times: 1, DropReply: true})
	finish(t, u, data)
}

// MinIO that is hung up on in the middle of Complete has neither the parts nor the object any more.
func TestAStopDoesNotHangUpOnComplete(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(1, 2*part+3)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	ctx, stop := context.WithCancel(t.Context())
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "uploadId="), Times: 1, Before: func(r *http.Request) {
		body, err := io.ReadAll(r.Body) // only then net/http looks whether the client is still there
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		stop()
		select {
		case <-r.Context().Done():
			t.Error("the store was hung up on")
		case <-time.After(300 * time.Millisecond): // nothing tells that nothing happens
		}
	}})
	if _, err := u.Complete(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	u = begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if u.Stored() != int64(len(data)) {
		t.Errorf("the next worker finds %d bytes, want all %d", u.Stored(), len(data))
	}
	finish(t, u, data)
	if n := p.Count("POST", "vid_1", "uploadId="); n != 1 {
		t.Errorf("%d times completed, want once", n)
	}
}

func TestErrorInsideA200IsNotTakenForSuccess(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(2, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	p.Break(storagetest.Rule{
		Match: storagetest.Request(http.MethodPost, "uploadId="), Times: 1, Status: 200,
		Body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>try again</Message></Error>`,
	})
	finish(t, u, data)
	if n := p.Count("POST", "vid_1", "uploadId="); n != 2 {
		t.Errorf("%d tries to complete, want 2", n)
	}
}

// Of an object of many parts only the upload's record tells that it is whole, so the record stays until the manifest is there.
func TestAKillBeforeTheManifestCostsNoByte(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(1, 2*part+3)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	o := finish(t, u, data)
	ctx, kill := context.WithCancel(t.Context())
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "manifest.json"), Times: 1, Status: 503, Before: func(*http.Request) { kill() }})
	if err := s.Seal(ctx, sealable2(o)); err == nil {
		t.Fatal("it was sealed; the test needs a kill")
	}
	u = begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if u.Stored() != int64(len(data)) {
		t.Errorf("the next worker finds %d bytes, want all %d", u.Stored(), len(data))
	}
	if err := s.Seal(t.Context(), sealable2(finish(t, u, data))); err != nil {
		t.Fatal(err)
	}
	bucket, key, _ := strings.Cut(keyOfUpload(t, p), "/")
	if record := strings.TrimSuffix(key, "video.mp4") + ".upload/video.json"; minio.Holds(bucket, record) {
		t.Error("the record is still there after the seal")
	}
}

func TestLostReplyOfSealIsOurSuccess(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	m := sealable(t, s)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "manifest.json"), Times: 1, DropReply: true})
	if err := s.Seal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.Video.Title = "changed"
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "manifest.json"), Times: 1, DropReply: true})
	if err := s.Reseal(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Manifest(t.Context(), video); err != nil || got.Video.Title != "changed" {
		t.Errorf("manifest = %+v, %v", got, err)
	}
}

func TestSealThatSomeoneElseWonMeanwhile(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	m := sealable(t, s)
	rival := *m
	rival.Video.Title = "theirs"
	raw, err := storage.EncodeManifest(&rival)
	if err != nil {
		t.Fatal(err)
	}
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "manifest.json"), Times: 1, Before: func(*http.Request) {
		if err := s.Plant(context.WithoutCancel(t.Context()), "vid_1/manifest.json", raw); err != nil {
			t.Error(err)
		}
	}})
	if err := s.Seal(t.Context(), m); !errors.Is(err, storage.ErrExists) {
		t.Errorf("Seal = %v, want ErrExists", err)
	}
	if got, err := s.Manifest(t.Context(), video); err != nil || got.Video.Title != "theirs" {
		t.Errorf("manifest = %+v, %v; want theirs untouched", got, err)
	}
}

func TestLostReplyOfASmallAssetIsOurSuccess(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(3, 1000)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "thumbnail.jpeg"), Times: 1, DropReply: true})
	u := begin(t, s, storagetest.Spec("thumbnail", "thumbnail.jpeg", data))
	put(t, u, 1, data)
	finish(t, u, data)
}

func TestPartsAndRecordsSurviveAStumblingStore(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(4, 2*part)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "partNumber=1"), Times: 1, Status: 503})
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "partNumber=2"), Times: 1, Status: 429})
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, ".upload/video.json"), Times: 2, DropReply: true})
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	finish(t, u, data)
	if n := p.Count("GET", "/video.mp4", "x-id=GetObject"); n != 0 {
		t.Errorf("the object was read back %d times, although every part was hashed", n)
	}
}

func TestARecordThatCannotBeWrittenCostsOnlyAReadBack(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(5, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, ".upload/video.json"), Status: 400, Times: 1})
	put(t, u, 2, data)

	next := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	if _, _, _, ok := next.Next(); ok {
		t.Error("a stored part is asked for again")
	}
	finish(t, next, data)
	if n := p.Count("GET", "/video.mp4", "x-id=GetObject"); n != 1 {
		t.Errorf("read back %d times, want once", n)
	}
	again := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	finish(t, again, data)
	if n := p.Count("GET", "/video.mp4", "x-id=GetObject"); n != 1 {
		t.Errorf("read back %d times in all; what was proven must be remembered", n)
	}
}

// MinIO hangs up while we are still sending when it does not know the upload any more.
func TestACutConnectionToAnEndedUploadIsRecognised(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(10, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "partNumber=2"), DropReply: true})
	if err := u.KillUpload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := u.Put(t.Context(), 2, data[part:]); !errors.Is(err, storage.ErrUploadGone) {
		t.Errorf("Put = %v, want ErrUploadGone", err)
	}
}

func TestOtherBytesOfASmallAssetAreReplacedThoughTheRefusalGotLost(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	old, data := storagetest.Bytes(11, 1000), storagetest.Bytes(12, 1000)
	put(t, begin(t, s, storagetest.Spec("gif", "preview.gif", old)), 1, old)
	p.Break(storagetest.Rule{Match: func(r *http.Request) bool {
		return r.Method == http.MethodPut && r.Header.Get("If-None-Match") != ""
	}, DropReply: true})
	u := begin(t, s, storagetest.Spec("gif", "preview.gif", data))
	put(t, u, 1, data)
	finish(t, u, data)
}

func TestReadGoesOnAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(6, 3*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	finish(t, u, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodGet, "/video.mp4"), Times: 3, DropReply: true, Cut: 1 << 20})
	r, err := s.Open(t.Context(), video, "video.mp4", 10, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(storagetest.SHA256(data[10:]), storagetest.SHA256(got)); diff != "" {
		t.Error(diff)
	}
}

func TestReadNeverMixesTwoObjects(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(7, 2*part)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	finish(t, u, data)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodGet, "/video.mp4"), Times: 1, DropReply: true, Cut: 1 << 20})
	r, err := s.Open(t.Context(), video, "video.mp4", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := s.Plant(t.Context(), "vid_1/video.mp4", storagetest.Bytes(8, 2*part)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("half of one object and half of another were read without an error")
	}
}

func TestRefusedAndUnreachableAreToldApart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change  func(*storage.Config)
		refused bool
		hint    string
	}{
		"wrong secret":   {func(c *storage.Config) { c.Credentials.SecretKey = "TOPSECRETWRONG" }, true, "AWS_SECRET_ACCESS_KEY"},
		"unknown key":    {func(c *storage.Config) { c.Credentials.AccessKey = "nobody" }, true, "AWS_ACCESS_KEY_ID"},
		"missing bucket": {func(c *storage.Config) { c.URL = "s3://no-such-bucket-here/p" }, true, "REELKEEP_STORE"},
		"nobody listens": {func(c *storage.Config) { c.Endpoint = "http://127.0.0.1:1" }, false, "AWS_ENDPOINT_URL_S3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			c.change(&cfg)
			_, err := open(t, cfg).Check(t.Context())
			var refused *storage.RefusedError
			var unreachable *storage.UnreachableError
			if errors.As(err, &refused) != c.refused || errors.As(err, &unreachable) == c.refused {
				t.Fatalf("Check = %v (%T), refused must be %t", err, err, c.refused)
			}
			if !strings.Contains(err.Error(), c.hint) {
				t.Errorf("%q does not name %s", err, c.hint)
			}
			if strings.Contains(err.Error(), "TOPSECRET") || strings.Contains(err.Error(), "x-id=") {
				t.Errorf("the error shows too much: %v", err)
			}
		})
	}
}

func TestProbeOfAStumblingStoreIsNotRememberedAsPoor(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	p := storagetest.NewProxy(t, cfg.Endpoint)
	cfg.Endpoint = p.URL
	s := open(t, cfg)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPut, "/create"), Times: 12, Status: 503})
	if caps, err := s.Check(t.Context()); err == nil {
		t.Fatalf("Check = %+v although the store stumbled", caps)
	}
	caps, err := s.Check(t.Context())
	if err != nil || !caps.PutIfAbsent {
		t.Errorf("second Check = %+v, %v; want a full probe", caps, err)
	}
}

func TestProbeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s, _ := broken(t)
	keys, err := s.Keys(t.Context())
	if err != nil || len(keys) > 0 {
		t.Errorf("left behind: %v, %v", keys, err)
	}
}

func TestACallerWhoGivesUpGetsTheReasonBack(t *testing.T) {
	t.Parallel()
	s, _ := broken(t)
	draining := errors.New("draining")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(draining)
	data := storagetest.Bytes(9, 100)
	u := begin(t, s, storagetest.Spec("gif", "preview.gif", data))
	if err := u.Put(ctx, 1, data); !errors.Is(err, draining) {
		t.Errorf("Put = %v, want the cause", err)
	}
	if _, err := s.Manifest(ctx, video); !errors.Is(err, draining) {
		t.Errorf("Manifest = %v, want the cause", err)
	}
}

// sealable stores a small video and returns a manifest for it.
func sealable(t *testing.T, s *storage.Store) *storage.Manifest {
	t.Helper()
	data := storagetest.Bytes(99, 500)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	put(t, u, 1, data)
	o := finish(t, u, data)
	return &storage.Manifest{
		VideoID: video.VideoID, Generation: 1, State: storage.StateArchived, Assets: []storage.Asset{storagetest.AssetOf("video", o)},
	}
}

func TestAStoreThatCannotEndUploadsArchivesAllTheSame(t *testing.T) {
	t.Parallel()
	for _, refusal := range []struct {
		status int
		body   string
	}{
		{405, "<Error><Code>MethodNotAllowed</Code><Message>The specified method is not allowed against this resource.</Message></Error>"},
		{501, "<Error><Code>NotImplemented</Code><Message>Not implemented.</Message></Error>"},
		{405, ""},
	} {
		s, p := broken(t)
		p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodDelete, "uploadId="), Status: refusal.status, Body: refusal.body})
		data := storagetest.Bytes(9, 2*part+3)
		u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
		storagetest.PutMissing(t, u, data)
		if err := s.Seal(t.Context(), sealable2(finish(t, u, data))); err != nil {
			t.Errorf("seal where ending an upload answers %d %s: %v", refusal.status, refusal.body, err)
		}
		if n := p.Count("DELETE", "uploadId="); n == 0 {
			t.Error("nobody tried")
		}
	}
}

// The store began an upload and nobody heard of it, so that it was begun a second time. After the seal neither is left.
func TestAnUploadNobodyHeardOfIsEndedWithTheSeal(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "?uploads"), Times: 1, DropReply: true})
	data := storagetest.Bytes(9, 2*part+3)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	key := keyOfUpload(t, p)
	bucket, key, _ := strings.Cut(key, "/")
	of, _, err := minio.Unfinished(bucket, []string{key})
	if err != nil || of[key] != 2 {
		t.Fatalf("%v unfinished uploads (%v); the test needs two", of, err)
	}
	if err := s.Seal(t.Context(), sealable2(finish(t, u, data))); err != nil {
		t.Fatal(err)
	}
	if of, _, err = minio.Unfinished(bucket, []string{key}); err != nil || len(of) > 0 {
		t.Errorf("after the seal: %v unfinished uploads (%v)", of, err)
	}
}

// The store began an upload, nobody heard of it, and whoever asked for it was killed before its record was written. Meanwhile
// the video was sealed: the next worker that finds it so ends what is left.
func TestAnUploadWithoutRecordOfASealedVideoIsEnded(t *testing.T) {
	t.Parallel()
	s, p := broken(t)
	data := storagetest.Bytes(9, 2*part+3)
	late := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	if err := s.Seal(t.Context(), sealable2(finish(t, u, data))); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var tries atomic.Int32
	p.Watch(func(r *http.Request) func([]byte, int) {
		if !storagetest.Request(http.MethodPost, "?uploads")(r) {
			return nil
		}
		return func([]byte, int) {
			if tries.Add(1) == 2 {
				kill()
			}
		}
	})
	p.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "?uploads"), DropReply: true})
	if err := late.Put(ctx, 1, data[:part]); err == nil {
		t.Fatal("a killed worker stored a part")
	}
	bucket, key, _ := strings.Cut(keyOfUpload(t, p), "/")
	of, _, err := minio.Unfinished(bucket, []string{key})
	if err != nil || of[key] == 0 {
		t.Fatalf("%v unfinished uploads (%v); the test needs some", of, err)
	}
	folder, err := s.Folder(t.Context(), video)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Manifest(t.Context(), video)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Tidy(t.Context(), folder, m), s.EndUnrecorded(t.Context(), m)); err != nil {
		t.Fatal(err)
	}
	if of, _, err = minio.Unfinished(bucket, []string{key}); err != nil || len(of) > 0 {
		t.Errorf("%v unfinished uploads are left (%v)", of, err)
	}
}

// keyOfUpload is bucket and key of the video's upload that the proxy has seen.
func keyOfUpload(t *testing.T, p *storagetest.Proxy) string {
	t.Helper()
	for _, line := range p.Seen() {
		if path, ok := strings.CutPrefix(line, http.MethodPost+" /"); ok && strings.Contains(path, "/vid_1/video.mp4?uploads") {
			path, _, _ = strings.Cut(path, "?")
			return path
		}
	}
	t.Fatal("no upload was begun")
	return ""
}
