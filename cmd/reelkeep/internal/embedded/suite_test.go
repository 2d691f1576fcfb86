package embedded

import (
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// A folder must do for us whatever a bucket does, with and without extended attributes.
func TestFolderPassesTheSuiteOfAnyStore(t *testing.T) {
	t.Parallel()
	for name, noAttributes := range map[string]bool{"extended_attributes": false, "attributes_in_state_dir": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startS3(t, S3Options{Dir: t.TempDir(), noAttributes: noAttributes})
			storagetest.Run(t, func(t *testing.T) *storage.Store {
				t.Helper()
				store, err := storage.Open(t.Context(), storage.Config{
					URL: "s3://" + s.Bucket, Endpoint: s.Endpoint, Region: s.Region,
					Credentials: storage.Credentials{AccessKey: s.AccessKey, SecretKey: s.SecretKey},
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(store.Close)
				return store
			})
		})
	}
}
