package storage_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// minio is started once for all tests; each test has a bucket of its own.
var minio *storagetest.Server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	code := storagetest.RunWithMinIO(m, &minio)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// config is a store in a fresh bucket of the shared MinIO.
func config(t testing.TB) storage.Config {
	t.Helper()
	return storage.Config{
		URL: "s3://" + minio.Bucket(t) + "/some/prefix", PartSize: storage.MinPartSize, Endpoint: minio.Endpoint,
		Credentials: storage.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
		Log:         slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func open(t testing.TB, cfg storage.Config) *storage.Store {
	t.Helper()
	s, err := storage.Open(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
