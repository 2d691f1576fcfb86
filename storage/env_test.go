package storage_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// Not parallel: it sets the environment. The store is MinIO behind TLS with a certificate of our own.
func TestTheEnvironmentIsEnough(t *testing.T) {
	bucket := minio.Bucket(t)
	proxy := storagetest.NewProxy(t, minio.Endpoint)
	var mu sync.Mutex
	payloads, protocols := map[string]int{}, map[string]int{}
	tls := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		protocols[r.Proto]++
		if r.Method == http.MethodPut && r.ContentLength > 1000 {
			payloads[r.Header.Get("X-Amz-Content-Sha256")]++
		}
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	tls.EnableHTTP2 = true
	tls.StartTLS()
	defer func() {
		tls.CloseClientConnections()
		tls.Close()
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": minio.AccessKey, "AWS_SECRET_ACCESS_KEY": minio.SecretKey, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_ENDPOINT_URL_S3": tls.URL, "AWS_CA_BUNDLE": ca, "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
	} {
		t.Setenv(name, value)
	}
	s := open(t, storage.Config{URL: "s3://" + bucket, PartSize: storage.MinPartSize})
	data := storagetest.Bytes(1, part+1000)
	u := begin(t, s, storagetest.Spec("video", "video.mp4", data))
	storagetest.PutMissing(t, u, data)
	if err := s.Seal(t.Context(), sealable2(finish(t, u, data))); err != nil {
		t.Fatal(err)
	}
	if len(payloads) != 1 || payloads["UNSIGNED-PAYLOAD"] == 0 {
		t.Errorf("payloads were sent as %v; over TLS hashing them for the signature is wasted", payloads)
	}
	if len(protocols) != 1 || protocols["HTTP/1.1"] == 0 {
		t.Errorf("protocols %v, want only HTTP/1.1", protocols)
	}
}
