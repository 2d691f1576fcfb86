//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// lab is what all cases share: memory for the data, the source and the store.
type lab struct {
	dir     string // on tmpfs
	program string // reelkeep
	profile string
	source  *nginx
	far     *farSource // nil: there is none, and farWhy tells why
	farWhy  string
	store   *minio
	mounted bool
}

const labPrefix = "/dev/shm/reelkeep-bench."

// openLab starts the servers. What an earlier run that was killed has left in memory goes first.
func openLab(ctx context.Context, opt options) (l *lab, err error) {
	if err := haveTools(opt.program); err != nil {
		return nil, err
	}
	sweepLeftovers()
	l = &lab{dir: fmt.Sprintf("%s%d", labPrefix, os.Getpid())}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.program, err = filepath.Abs(opt.program); err != nil {
		return l, fmt.Errorf("find %s: %w", opt.program, err)
	}
	if opt.profile != "" {
		if err := os.MkdirAll(opt.profile, 0o755); err != nil {
			return l, fmt.Errorf("make the folder of -profile: %w", err)
		}
		if l.profile, err = filepath.Abs(opt.profile); err != nil {
			return l, fmt.Errorf("find %s: %w", opt.profile, err)
		}
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return l, fmt.Errorf("make a folder in memory: %w", err)
	}
	// The cap keeps a mistake of ours from eating the machine. Without the right to mount, /dev/shm's own cap has to do.
	l.mounted = syscall.Mount("reelkeep-bench", l.dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", opt.tmpfs)) == nil
	if err := os.MkdirAll(l.files(), 0o755); err != nil {
		return l, fmt.Errorf("make a folder in memory: %w", err)
	}
	if l.source, err = startNginx(ctx, l.dir, l.files(), "127.0.0.1"); err != nil {
		return l, err
	}
	if l.far, err = startFarSource(ctx, l.dir, l.files()); err != nil {
		l.far, l.farWhy = nil, err.Error()
	}
	l.store, err = startMinIO(ctx, filepath.Join(l.dir, "store"))
	return l, err
}

// files is the folder that the source serves.
func (l *lab) files() string { return filepath.Join(l.dir, "files") }

func (l *lab) close() error {
	if l.far != nil {
		l.far.close()
	}
	if l.source != nil {
		l.source.stop()
	}
	if l.store != nil {
		l.store.stop()
	}
	return removeLab(l.dir, l.mounted)
}

func removeLab(dir string, mounted bool) error {
	if mounted {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("give the memory back: %w", err)
	}
	return nil
}

// sweepLeftovers removes the data of runs that were killed.
func sweepLeftovers() {
	dirs, _ := filepath.Glob(labPrefix + "*") // the pattern is well formed
	for _, dir := range dirs {
		if _, err := os.Stat("/proc/" + filepath.Ext(dir)[1:]); err == nil {
			continue
		}
		_ = syscall.Unmount(dir, syscall.MNT_DETACH) // if it is one
		_ = os.RemoveAll(dir)
	}
}

func haveTools(program string) error {
	var missing []error
	for _, name := range []string{program, "nginx", "minio", "redis-server", "rclone", "mc", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, fmt.Errorf("%w: run make bench, which gets it", err))
		}
	}
	return errors.Join(missing...)
}

// server is a process of the lab.
type server struct {
	cmd   *exec.Cmd
	said  tail
	ended chan struct{}
}

// startServer starts a process and asks until it is ready.
func startServer(ctx context.Context, cmd *exec.Cmd, ready func(context.Context) error) (*server, error) {
	s := &server{cmd: cmd, ended: make(chan struct{})}
	name := filepath.Base(cmd.Path)
	cmd.Stdout, cmd.Stderr = &s.said, &s.said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	const patience = 30 * time.Second
	limit := time.NewTimer(patience)
	defer limit.Stop()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		if ready(ctx) == nil {
			return s, nil
		}
		select {
		case <-every.C:
			continue
		case <-s.ended:
			return nil, fmt.Errorf("start %s: it ended: %s", name, s.said.text())
		case <-limit.C:
		case <-ctx.Done():
		}
		s.stop()
		return nil, fmt.Errorf("start %s: it is not ready: %s", name, s.said.text())
	}
}

func (s *server) pids() []int {
	pid := s.cmd.Process.Pid
	return slices.Concat([]int{pid}, childrenOf(pid))
}

// stop ends it. What it holds is thrown away anyway, so it is not given long.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(2 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// freePort is free at this moment.
func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// answers says whether something answers at a url with 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s", url, res.Status)
	}
	return nil
}
