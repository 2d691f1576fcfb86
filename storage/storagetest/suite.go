package storagetest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	mathrand "math/rand/v2"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
)

// Run is the suite: what any store must do for us, and what it must refuse. open returns a new Store on the same place
// each time it is called; two of them play two workers.
func Run(t *testing.T, open func(t *testing.T) *storage.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bundle)
	}{
		{"SmallAssetIsOneObject", testSmallAsset},
		{"EmptyAssetIsStored", testEmptyAsset},
		{"LargeAssetInParts", testLargeAsset},
		{"LengthNotKnownBefore", testUnknownLength},
		{"RangesReadBack", testRanges},
		{"AnotherWorkerGoesOn", testResume},
		{"PartsBeyondTheHashAreReadBack", testGap},
		{"AbortedUploadIsNoticed", testAborted},
		{"ChangedSourceStartsAfresh", testChangedSource},
		{"UnknownVersionStartsAfresh", testNoValidator},
		{"TwoWorkersShareOneUpload", testShared},
		{"CompletedByADeadWorker", testAdopted},
		{"CompleteRefusesMissingParts", testIncomplete},
		{"PutRefusesWrongSizes", testWrongSizes},
		{"SealIsTheCommit", testSeal},
		{"SealTwiceIsRefused", testSealTwice},
		{"OneOfManySealsWins", testSealRace},
		{"SealLooksAtEveryAsset", testSealChecks},
		{"SealEndsUploads", testSealEndsUploads},
		{"PartialBecomesArchived", testReseal},
		{"StaleManifestCannotBeResealed", testStaleReseal},
		{"NewGenerationKeepsTheOldManifest", testGeneration},
		{"LeftoversAreFound", testLeftovers},
		{"LeftoverIsReplaced", testLeftover},
		{"SealedIsNeverOverwritten", testSealedStays},
		{"WalkFindsEveryManifest", testWalk},
		{"LinkReadsTheObject", testPresign},
		{"NamesThatClimbAreRefused", testNames},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newBundle(t, open))
		})
	}
}

// bundle is what one subtest works with.
type bundle struct {
	store *storage.Store
	other *storage.Store // another worker's
	key   storage.VideoKey
	part  int64
}

func newBundle(t *testing.T, open func(t *testing.T) *storage.Store) *bundle {
	t.Helper()
	b := &bundle{store: open(t), other: open(t), key: storage.VideoKey{VideoID: "v" + rand.Text()}}
	var err error
	if b.part, err = b.store.PartSize(1); err != nil {
		t.Fatal(err)
	}
	return b
}

// Bytes returns n bytes that look random and are the same for the same seed.
func Bytes(seed uint64, n int64) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, n)
	_, _ = mathrand.NewChaCha8(key).Read(b)
	return b
}

// SHA256 is the hex sum of b.
func SHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Spec describes an asset of these bytes.
func Spec(asset, name string, data []byte) storage.UploadSpec {
	return storage.UploadSpec{
		Asset: asset, Name: name, Size: int64(len(data)), ContentType: "video/mp4",
		Source: storage.Validator{ETag: `"` + SHA256(data)[:16] + `"`, Size: int64(len(data))},
	}
}

func (b *bundle) open(t *testing.T, s *storage.Store, spec storage.UploadSpec) *storage.Upload {
	t.Helper()
	u, err := s.Upload(t.Context(), b.key, spec)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// PutMissing stores every part that Next names and returns their numbers.
func PutMissing(t *testing.T, u *storage.Upload, data []byte) []int {
	t.Helper()
	var put []int
	for {
		part, off, n, ok := u.Next()
		if !ok {
			return put
		}
		if err := u.Put(t.Context(), part, data[off:min(off+n, int64(len(data)))]); err != nil {
			t.Fatal(err)
		}
		put = append(put, part)
	}
}

func (b *bundle) putPart(t *testing.T, u *storage.Upload, part int, data []byte) {
	t.Helper()
	off := int64(part-1) * b.part
	if err := u.Put(t.Context(), part, data[off:min(off+b.part, int64(len(data)))]); err != nil {
		t.Fatal(err)
	}
}

// store uploads an asset as a whole.
func (b *bundle) storeAsset(t *testing.T, asset, name string, data []byte) storage.Object {
	t.Helper()
	u := b.open(t, b.store, Spec(asset, name, data))
	PutMissing(t, u, data)
	return complete(t, u, data)
}

// complete completes and checks what the object claims.
func complete(t *testing.T, u *storage.Upload, data []byte) storage.Object {
	t.Helper()
	o, err := u.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o.Size != int64(len(data)) || o.SHA256 != SHA256(data) {
		t.Fatalf("completed object has %d bytes, sha256 %s; want %d, %s", o.Size, o.SHA256, len(data), SHA256(data))
	}
	return o
}

func (b *bundle) mustHold(t *testing.T, name string, data []byte) {
	t.Helper()
	r, err := b.store.Open(t.Context(), b.key, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%s holds %d bytes that differ from the %d stored", name, len(got), len(data))
	}
}

// manifest vouches for one object.
func (b *bundle) manifest(o storage.Object, state string) *storage.Manifest {
	return &storage.Manifest{
		VideoID: b.key.VideoID, Account: b.key.Account, Generation: 1, State: state,
		Video:  storage.Video{Title: "A <title> & more", Status: "completed"},
		Assets: []storage.Asset{AssetOf("video", o)},
	}
}

// AssetOf is the manifest's entry of an object.
func AssetOf(asset string, o storage.Object) storage.Asset {
	return storage.Asset{
		Asset: asset, Key: o.Key, Bytes: o.Size, SHA256: o.SHA256, CRC64NVME: o.CRC64NVME, ContentType: o.ContentType, ETag: o.ETag,
	}
}
