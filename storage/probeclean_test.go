package storage_test

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// A worker that is killed while it tries the store out leaves objects and uploads there. A later start removes them, once
// they are so old that no living probe can have made them.
func TestWhatAKilledProbeLeftIsClearedAway(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	bucket, _, _ := strings.Cut(strings.TrimPrefix(cfg.URL, "s3://"), "/")
	proxy := storagetest.NewProxy(t, cfg.Endpoint)
	// Killed: it makes everything and ends nothing.
	proxy.Break(storagetest.Rule{Match: storagetest.Request(http.MethodDelete), Status: http.StatusForbidden, Body: "<Error><Code>AccessDenied</Code></Error>"})
	proxy.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "uploadId="), Status: http.StatusForbidden, Body: "<Error><Code>AccessDenied</Code></Error>"})
	broken := cfg
	broken.Endpoint = proxy.URL
	if _, err := open(t, broken).Check(t.Context()); err == nil {
		t.Fatal("a store that lets nothing be deleted was accepted")
	}
	may := map[string]bool{}
	objects, uploads := leftByProbe(t, bucket, may)
	if objects == 0 || uploads == 0 {
		t.Fatalf("%d objects and %d uploads are left; the test needs some", objects, uploads)
	}
	for _, later := range []time.Duration{0, 2 * time.Hour} {
		cfg.Now = func() time.Time { return time.Now().Add(later) }
		if _, err := open(t, cfg).Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, u := leftByProbe(t, bucket, may)
		if later == 0 && (o != objects || u != uploads) {
			t.Errorf("%d objects and %d uploads are left of %d and %d: they may have been another worker's", o, u, objects, uploads)
		}
		if later > 0 && o+u > 0 {
			t.Errorf("%d objects and %d uploads are left after %s", o, u, later)
		}
	}
}

// The store goes away for a moment just when a probe clears up. What it could not end, a later start must be able to find.
func TestUploadsThatAProbeCouldNotEndAreFoundLater(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	bucket, _, _ := strings.Cut(strings.TrimPrefix(cfg.URL, "s3://"), "/")
	proxy := storagetest.NewProxy(t, cfg.Endpoint)
	proxy.Break(storagetest.Rule{Match: storagetest.Request(http.MethodPost, "uploadId="), Status: http.StatusForbidden, Body: "<Error><Code>AccessDenied</Code></Error>"})
	proxy.Break(storagetest.Rule{Match: storagetest.Request(http.MethodDelete, "uploadId="), Status: http.StatusServiceUnavailable})
	away := cfg
	away.Endpoint = proxy.URL
	_, _ = open(t, away).Check(t.Context()) // what it thinks of such a store is not the matter here
	may := map[string]bool{}
	if objects, uploads := leftByProbe(t, bucket, may); objects != 1 || uploads == 0 {
		t.Fatalf("%d objects and %d uploads are left, want one object, and the uploads that can't be ended", objects, uploads)
	}
	cfg.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if _, err := open(t, cfg).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, u := leftByProbe(t, bucket, may); o+u > 0 {
		t.Errorf("%d objects and %d uploads are left by a later start", o, u)
	}
}

// leftByProbe counts what is in the bucket, and the uploads to the keys of its probes. may remembers those keys.
func leftByProbe(t *testing.T, bucket string, may map[string]bool) (objects, uploads int) {
	t.Helper()
	keys, err := minio.Keys(bucket)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		dir := path.Dir(key)
		may[dir+"/multipart"], may[dir+"/complete"] = true, true
	}
	of, _, err := minio.Unfinished(bucket, slices.Collect(maps.Keys(may)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range of {
		uploads += n
	}
	return len(keys), uploads
}
