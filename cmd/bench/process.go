//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// command prepares a process that does not outlive us, with these variables and hardly any others: what a person has set
// for rclone, mc or AWS must not decide what is measured.
func command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "AWS_EC2_METADATA_DISABLED=true"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// sampleEvery is how often a running process is asked for its peak memory.
const sampleEvery = 10 * time.Millisecond

// measure runs commands to their end, each one's output being the next one's input, and returns how long that took from the
// first start to the last end, and what they used.
func measure(cmds ...*exec.Cmd) (time.Duration, usage, error) {
	said := make([]tail, len(cmds))
	for i, cmd := range cmds {
		cmd.Stderr = &said[i]
		if i == 0 {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			return 0, usage{}, fmt.Errorf("make a pipe: %w", err)
		}
		defer r.Close()
		defer w.Close()
		cmds[i-1].Stdout, cmd.Stdin = w, r
	}
	begun := time.Now()
	peaks := make([]*peak, len(cmds))
	for i, cmd := range cmds {
		if err := cmd.Start(); err != nil {
			return 0, usage{}, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
		}
		peaks[i] = watchPeak(cmd.Process.Pid)
		closeOurs(cmd) // or the reader would never see the end
	}
	var errs []error
	var used usage
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, said[i].text()))
		}
		used = used.and(usage{CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), RSS: peaks[i].end(cmd.ProcessState)})
	}
	return time.Since(begun), used, errors.Join(errs...)
}

// closeOurs closes our copies of the ends of pipes that a started process has now.
func closeOurs(cmd *exec.Cmd) {
	if f, ok := cmd.Stdin.(*os.File); ok {
		_ = f.Close()
	}
	if f, ok := cmd.Stdout.(*os.File); ok {
		_ = f.Close()
	}
}

// peak is the most memory that a process has had.
type peak struct {
	stop   chan struct{}
	result chan int64
}

func watchPeak(pid int) *peak {
	p := &peak{stop: make(chan struct{}), result: make(chan int64, 1)}
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		var most int64
		for {
			select {
			case <-tick.C:
				most = max(most, highWater(pid))
			case <-p.stop:
				p.result <- most
				return
			}
		}
	}()
	return p
}

// end returns the peak of a process that has ended. What the kernel says at the end misses nothing, but it counts this
// program's own peak in, as a process is a copy of it for a moment; so it only counts where it is more than that.
func (p *peak) end(state *os.ProcessState) int64 {
	close(p.stop)
	most := <-p.result
	if r, ok := state.SysUsage().(*syscall.Rusage); ok && r.Maxrss<<10 > highWater(os.Getpid()) {
		most = max(most, r.Maxrss<<10)
	}
	return most
}

// highWater reads VmHWM in bytes; 0 of a process that is gone.
func highWater(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return kilobytes(string(b), "VmHWM:")
}

// freeMemory is what the machine can still give; 0 if it does not tell.
func freeMemory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kilobytes(string(b), "MemAvailable:")
}

// kilobytes reads a line such as "VmHWM:  1234 kB", in bytes; 0 if there is none.
func kilobytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return kb << 10
	}
	return 0
}

// tick is the kernel's unit in /proc/PID/stat; 100 a second on every platform Go runs on.
const tick = time.Second / 100

// cpuOf is how much CPU time processes have used so far, with the children they have waited for.
func cpuOf(pids ...int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil {
			sum += parseCPU(string(b))
		}
	}
	return sum
}

// parseCPU adds up utime, stime, cutime and cstime. The name of the program, in parentheses, may hold anything.
func parseCPU(stat string) time.Duration {
	const first, last = 11, 14 // counted from behind the name
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= last {
		return 0
	}
	var ticks int64
	for _, field := range fields[first : last+1] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// childrenOf lists the processes that a process has started and that still run.
func childrenOf(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, field := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(field); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// tail keeps the end of what a process has to say.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.buf.Len() > tailBytes {
		t.buf.Next(t.buf.Len() - tailBytes)
	}
	return t.buf.Write(p)
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
