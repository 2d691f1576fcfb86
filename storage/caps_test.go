package storage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage"
)

func TestProbeFindsWhatMinIOCanDo(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	got, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := storage.Capabilities{
		PutIfAbsent: true, PutIfMatch: true, CompleteIfAbsent: true, ListParts: true, Metadata: true,
		CRC64NVME: true, MD5: true, ETagIsMD5: true, Checksum: storage.ChecksumCRC64NVME,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
}
