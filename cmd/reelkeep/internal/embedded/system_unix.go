//go:build unix

package embedded

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup keeps the terminal's Ctrl-C from the child.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// ignoreStops leaves the parent to decide when the child ends. SIGPIPE is among them: when the parent dies the child's
// output goes nowhere, and a line printed then must not cut a write in the folder short.
func ignoreStops() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
}

// filePerm is what a program that doesn't care would give to a new file. The gateway sets a mode regardless of the
// umask, and somebody whose umask hides files from others means videos, too.
func filePerm() fs.FileMode {
	mask := unix.Umask(0)
	unix.Umask(mask)
	return 0o666 &^ fs.FileMode(mask) //nolint:gosec // a umask has nine bits
}

func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		return errLocked
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EINVAL):
		return errNoLocks
	}
	return err
}

func isPortTaken(err error) bool { return errors.Is(err, unix.EADDRINUSE) }
