package fetch_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

func TestASmallFileIsOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	f := b.open(fetch.Options{Length: 4096})
	want := fetch.Pin{Size: 1000, ETag: `"v1"`, LastModified: b.modified.UTC().Format(http.TimeFormat)}
	if diff := cmp.Diff(want, f.Pin()); diff != "" {
		t.Errorf("Pin (-want +got):\n%s", diff)
	}
	b.wantBytes(f, 0, -1)
	if n := len(b.seen()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if !f.Seekable() || f.Size() != 1000 || f.ContentType() != "video/mp4" {
		t.Errorf("Seekable %v, Size %d, ContentType %q", f.Seekable(), f.Size(), f.ContentType())
	}
	host, path, etag, modified := f.Source()
	got := []string{host, path, etag, modified}
	if diff := cmp.Diff([]string{"127.0.0.1", "/a%2Fb/video.mp4", `"v1"`, want.LastModified}, got); diff != "" {
		t.Errorf("Source (-want +got):\n%s", diff)
	}
}

func TestEveryRangeIsExact(t *testing.T) {
	t.Parallel()
	b := setup(t, 100_000)
	f := b.open(fetch.Options{Length: 1000})
	for _, r := range [][2]int64{
		{0, 1000}, {0, 1}, {99_999, 1}, {5, 0}, {100_000, 0}, {100_000, -1}, {99_000, -1}, {0, -1}, {17, 5000},
	} {
		b.wantBytes(f, r[0], r[1])
	}
	for _, r := range [][2]int64{{-1, 5}, {0, 100_001}, {100_001, 0}, {100_001, -1}, {1, 1<<63 - 1}} {
		if _, err := b.read(f, r[0], r[1]); err == nil {
			t.Errorf("Range(%d, %d) succeeded outside the file", r[0], r[1])
		}
	}
}

func TestManyRangesAtOnceMakeUpTheFile(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.HostStreams = 3
	b := setupWith(t, cfg, 1<<20)
	f := b.open(fetch.Options{Length: 1 << 15})
	var g errgroup.Group
	for off := int64(0); off < 1<<20; off += 1 << 15 {
		g.Go(func() error {
			got, err := b.read(f, off, 1<<15)
			if err == nil && !bytes.Equal(got, b.file[off:off+1<<15]) {
				err = fmt.Errorf("range at %d differs", off)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	// Open's answer is given up if its range comes so late that it takes up a stream others wait for.
	if n := len(b.seen()); n > 33 {
		t.Errorf("%d requests for 32 ranges", n)
	}
}

func TestAnAnswerNobodyCameForDoesNotBlockTheHost(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.HostStreams = 1
	b := setupWith(t, cfg, 1000)
	f := b.open(fetch.Options{Length: 100})
	b.wantBytes(f, 500, 100)
	b.wantBytes(f, 0, 100)
}

func TestAHostNeverSeesMoreStreamsThanAllowed(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.HostStreams = 2
	b := setupWith(t, cfg, 1000)
	f := b.open(fetch.Options{Length: 1})
	b.wantBytes(f, 0, 1)
	arrived, goOn := make(chan struct{}, 10), make(chan struct{})
	b.playAlways(func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-goOn
		return false
	})
	var g errgroup.Group
	for off := range int64(6) {
		g.Go(func() error { _, err := b.read(f, off, 10); return err })
	}
	<-arrived
	<-arrived
	select {
	case <-arrived:
		t.Error("a third request while two were under way")
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestTheLinkGoesOutByteForByte(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/a%2Fb/c.mp4?Expires=1&Signature=a~b-_%7E&Key-Pair-Id=K",
		"/a%7eb(1)'!*.mp4?b=2&a=1&a=0&&x",
		"/a+b/%e4%BD%a0.mp4?q=a+b%20c;d",
		"/p?response-content-disposition=attachment%3B+filename%2A%3DUTF-8%27%27n.mp4%3B",
		"//two/slashes?x", "/?x", "/[a]|b?^", "/plain",
	} {
		b := setup(t, 10)
		link := b.link(0)
		link.URL = secretLink(b.URL + target + "#fragment")
		f, err := b.client.Open(t.Context(), link, nil, fetch.Options{})
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		f.Close()
		if got := b.seen()[0].RequestURI; got != target {
			t.Errorf("sent %q\nwant %q", got, target)
		}
	}
}

func TestTheRequestCarriesNothingItNeedNot(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.UserAgent = "reelkeep/test"
	b := setupWith(t, cfg, 10)
	f := b.open(fetch.Options{Length: 10})
	b.wantBytes(f, 0, 10)
	b.wantBytes(f, 2, 3)
	var got []http.Header
	for _, r := range b.seen() {
		got = append(got, r.Header)
		if r.Method != http.MethodGet || r.ProtoMinor != 1 || r.ProtoMajor != 1 {
			t.Errorf("%s %s, want GET HTTP/1.1", r.Method, r.Proto)
		}
	}
	head := func(more ...string) http.Header {
		h := http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"reelkeep/test"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	want := []http.Header{head("Range", "bytes=0-9"), head("Range", "bytes=2-4", "If-Range", `"v1"`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestAnEmptyFileIsAFile(t *testing.T) {
	t.Parallel()
	for name, tricks := range map[string][]trick{
		"200":             nil, // ServeContent answers an empty file so
		"416":             {answers("HTTP/1.1 416 No\nContent-Range: bytes */0")},
		"416, no total":   {answers("HTTP/1.1 416 No")},
		"416, then again": {answers("HTTP/1.1 416 No\nContent-Range: bytes */0"), answers("HTTP/1.1 500 No")},
	} {
		b := setup(t, 0, tricks...)
		f := b.open(fetch.Options{})
		if f.Size() != 0 {
			t.Errorf("%s: Size %d, want 0", name, f.Size())
		}
		b.wantBytes(f, 0, -1)
		b.wantBytes(f, 0, 0)
	}
}

func TestBadSettingsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	cfg := fast()
	cfg.StallTimeout, cfg.HostStreams, cfg.FreshWait, cfg.Retry.Tries = -1, -1, -1, -1
	cfg.SourceHosts = []string{"https://heygen.ai/"}
	cfg.PrivateSources = append(cfg.PrivateSources, cfg.PrivateSources[0].Masked(), zeroPrefix())
	_, err := fetch.New(cfg)
	if err == nil {
		t.Fatal("New accepted it")
	}
	for _, name := range []string{
		"REELKEEP_STALL_TIMEOUT", "REELKEEP_HOST_STREAMS", "REELKEEP_SOURCE_HOSTS", "REELKEEP_PRIVATE_SOURCES",
		"FreshWait", "Retry",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
}
