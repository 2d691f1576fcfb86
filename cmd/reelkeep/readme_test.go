package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue/queuetest"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// Every command of the README's shell blocks is run as it stands there, but for what a reader fills in: the key,
// the ids, the addresses and the buckets. (The demo and `make test` are run by .ci/run.)
func TestEveryCommandOfTheREADMERuns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := heygensim.New(heygensim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	for _, v := range heygensim.Sample() {
		v.CreatedAt, v.RenderFor = longAgo(), 0
		sim.Add(v)
	}
	id := heygensim.Sample()[0].ID
	redis := queuetest.Redis(t)
	fill := strings.NewReplacer(
		"go build -o reelkeep ./cmd/reelkeep", "ln -s '"+binary+"' reelkeep",
		"HEYGEN_API_KEY=…", "HEYGEN_API_KEY="+sim.Key(),
		"redis://127.0.0.1:6379/0", redis.URL(), "REELKEEP_STORE=s3://videos/heygen   #", "REELKEEP_OPS_LISTEN=127.0.0.1:0 REELKEEP_LISTEN=127.0.0.1:0 REELKEEP_STORE=s3://"+minio.Bucket(t)+"/fleet   #",
		" ID ID …", " "+id, " ID [DIR]", " "+id, " ID", " "+id,
		"http://127.0.0.1:9000", minio.Endpoint,
		"AWS_ACCESS_KEY_ID=minioadmin", "AWS_ACCESS_KEY_ID="+minio.AccessKey, "AWS_SECRET_ACCESS_KEY=minioadmin", "AWS_SECRET_ACCESS_KEY="+minio.SecretKey,
		"s3://videos/heygen", "s3://"+minio.Bucket(t)+"/heygen", "s3://my-bucket/heygen", "s3://"+minio.Bucket(t)+"/heygen",
	)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	dir, ran := t.TempDir(), 0
	for _, block := range blocks {
		if strings.TrimSpace(block[1]) == "make test" {
			continue
		}
		ran++
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-eux", "-c", fill.Replace(block[1]))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HEYGEN_API_URL="+sim.APIURL(), "HEYGEN_API_KEY="+sim.Key(), "REELKEEP_PRIVATE_SOURCES=127.0.0.0/8",
			"XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "AWS_ENDPOINT_URL_S3="+minio.Endpoint,
			"AWS_ACCESS_KEY_ID="+minio.AccessKey, "AWS_SECRET_ACCESS_KEY="+minio.SecretKey)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("this block of the README fails: %v\n%s\n%s", err, block[1], out)
		}
	}
	if ran < 5 {
		t.Errorf("only %d blocks of commands were found in the README", ran)
	}
}

func TestTheSettingsPageIsCurrent(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != settingsMarkdown() {
		t.Error("docs/configuration.md is out of date: make docs")
	}
}
