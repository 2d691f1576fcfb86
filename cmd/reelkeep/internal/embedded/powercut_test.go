package embedded

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// A power cut takes the bytes of files that nobody had forced onto the disk and leaves their names, lengths and attributes,
// the stored checksums among them. None of it may end in an archive.
func TestNothingThatAPowerCutTookIsSealed(t *testing.T) {
	t.Parallel()
	const part = storage.MinPartSize
	for name, c := range map[string]struct {
		size  int64
		parts int // stored before the power cut
		whole bool
	}{
		"a small file":           {1000, 1, true},
		"a complete large file":  {3 * part, 3, true},
		"the parts of an upload": {3 * part, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startS3(t, S3Options{Dir: dir})
			store, err := storage.Open(t.Context(), storage.Config{
				URL: "s3://" + s.Bucket, PartSize: part, Endpoint: s.Endpoint, Region: s.Region, Flush: func([]string) error { return nil },
				Credentials: storage.Credentials{AccessKey: s.AccessKey, SecretKey: s.SecretKey},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)
			k, data := storage.VideoKey{VideoID: "v1"}, storagetest.Bytes(1, c.size)
			// archive goes as far as it is told and says how it ended.
			archive := func(parts int, seal bool) error {
				u, err := store.Upload(t.Context(), k, storagetest.Spec("video", "video.mp4", data))
				if err != nil {
					t.Fatal(err)
				}
				for n, off, size, ok := u.Next(); ok && n <= parts; n, off, size, ok = u.Next() {
					if err := u.Put(t.Context(), n, data[off:off+size]); err != nil {
						t.Fatal(err)
					}
				}
				if !c.whole && !seal {
					return nil
				}
				o, err := u.Complete(t.Context())
				if err != nil || !seal {
					return err
				}
				return store.Seal(t.Context(), &storage.Manifest{
					VideoID: "v1", State: storage.StateArchived, Assets: []storage.Asset{storagetest.AssetOf("video", o)},
				})
			}
			if err := archive(c.parts, false); err != nil {
				t.Fatal(err)
			}
			if n := zeroFiles(t, dir, min(c.size, part)); n == 0 {
				t.Fatal("no file was found to damage")
			}
			err = archive(3, true)
			var damaged *storage.DamagedError
			if c.size > part && !errors.As(err, &damaged) {
				t.Errorf("the next worker ends with %v, want a DamagedError", err)
			}
			if err != nil {
				err = archive(3, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := store.Open(t.Context(), k, "video.mp4", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || storagetest.SHA256(got) != storagetest.SHA256(data) {
				t.Errorf("sealed are %d bytes (%v) that were never sent", len(got), err)
			}
		})
	}
}

// zeroFiles fills every file of at least so many bytes with zeros, in place, and says how many there were.
func zeroFiles(t *testing.T, dir string, least int64) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() < least {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		n++
		_, err = f.Write(make([]byte, info.Size()))
		return errors.Join(err, f.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
