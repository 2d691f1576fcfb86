package storage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/minio/crc64nvme"
	"pgregory.net/rapid"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

func TestStoreAddress(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"s3://bucket":                "s3://bucket/",
		"s3://bucket/":               "s3://bucket/",
		"s3://bucket/a":              "s3://bucket/a",
		"s3://bucket/a/b/":           "s3://bucket/a/b",
		"s3://my.bucket-1/x_y=z+1@q": "s3://my.bucket-1/x_y=z+1@q",
	} {
		if got, err := storage.ParseLocation(raw); err != nil || got.String() != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"", "bucket", "http://bucket/x", "s3://", "s3:///x", "s3://b", "s3://-bad", "s3://a..b/", "s3://AKIA:TOPSECRET@bucket/x", "s3://bucket?TOPSECRET=1",
		"s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a/./b", "s3://bucket/a b", "s3://bucket/a?TOPSECRET", "s3://bucket/%2e%2e", "s3://bucket/ä",
		"s3://bucket/" + strings.Repeat("long/", 150),
	} {
		_, err := storage.ParseLocation(raw)
		if err == nil {
			t.Errorf("%q was taken", raw)
		} else if !strings.Contains(err.Error(), "REELKEEP_STORE") || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("%q: %q must name the setting and show no secret", raw, err)
		}
	}
}

func FuzzStoreAddress(f *testing.F) {
	for _, s := range []string{"s3://bucket/prefix", "s3://bucket", "s3://b//", "s3://bucket/../..", "s3://a:b@c/d", "file:///x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := storage.ParseLocation(raw)
		if err != nil {
			return
		}
		again, err := storage.ParseLocation(got.String())
		if err != nil || again != got {
			t.Errorf("%q reads as %q, which reads as %q, %v", raw, got, again, err)
		}
		if strings.Contains(got.String()[len("s3://"):], "//") || slices.Contains(strings.Split(got.String(), "/"), "..") {
			t.Errorf("%q reads as %q", raw, got)
		}
	})
}

func TestPartsCoverTheAssetExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.OneOf(
			rapid.Int64Range(0, 100<<20), rapid.Int64Range(0, 50<<40), rapid.SampledFrom([]int64{0, 1, 5 << 20, 5<<20 + 1, 10_000 * (5 << 20), 10_000*(5<<20) + 1}),
		).Draw(t, "total")
		configured := rapid.Int64Range(5<<20, 5<<30).Draw(t, "configured")
		size, parts, part, err := storage.Plan(total, configured)
		if err != nil {
			if total <= 10_000*(5<<30) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if size < 5<<20 || size > 5<<30 || parts < 1 || parts > 10_000 {
			t.Fatalf("%d parts of %d bytes", parts, size)
		}
		// Looking at the ends is enough: all parts between are equal by the check of offsets.
		var sum int64
		for _, n := range []int{1, parts/2 + 1, parts} {
			p, ok := part(n)
			if !ok || p.Number != n || p.Offset != int64(n-1)*size || p.Size > size || (n < parts && p.Size != size) {
				t.Fatalf("part %d of %d = %+v, %t", n, parts, p, ok)
			}
			sum = p.Offset + p.Size
		}
		if sum != total {
			t.Fatalf("the parts end at %d, the asset at %d", sum, total)
		}
		if _, ok := part(parts + 1); ok {
			t.Fatal("there is a part behind the last")
		}
		if _, ok := part(0); ok {
			t.Fatal("there is a part before the first")
		}
	})
}

func TestPartSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total, configured, size int64
		parts                   int
	}{
		{0, 8 << 20, 8 << 20, 1},
		{8 << 20, 8 << 20, 8 << 20, 1},
		{8<<20 + 1, 8 << 20, 8 << 20, 2},
		{-1, 8 << 20, 8 << 20, 0},
		{-1, 128 << 20, 128 << 20, 0},
		{10_000*(8<<20) + 1, 8 << 20, 9 << 20, 8889},
	} {
		size, parts, _, err := storage.Plan(c.total, c.configured)
		if err != nil || size != c.size || parts != c.parts {
			t.Errorf("%d bytes with %d: %d parts of %d, %v; want %d of %d", c.total, c.configured, parts, size, err, c.parts, c.size)
		}
	}
	if _, _, _, err := storage.Plan(1<<62, 8<<20); err == nil {
		t.Error("an impossible object was planned")
	}
}

func TestChecksumsOfPiecesJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		cut := rapid.IntRange(0, len(data)).Draw(t, "cut")
		a, b := data[:cut], data[cut:]
		got := storage.JoinCRC(crc64nvme.Checksum(a), crc64nvme.Checksum(b), int64(len(b)))
		if want := crc64nvme.Checksum(data); got != want {
			t.Fatalf("joined %x, want %x", got, want)
		}
		sha, crc, err := storage.HashInTwo(a, b)
		if err != nil || sha != storagetest.SHA256(data) || crc != storage.EncodeCRC(crc64nvme.Checksum(data)) {
			t.Fatalf("hashed in two goes: %s %s, %v", sha, crc, err)
		}
	})
	long := storagetest.Bytes(1, 11<<20)
	if got := storage.JoinCRC(crc64nvme.Checksum(long[:5<<20]), crc64nvme.Checksum(long[5<<20:]), 6<<20); got != crc64nvme.Checksum(long) {
		t.Errorf("joined %x", got)
	}
}

func TestCRCIsSpelledAsS3Does(t *testing.T) {
	t.Parallel()
	// The check value of CRC-64/NVME over "123456789" is ae8b14860a799888.
	if got := storage.EncodeCRC(crc64nvme.Checksum([]byte("123456789"))); got != "rosUhgp5mIg=" {
		t.Errorf("got %s", got)
	}
}

func TestVideoFolders(t *testing.T) {
	t.Parallel()
	for want, k := range map[string]storage.VideoKey{
		"abc": {VideoID: "abc"}, "a-B_9": {Account: "default", VideoID: "a-B_9"}, "@team/abc": {Account: "team", VideoID: "abc"},
	} {
		if err := k.Validate(); err != nil || k.Dir() != want {
			t.Errorf("%+v: %s, %v; want %s", k, k.Dir(), err, want)
		}
	}
}

func TestSettingsThatCannotWorkAreNamedTogether(t *testing.T) {
	t.Parallel()
	_, err := storage.Open(t.Context(), storage.Config{
		URL: "s3://bucket", PartSize: 1, Checksum: "sha1", PublicURL: "https://u:TOPSECRET@h/path", Endpoint: "nonsense",
	})
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{"REELKEEP_PART_SIZE", "REELKEEP_CHECKSUM", "REELKEEP_S3_PUBLIC_URL", "AWS_ENDPOINT_URL_S3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "TOPSECRET") {
		t.Errorf("shows a password: %v", err)
	}
}
