package storagetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Server is a MinIO of our own.
type Server struct {
	Endpoint, AccessKey, SecretKey string

	bin  string
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone
	log  *os.File
}

// MinIO starts a MinIO for one test and stops it at its end.
func MinIO(t testing.TB) (endpoint, key, secret, bucket string) {
	t.Helper()
	s, err := StartMinIO(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Endpoint, s.AccessKey, s.SecretKey, s.Bucket(t)
}

// RunWithMinIO runs the tests of a package with a MinIO in a folder of its own, which s is set to, and returns the exit code. It is
// for a TestMain.
func RunWithMinIO(m *testing.M, s **Server) int {
	dir, err := os.MkdirTemp("", "reelkeep-minio-")
	if err == nil {
		defer os.RemoveAll(dir)
		*s, err = StartMinIO(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer (*s).Close()
	return m.Run()
}

// StartMinIO starts a MinIO over a folder, for a TestMain. The caller closes it.
func StartMinIO(dir string) (*Server, error) {
	bin, err := findMinIO()
	if err != nil {
		return nil, err
	}
	// The port is free now; should somebody take it before MinIO does, another one is tried.
	for range 5 {
		s, err := startOn(bin, dir)
		if err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), "already in use") {
			return nil, err
		}
	}
	return nil, errors.New("start MinIO: no free port in five tries")
}

func startOn(bin, dir string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	s := &Server{
		Endpoint: "http://" + addr, AccessKey: "reelkeep", SecretKey: rand.Text(), bin: bin, dir: filepath.Join(dir, "data"),
	}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, fmt.Errorf("make MinIO's folder: %w", err)
	}
	if s.log, err = os.Create(filepath.Join(dir, "minio.log")); err != nil {
		return nil, fmt.Errorf("make MinIO's log: %w", err)
	}
	if err := s.Start(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Start starts it again after a Kill, at the same address and with what it has stored, and returns when it is ready.
func (s *Server) Start() error {
	s.cmd = exec.Command(s.bin, "server", "--quiet", "--address", strings.TrimPrefix(s.Endpoint, "http://"), s.dir)
	home := filepath.Dir(s.dir)
	s.cmd.Env = []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"HOME=" + home, "PATH=" + os.Getenv("PATH"),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.done = nil
		return fmt.Errorf("start MinIO: %w", err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return s.waitReady()
}

// waitReady asks until MinIO answers. It has no signal of its own.
func (s *Server) waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/minio/health/ready", nil)
		if err != nil {
			return fmt.Errorf("ask MinIO: %w", err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.done:
			said, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("start MinIO: it ended: %s", said)
		case <-ctx.Done():
			return errors.New("start MinIO: not ready within a minute")
		}
	}
}

// Bucket makes an empty bucket for one test.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name, err := s.MakeBucket()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// MakeBucket makes an empty bucket. MinIO takes any folder in its data for one, so no S3 client is needed here.
func (s *Server) MakeBucket() (string, error) {
	name := "bucket-" + strings.ToLower(rand.Text())
	if err := os.Mkdir(filepath.Join(s.dir, name), 0o750); err != nil {
		return "", fmt.Errorf("make a bucket: %w", err)
	}
	return name, nil
}

// Holds says whether a key is in a bucket, without asking through S3.
func (s *Server) Holds(bucket, key string) bool {
	_, err := os.Stat(filepath.Join(s.dir, bucket, filepath.FromSlash(key)))
	return err == nil
}

// Empty throws away what a bucket holds, sealed or not, at once and without asking through S3: MinIO itself would keep it
// for another five minutes.
func (s *Server) Empty(bucket string) error {
	dir := filepath.Join(s.dir, bucket)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("empty the bucket %s: %w", bucket, err)
	}
	return os.Mkdir(dir, 0o750)
}

// Unfinished lists the multipart uploads that MinIO holds: how many of each key, as far as the key is one of those given,
// and how many of others. MinIO itself would list them for an exact key only, so whoever has forgotten the key could
// never see what it left behind.
func (s *Server) Unfinished(bucket string, keys []string) (of map[string]int, others int, err error) {
	names := map[string]string{} // of the folders in which MinIO keeps them
	for _, key := range keys {
		sum := sha256.Sum256([]byte(bucket + "/" + key))
		names[hex.EncodeToString(sum[:])] = key
	}
	of = map[string]int{}
	found, err := filepath.Glob(filepath.Join(s.dir, ".minio.sys", "multipart", "*", "*", "xl.meta"))
	for _, path := range found {
		if key, ok := names[filepath.Base(filepath.Dir(filepath.Dir(path)))]; ok {
			of[key]++
		} else {
			others++
		}
	}
	return of, others, err
}

// Keys lists what is in a bucket, without asking through S3.
func (s *Server) Keys(bucket string) ([]string, error) {
	root := filepath.Join(s.dir, bucket)
	var keys []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "xl.meta" {
			keys = append(keys, filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), root+string(filepath.Separator))))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list bucket %s on the disk: %w", bucket, err)
	}
	return keys, nil
}

// Kill ends MinIO as the kernel would.
func (s *Server) Kill() {
	if s.done == nil {
		return
	}
	_ = s.cmd.Process.Kill() // fails only where it is dead already
	<-s.done
}

// Close kills MinIO and waits for its end.
func (s *Server) Close() {
	s.Kill()
	_ = s.log.Close()
}

func findMinIO() (string, error) {
	var places []string
	if dir := os.Getenv("REELKEEP_TEST_BIN"); dir != "" {
		places = append(places, filepath.Join(dir, "minio"))
	}
	if p, err := exec.LookPath("minio"); err == nil {
		places = append(places, p)
	}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, filepath.Join(home, ".cache", "reelkeep-test", "bin", "minio"))
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && !info.IsDir() {
			return p, nil
		}
	}
	return "", errors.New("MinIO is not there (looked in $REELKEEP_TEST_BIN, PATH and ~/.cache/reelkeep-test/bin): run make test, which builds it")
}
