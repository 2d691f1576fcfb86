package heygensim_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

func TestACutConnectionGivesTheBytesBeforeTheCut(t *testing.T) {
	t.Parallel()
	all := body(10_000)
	for _, kind := range []string{heygensim.FaultDrop, heygensim.FaultShort} {
		for _, c := range []struct {
			at   int64
			rng  string
			want []byte // nil: no cut
		}{
			{4000, "", all[:4000]},
			{4000, "bytes=100-", all[100:4000]},
			{4000, "bytes=4000-", nil}, // the resume
			{4000, "bytes=0-3999", nil},
			{4000, "bytes=5000-5999", nil},
			{0, "bytes=5000-5999", all[:0]},
			{-300, "bytes=5000-5999", all[5000:5300]}, // from wherever it begins
			{-300, "bytes=5000-5299", nil},
		} {
			b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: kind, At: c.at, Times: 1}))
			link := b.link("v", "video_url")
			r := b.get(link, "Range", c.rng)
			if c.want == nil {
				if r.err != nil {
					t.Errorf("%s at %d, %s: %v", kind, c.at, c.rng, r.err)
				}
				continue
			}
			if r.err == nil || (r.Response != nil && !bytes.Equal(r.body, c.want)) {
				t.Errorf("%s at %d, %s: %v after %d bytes, want an error after %d", kind, c.at, c.rng, r.err, len(r.body), len(c.want))
			}
			if again := b.get(link); again.err != nil || !bytes.Equal(again.body, all) {
				t.Errorf("%s: the second time: %v", kind, again.err)
			}
			if got := b.Requests()[1].Fault; got != kind {
				t.Errorf("the log says %q", got)
			}
		}
	}
}

func TestAFileThatIsAlwaysDroppedStillArrivesInPieces(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultShort, At: -700}))
	link := b.link("v", "video_url")
	var got []byte
	for range 100 {
		r := b.get(link, "Range", "bytes="+itoa(len(got))+"-")
		got = append(got, r.body...)
		if r.err == nil {
			break
		}
	}
	if !bytes.Equal(got, body(10_000)) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/10000%10), byte('0' + n/1000%10), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}

func TestAStallHoldsUntilTheClientGoes(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultStall, At: 4000, Times: 1}))
	link := b.link("v", "video_url")
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, 4000)
	if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, body(10_000)[:4000]) {
		t.Fatalf("before the stall: %v", err)
	}
	read := make(chan error)
	go func() {
		_, err := resp.Body.Read(make([]byte, 1))
		read <- err
	}()
	select {
	case err := <-read:
		t.Fatalf("something came: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if err := <-read; err == nil {
		t.Error("a byte came")
	}
	if r := b.get(link); r.err != nil || len(r.body) != 10_000 {
		t.Errorf("the second time: %v", r.err)
	}
}

func TestAStallCanEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultStall, At: 4000, Delay: 30 * time.Millisecond}))
	started := time.Now()
	if r := b.get(b.link("v", "video_url")); r.err != nil || !bytes.Equal(r.body, body(10_000)) || time.Since(started) < 30*time.Millisecond {
		t.Errorf("%v after %v", r.err, time.Since(started))
	}
}

func TestAReplacedFileIsAnotherOneFromThenOn(t *testing.T) {
	t.Parallel()
	mp4 := heygensim.Sample()[1]
	for name, v := range map[string]heygensim.Video{
		"a body":    {ID: "v", Assets: map[string]heygensim.Asset{"video": {Body: body(10_000)}}},
		"made up":   {ID: "v", Assets: map[string]heygensim.Asset{"video": {Size: 10_000}}},
		"real":      {ID: "v", Assets: map[string]heygensim.Asset{"video": mp4.Assets["video"]}},
		"a sample":  {ID: "v", Assets: map[string]heygensim.Asset{"video": {}}},
		"one given": {ID: "v", Assets: map[string]heygensim.Asset{"video": {Body: body(10_000)}}},
	} {
		a := v.Assets["video"]
		a.Fault = &heygensim.Fault{Kind: heygensim.FaultReplaced, At: 5000}
		if name == "one given" {
			a.Fault.Body = []byte("quite another")
		}
		v.Assets["video"] = a
		b := setup(t, heygensim.Options{}, v)
		link := b.link("v", "video_url")
		before := b.bytesOf("v", "video")
		first := b.get(link)
		if first.err == nil || !bytes.Equal(first.body, before[:min(len(first.body), 5000)]) || len(first.body) > 5000 {
			t.Errorf("%s: first %d bytes, %v", name, len(first.body), first.err)
		}
		second, after := b.get(link), b.bytesOf("v", "video")
		if second.err != nil || !bytes.Equal(second.body, after) || second.Header.Get("ETag") == first.Header.Get("ETag") {
			t.Errorf("%s: second %d bytes, %v", name, len(second.body), second.err)
		}
		if bytes.Equal(before, after) || (name != "one given" && (len(before) != len(after) ||
			bytes.Equal(before[:5000], after[:5000]) || bytes.Equal(before[5000:], after[5000:]))) {
			t.Errorf("%s: a splice of both files could pass for one of them", name)
		}
		if r := b.get(link, "Range", "bytes=5000-", "If-Range", first.Header.Get("ETag")); r.StatusCode != http.StatusOK {
			t.Errorf("%s: If-Range with the old ETag: %d", name, r.StatusCode)
		}
	}
}

func TestARetaggedFileHasTheSameBytesUnderAnotherETag(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultRetagged}))
	link := b.link("v", "video_url")
	first, second := b.get(link), b.get(link)
	if !bytes.Equal(first.body, second.body) || second.err != nil || first.Header.Get("ETag") == second.Header.Get("ETag") {
		t.Errorf("%d bytes as %s, then %d as %s, %v", len(first.body), first.Header.Get("ETag"), len(second.body), second.Header.Get("ETag"), second.err)
	}
	if r := b.Requests(); r[1].ETag != first.Header.Get("ETag") || r[2].ETag != second.Header.Get("ETag") {
		t.Errorf("the log says %q, then %q", r[1].ETag, r[2].ETag)
	}
}

func TestTheLogSaysWhichBytesWentOut(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", nil))
	r := b.get(b.link("v", "video_url"), "Range", "bytes=300-399")
	if got := b.Requests()[1]; got.Offset != 300 || got.Bytes != 100 || got.ETag != r.Header.Get("ETag") {
		t.Errorf("bytes %d+%d of %q", got.Offset, got.Bytes, got.ETag)
	}
}

func TestAReplacementAfterAWholeAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultReplaced}))
	link := b.link("v", "video_url")
	if r := b.get(link, "Range", "bytes=0-4999"); r.err != nil || !bytes.Equal(r.body, body(10_000)[:5000]) {
		t.Errorf("first: %v", r.err)
	}
	if r := b.get(link, "Range", "bytes=0-4999"); r.err != nil || bytes.Equal(r.body, body(10_000)[:5000]) {
		t.Errorf("second: %v", r.err)
	}
}

func TestLiesAboutLengthAndRange(t *testing.T) {
	t.Parallel()
	all := body(10_000)
	for _, c := range []struct {
		kind, ask, contentRange string
		status                  int
		length                  int64
		body                    []byte
	}{
		{heygensim.FaultWrongRange, "bytes=100-199", "bytes 101-200/10000", 206, 100, all[101:201]},
		{heygensim.FaultWrongRange, "bytes=9000-", "bytes 8999-9998/10000", 206, 1000, all[8999:9999]},
		{heygensim.FaultWrongRange, "bytes=0-", "bytes 0-9998/10000", 206, 9999, all[:9999]},
		{heygensim.FaultNoRanges, "bytes=100-199", "", 200, 10_000, all},
		{heygensim.FaultChunked, "bytes=100-199", "", 200, -1, all},
		{heygensim.FaultWrongLength, "bytes=100-199", "bytes 100-199/10000", 206, 99, all[100:199]},
		{heygensim.FaultWrongLength, "", "", 200, 9999, all[:9999]},
		{heygensim.FaultLonger, "bytes=9000-10999", "bytes 9000-9999/11000", 206, 1000, all[9000:]},
		{heygensim.FaultShorter, "bytes=8500-9999", "bytes 8500-8999/9000", 206, 500, all[8500:9000]},
		{heygensim.FaultShorter, "", "", 200, 9000, all[:9000]},
	} {
		b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: c.kind}))
		r := b.get(b.link("v", "video_url"), "Range", c.ask)
		if r.err != nil || r.StatusCode != c.status || r.ContentLength != c.length || r.Header.Get("Content-Range") != c.contentRange || !bytes.Equal(r.body, c.body) {
			t.Errorf("%s, %q: %v, %d, %d bytes, %v", c.kind, c.ask, r.err, r.StatusCode, r.ContentLength, r.Header)
		}
		if ranges := r.Header.Get("Accept-Ranges"); (ranges == "") != (c.kind == heygensim.FaultNoRanges || c.kind == heygensim.FaultChunked) {
			t.Errorf("%s: Accept-Ranges %q", c.kind, ranges)
		}
	}
}

func TestAnswersInPlaceOfTheFile(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		status int
		word   string
	}{
		heygensim.FaultHTML:        {200, "<!DOCTYPE html>"},
		heygensim.FaultForbidden:   {403, "AccessDenied"},
		heygensim.FaultNotFound:    {404, "NoSuchKey"},
		heygensim.FaultServerError: {503, "SlowDown"},
		heygensim.FaultTooMany:     {429, "SlowDown"},
		heygensim.FaultRedirect:    {302, ""},
	} {
		b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: kind, Times: 2}))
		link := b.link("v", "video_url")
		for range 2 {
			if r := b.get(link); r.StatusCode != want.status || !strings.Contains(string(r.body), want.word) {
				t.Errorf("%s: %d %s", kind, r.StatusCode, r.body)
			}
		}
		if r := b.get(link); r.StatusCode != 200 || !bytes.Equal(r.body, body(10_000)) {
			t.Errorf("%s, the third time: %d", kind, r.StatusCode)
		}
		late := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: kind, At: 5000}))
		link = late.link("v", "video_url")
		if r := late.get(link, "Range", "bytes=0-5999"); r.StatusCode != 206 {
			t.Errorf("%s before its place: %d", kind, r.StatusCode)
		}
		if r := late.get(link, "Range", "bytes=5000-5999"); r.StatusCode != want.status {
			t.Errorf("%s at its place: %d", kind, r.StatusCode)
		}
	}
}

func TestARedirectLeadsToTheFile(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultRedirect}))
	link := b.link("v", "video_url")
	there := b.get(link).Header.Get("Location")
	if r := b.get(there, "Range", "bytes=1-5"); r.StatusCode != 206 || !bytes.Equal(r.body, body(10_000)[1:6]) {
		t.Errorf("%s: %d", there, r.StatusCode)
	}
	// A careless client tells the next host where it came from, signature included.
	b.client.CheckRedirect = nil
	if r := b.get(link); r.StatusCode != 200 || len(b.Leaks()) != 1 || !strings.Contains(b.Leaks()[0], "Referer") {
		t.Errorf("%d, Leaks = %v", r.StatusCode, b.Leaks())
	}
}

func TestGzipThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultGzip}))
	r := b.get(b.link("v", "video_url"))
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal(r.Header)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, body(10_000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestADelayComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Delay: 30 * time.Millisecond}))
	started := time.Now()
	if r := b.get(b.link("v", "video_url")); r.StatusCode != 200 || time.Since(started) < 30*time.Millisecond {
		t.Errorf("%d after %v", r.StatusCode, time.Since(started))
	}
}

func TestAnUpdateDoesNotForgetWhatStruck(t *testing.T) {
	t.Parallel()
	b := setup(t, heygensim.Options{}, simple("v", &heygensim.Fault{Kind: heygensim.FaultForbidden, Times: 1}))
	link := b.link("v", "video_url")
	b.get(link)
	b.Update("v", func(v *heygensim.Video) { v.Title = "renamed" })
	if r := b.get(link); r.StatusCode != 200 {
		t.Errorf("the fault struck again: %d", r.StatusCode)
	}
	b.Update("v", func(v *heygensim.Video) {
		a := v.Assets["video"]
		a.Fault = &heygensim.Fault{Kind: heygensim.FaultNotFound}
		v.Assets["video"] = a
	})
	if r := b.get(link); r.StatusCode != 404 {
		t.Errorf("a new fault: %d", r.StatusCode)
	}
}
