package storage_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reelkeep/reelkeep/storage"
)

var update = flag.Bool("update", false, "write the golden files")

const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func fullManifest() *storage.Manifest {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return v
	}
	return &storage.Manifest{
		VideoID: "vid_1", Account: "team", Generation: 2, State: storage.StatePartial, SealedAt: at("2026-11-23T12:00:00+02:00"),
		Video: storage.Video{
			Title: "Q&A <live> \"Grüße\"", Status: "completed", DurationSeconds: 42.5, CreatedAt: at("2026-11-22T10:00:00Z"), CallbackID: "cb",
		},
		Metadata: map[string]string{"b": "2", "a": "1"},
		Source:   storage.Source{API: "v3", Response: json.RawMessage(`{"id":"vid_1","url":"https://h/p"}`)},
		Assets: []storage.Asset{{
			Asset: "video", Key: "g2/video.mp4", Bytes: 31457280, SHA256: sum, CRC64NVME: "rosUhgp5mIg=", ContentType: "video/mp4", ETag: `"e-4"`,
			Source:   storage.AssetSource{Host: "files2.heygen.ai", Path: "/a/b.mp4", ETag: `"src"`},
			StoredAt: at("2026-11-23T09:59:00Z"),
		}},
		Absent: []storage.Absent{{Asset: "gif", Reason: storage.AbsentLate}},
	}
}

// The manifest's form is a contract: other programs read it for years.
func TestManifestFileIsTheContract(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*storage.Manifest{
		"full":  fullManifest(),
		"empty": {VideoID: "vid_1", State: storage.StateArchived, Assets: []storage.Asset{{Asset: "video", Key: "video.mp4", SHA256: sum}}},
	} {
		got, err := storage.EncodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "manifest_"+name+".json")
		if *update {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-golden +got):\n%s", name, diff)
		}
		if strings.Contains(string(got), `\u003c`) {
			t.Error("titles are escaped, which people can't read")
		}
	}
}

func TestManifestReadsBackAsWritten(t *testing.T) {
	t.Parallel()
	m := fullManifest()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := storage.UnmarshalManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	m.SealedAt = m.SealedAt.UTC()
	if diff := cmp.Diff(m, got, cmpopts.IgnoreUnexported(storage.Manifest{})); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if a, ok := got.Asset("video"); !ok || a.Bytes != 31457280 {
		t.Errorf("Asset(video) = %+v, %t", a, ok)
	}
	if _, ok := got.Asset("gif"); ok {
		t.Error("an absent asset was found")
	}
}

func TestManifestThatCouldHarmIsRefused(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(fullManifest())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"newer schema":          {"manifest/1", "manifest/2"},
		"climbing key":          {"g2/video.mp4", "../video.mp4"},
		"absolute key":          {"g2/video.mp4", "/video.mp4"},
		"bookkeeping key":       {"g2/video.mp4", ".upload/video.json"},
		"manifest as asset":     {"g2/video.mp4", "manifest.json"},
		"climbing id":           {`"video_id":"vid_1"`, `"video_id":"../x"`},
		"climbing account":      {`"team"`, `"../x"`},
		"state":                 {`"partial"`, `"sealed"`},
		"generation":            {`"generation":2`, `"generation":0`},
		"negative size":         {"31457280", "-1"},
		"sha256":                {sum, "abc"},
		"crc64nvme":             {"rosUhgp5mIg=", "AAAA"},
		"no JSON":               {"{", "["},
		"both there and absent": {`"asset":"gif"`, `"asset":"video"`},
	} {
		bad := strings.Replace(string(raw), change[0], change[1], 1)
		if bad == string(raw) {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := storage.UnmarshalManifest([]byte(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestUnknownFieldsOfAManifestAreLeftAside(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(fullManifest())
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(raw), `"schema"`, `"added":{"x":1},"schema"`, 1)
	more = strings.Replace(more, `"key"`, `"added":[],"key"`, 1)
	if _, err := storage.UnmarshalManifest([]byte(more)); err != nil {
		t.Error(err)
	}
}

func FuzzManifest(f *testing.F) {
	raw, err := json.Marshal(fullManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schema":"reelkeep.manifest/1","video_id":"a","generation":1,"state":"archived","assets":[],"absent":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := storage.UnmarshalManifest(b)
		if err != nil {
			return
		}
		if err := m.Key().Validate(); err != nil {
			t.Fatal(err)
		}
		for _, a := range m.Assets {
			if err := storage.ValidAssetKey(a.Key); err != nil || strings.Contains(a.Key, "..") {
				t.Fatalf("key %q: %v", a.Key, err)
			}
		}
		again, err := storage.EncodeManifest(m)
		if err != nil {
			return // a time zone can push the year beyond 9999, which JSON can't write
		}
		if _, err := storage.UnmarshalManifest(again); err != nil {
			t.Fatalf("what was read and written can't be read: %v", err)
		}
	})
}

func record(t testing.TB) string {
	t.Helper()
	return `{"schema":"reelkeep.upload/1","asset":"video","name":"video.mp4","upload_id":"u","token":"t","part_size":5242880,"total":10485761,
"checksum":"md5","source":{"etag":"e","last_modified":"","size":10485761},"hash":{"parts":0,"bytes":0,"sha256":null,"crc64nvme":""}}`
}

func TestUploadRecordThatCouldHarmIsRefused(t *testing.T) {
	t.Parallel()
	good := record(t)
	if _, err := storage.DecodeRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"schema":        {"upload/1", "upload/2"},
		"climbing key":  {"video.mp4", "../video.mp4"},
		"asset":         {`"asset":"video"`, `"asset":"../x"`},
		"tiny parts":    {`"part_size":5242880`, `"part_size":1`},
		"huge parts":    {`"part_size":5242880`, `"part_size":9223372036854775807`},
		"total":         {`"total":10485761`, `"total":-2`},
		"too large":     {`"total":10485761`, `"total":9223372036854775807`},
		"no upload":     {`"upload_id":"u"`, `"upload_id":""`},
		"hash too far":  {`"parts":0`, `"parts":10001`},
		"hash misfits":  {`"bytes":0`, `"bytes":1`},
		"hash no state": {`"parts":0,"bytes":0`, `"parts":1,"bytes":5242880`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if _, err := storage.DecodeRecord([]byte(bad)); err == nil || bad == good {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzUploadRecord(f *testing.F) {
	f.Add([]byte(record(f)))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := storage.DecodeRecord(b)
		if err != nil {
			return
		}
		if r.PartSize < storage.MinPartSize || r.Hash.Bytes > int64(r.Hash.Parts)*r.PartSize || storage.ValidAssetKey(r.Name) != nil {
			t.Fatalf("taken: %+v", r)
		}
	})
}
