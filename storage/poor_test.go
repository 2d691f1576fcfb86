package storage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

func openPoor(t *testing.T, p *storagetest.Poor, checksum string) *storage.Store {
	t.Helper()
	return open(t, storage.Config{
		URL: "s3://bucket/p", PartSize: storage.MinPartSize, Endpoint: p.Start(t), Checksum: checksum,
		Credentials: storage.Credentials{AccessKey: "a", SecretKey: "b"},
	})
}

func TestProbeFindsWhatAStoreLacks(t *testing.T) {
	t.Parallel()
	full := storage.Capabilities{
		PutIfAbsent: true, PutIfMatch: true, CompleteIfAbsent: true, ListParts: true, Metadata: true,
		CRC64NVME: true, MD5: true, ETagIsMD5: true, Checksum: storage.ChecksumCRC64NVME,
	}
	less := func(f func(*storage.Capabilities)) storage.Capabilities {
		c := full
		f(&c)
		return c
	}
	noConditions := less(func(c *storage.Capabilities) { c.PutIfAbsent, c.PutIfMatch, c.CompleteIfAbsent = false, false, false })
	noCRC := less(func(c *storage.Capabilities) { c.CRC64NVME, c.Checksum = false, storage.ChecksumMD5 })
	for name, c := range map[string]struct {
		store *storagetest.Poor
		want  storage.Capabilities
	}{
		"nothing":                 {&storagetest.Poor{}, full},
		"conditions, silently":    {&storagetest.Poor{IgnoreConditions: true}, noConditions},
		"conditions, openly":      {&storagetest.Poor{RejectConditions: true}, noConditions},
		"checksums, openly":       {&storagetest.Poor{RejectChecksums: true}, noCRC},
		"checksums, silently":     {&storagetest.Poor{IgnoreChecksums: true}, noCRC},
		"checksums of the whole":  {&storagetest.Poor{Composite: true}, noCRC},
		"metadata":                {&storagetest.Poor{NoMetadata: true}, less(func(c *storage.Capabilities) { c.Metadata = false })},
		"ListParts":               {&storagetest.Poor{NoListParts: true}, less(func(c *storage.Capabilities) { c.ListParts = false })},
		"ETags that are an MD5":   {&storagetest.Poor{OddETags: true}, less(func(c *storage.Capabilities) { c.ETagIsMD5 = false })},
		"every checksum, in fact": {&storagetest.Poor{IgnoreChecksums: true, IgnoreMD5: true}, less(func(c *storage.Capabilities) { c.CRC64NVME, c.MD5, c.Checksum = false, false, storage.ChecksumReadback })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := openPoor(t, c.store, "").Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
			if objects, uploads := c.store.Left(); objects+uploads > 0 {
				t.Errorf("left behind: %d objects, %d uploads", objects, uploads)
			}
		})
	}
}

func TestAnAskedForChecksumThatTheStoreLacksIsRefused(t *testing.T) {
	t.Parallel()
	_, err := openPoor(t, &storagetest.Poor{RejectChecksums: true}, storage.ChecksumCRC64NVME).Check(t.Context())
	var refused *storage.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "REELKEEP_CHECKSUM") {
		t.Errorf("Check = %v, want it refused and the setting named", err)
	}
}

func TestPromisesHoldOnPoorStores(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]func() *storagetest.Poor{
		"no conditions": func() *storagetest.Poor { return &storagetest.Poor{IgnoreConditions: true} },
		"no checksums":  func() *storagetest.Poor { return &storagetest.Poor{RejectChecksums: true, IgnoreMD5: true} },
		"no metadata":   func() *storagetest.Poor { return &storagetest.Poor{NoMetadata: true} },
		"no ListParts":  func() *storagetest.Poor { return &storagetest.Poor{NoListParts: true} },
		"hardly anything": func() *storagetest.Poor {
			return &storagetest.Poor{RejectConditions: true, RejectChecksums: true, IgnoreMD5: true, NoListParts: true, OddETags: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openPoor(t, p(), "")
			data := storagetest.Bytes(1, 2*part+9)
			begun := begin(t, s, storagetest.Spec("video", "video.mp4", data))
			put(t, begun, 1, data)
			u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
			storagetest.PutMissing(t, u, data)
			m := sealable2(finish(t, u, data))
			if err := s.Seal(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			rival := sealable2(storage.Object{Key: "video.mp4", Size: int64(len(data)), SHA256: m.Assets[0].SHA256})
			rival.Video.Title = "another worker's"
			if err := s.Seal(t.Context(), rival); !errors.Is(err, storage.ErrExists) {
				t.Errorf("second seal = %v, want ErrExists", err)
			}
			stale, err := s.Manifest(t.Context(), video)
			if err != nil {
				t.Fatal(err)
			}
			m.Video.Title = "newer"
			if err := s.Reseal(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := s.Reseal(t.Context(), stale); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("stale reseal = %v, want ErrConflict", err)
			}
			for _, n := range []int64{100, 2 * part} {
				other := storagetest.Bytes(2, n)
				u := begin(t, s, storagetest.Spec("video", "video.mp4", other))
				if err := putAll(t, u, other); !errors.Is(err, storage.ErrSealed) {
					t.Errorf("%d other bytes over a sealed asset: %v, want ErrSealed", n, err)
				}
			}
		})
	}
}

func putAll(t *testing.T, u *storage.Upload, data []byte) error {
	t.Helper()
	for {
		n, off, size, ok := u.Next()
		if !ok {
			_, err := u.Complete(t.Context())
			return err
		}
		if err := u.Put(t.Context(), n, data[off:off+size]); err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
	}
}

func TestObjectThatTheStoreDamagedIsFoundAndRemoved(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*storagetest.Poor{
		"by its checksum":    {FlipOnComplete: true},
		"without checksums":  {FlipOnComplete: true, RejectChecksums: true},
		"by reading it back": {FlipOnComplete: true, RejectChecksums: true, OddETags: true, IgnoreMD5: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openPoor(t, p, "")
			data := storagetest.Bytes(3, 2*part)
			u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
			var damaged *storage.DamagedError
			if err := putAll(t, u, data); !errors.As(err, &damaged) {
				t.Fatalf("Complete = %v, want DamagedError", err)
			}
			if keys, err := s.Keys(t.Context()); err != nil || len(keys) > 0 {
				t.Errorf("the damaged object stays: %v, %v", keys, err)
			}
		})
	}
}
