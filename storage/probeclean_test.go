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
