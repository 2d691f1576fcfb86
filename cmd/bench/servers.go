//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// nginx serves the files: below / as fast as it can, below /slow/ with slowRate for each request.
type nginx struct {
	*server
	origin string
}

const slowRate = 20 << 20

// nginxConfig takes a folder for its own files, the address and the folder to serve. The master runs as whoever starts it; a
// worker of root's would not get into the folder.
const nginxConfig = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
worker_processes 2;
%[4]s
events { worker_connections 1024; }
http {
  access_log off;
  types { video/mp4 mp4; image/jpeg jpeg; image/gif gif; text/x-ssa ass; }
  default_type application/octet-stream;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  autoindex on;
  server {
    listen %[2]s;
    root %[3]s;
    # In steps so small that the last one, after which nobody waits, counts for nothing.
    location /slow/ { alias %[3]s/; limit_rate %[5]d; sendfile_max_chunk 256k; }
  }
}
`

func startNginx(ctx context.Context, dir, files, ip string) (*nginx, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(ip, port)
	own := filepath.Join(dir, "nginx-"+ip)
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, fmt.Errorf("make nginx's folder: %w", err)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	file := filepath.Join(own, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, own, addr, files, user, slowRate), 0o600); err != nil {
		return nil, fmt.Errorf("write nginx's configuration: %w", err)
	}
	n := &nginx{origin: "http://" + addr}
	cmd := command(context.WithoutCancel(ctx), nil, "nginx", "-e", "stderr", "-p", own, "-c", file)
	n.server, err = startServer(ctx, cmd, connects(addr))
	return n, err
}

// connects says whether somebody listens at an address.
func connects(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// minio is the store: one process over a folder in memory.
type minio struct {
	*server
	dir string
	s3  s3
}

func startMinIO(ctx context.Context, dir string) (*minio, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	m := &minio{dir: dir, s3: s3{endpoint: "http://" + addr, key: "bench", secret: rand.Text(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: checkers}}}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make MinIO's folder: %w", err)
	}
	cmd := command(context.WithoutCancel(ctx), []string{
		"MINIO_ROOT_USER=" + m.s3.key, "MINIO_ROOT_PASSWORD=" + m.s3.secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME=" + dir,
	}, "minio", "server", "--quiet", "--address", addr, dir)
	m.server, err = startServer(ctx, cmd, func(ctx context.Context) error { return answers(ctx, m.s3.endpoint+"/minio/health/ready") })
	return m, err
}

// env is how clients of AWS's kind are told of the store.
func (m *minio) env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + m.s3.key, "AWS_SECRET_ACCESS_KEY=" + m.s3.secret, "AWS_REGION=" + region, "AWS_ENDPOINT_URL_S3=" + m.s3.endpoint,
	}
}

// bucket makes an empty bucket: any folder in its data is one to MinIO.
func (m *minio) bucket(name string) (string, error) {
	name += "-" + strings.ToLower(rand.Text()[:12])
	if err := os.Mkdir(filepath.Join(m.dir, name), 0o755); err != nil {
		return "", fmt.Errorf("make a bucket: %w", err)
	}
	return name, nil
}

// holds says whether a key is there, without asking MinIO, which has better things to do.
func (m *minio) holds(bucket, key string) bool {
	_, err := os.Stat(filepath.Join(m.dir, bucket, key))
	return err == nil
}

// empty gives back the memory that a bucket took. MinIO itself would keep what is deleted for another five minutes.
func (m *minio) empty(bucket string) error {
	errs := []error{os.RemoveAll(filepath.Join(m.dir, bucket))}
	for _, kept := range []string{"tmp/.trash/*", "multipart/*"} {
		found, _ := filepath.Glob(filepath.Join(m.dir, ".minio.sys", kept)) // the pattern is well formed
		for _, path := range found {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// redis is a fresh Redis, as durable as the handbook asks for.
type redis struct {
	*server
	url string
}

func startRedis(ctx context.Context, dir string) (*redis, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make Redis' folder: %w", err)
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	r := &redis{url: "redis://" + addr + "/0"}
	cmd := command(context.WithoutCancel(ctx), nil, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	r.server, err = startServer(ctx, cmd, connects(addr))
	return r, err
}
