package storage_test

import (
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// The suite on a real MinIO, once for each way of proving what is stored.
func TestMinIOKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	for _, checksum := range []string{storage.ChecksumAuto, storage.ChecksumMD5, storage.ChecksumReadback} {
		t.Run(checksum, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Checksum, cfg.Log = checksum, nil
			storagetest.Run(t, func(t *testing.T) *storage.Store { return open(t, cfg) })
		})
	}
}
