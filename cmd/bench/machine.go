//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where something was measured, and with what.
type machine struct {
	CPU, Kernel, OS, Go string
	Cores               int
	Memory              int64
	Versions            []string
}

// thisMachine tells of it, and of the program that is measured.
func thisMachine(program string) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown", OS: "Linux"}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(string(b), `(?m)^model name\s*: (.+)$`, m.CPU)
	}
	if b, err := os.ReadFile("/etc/os-release"); err == nil {
		m.OS = field(string(b), `(?m)^PRETTY_NAME="(.+)"$`, m.OS)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel, _, _ = strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	m.Versions = versions(program)
	return m
}

// versions asks every program which it is.
func versions(program string) []string {
	ask := func(label, pattern, name string, args ...string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, _ := command(ctx, []string{"HOME=/nonexistent"}, name, args...).CombinedOutput() // what is missing is unknown
		return label + " " + field(string(out), pattern, "unknown")
	}
	built := func(label, name string) string {
		return ask(label, `(?m)^\s*mod\s+\S+\s+(\S+)`, "go", "version", "-m", pathOf(name))
	}
	return []string{
		ask("reelkeep", `reelkeep (.+)`, program, "version"), ask("nginx", `nginx/(\S+)`, "nginx", "-v"), built("MinIO", "minio"),
		built("rclone", "rclone"), built("mc", "mc"), ask("curl", `curl (\S+)`, "curl", "--version"),
		ask("Redis", `v=(\S+)`, "redis-server", "--version"),
	}
}

func pathOf(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return name
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	return path
}

// field is the first group of a pattern in a text, or what is said instead.
func field(text, pattern, instead string) string {
	if found := regexp.MustCompile(pattern).FindStringSubmatch(text); found != nil {
		return strings.TrimSpace(found[1])
	}
	return instead
}

func (m machine) text() string {
	return fmt.Sprintf("%d cores of %s, %d GiB of memory, %s, Linux %s, %s", m.Cores, m.CPU, (m.Memory+gib/2)/gib, m.OS, m.Kernel, m.Go)
}
