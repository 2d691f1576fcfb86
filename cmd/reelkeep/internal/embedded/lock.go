package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("embedded: the folder is locked by another process")

// errNoLocks says that the file system of the folder has no locks.
var errNoLocks = errors.New("embedded: the file system has no locks")

// lockFile lies in the folder itself, so that it counts for every user, path and machine that reaches the folder; and
// in the gateway's own hidden directory, so that no listing shows it as an object.
func lockFile(folder string) string { return filepath.Join(folder, ".sgwtmp", "reelkeep.lock") }

// lockFolder takes the lock of folder, waiting up to wait: the child of a reelkeep that was just killed may take a
// moment to end; waiting is called once if it comes to that. The lock is gone when the file is closed, so also when the process dies. On a file system without
// locks the result is errNoLocks together with a file to hold.
func lockFolder(ctx context.Context, folder string, wait time.Duration, waiting func()) (*os.File, error) {
	name := lockFile(folder)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("lock folder %q: %w", folder, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock folder %q: %w", folder, err)
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for first := true; ; first = false {
		err := tryLock(f)
		if err == nil || errors.Is(err, errNoLocks) {
			return f, err
		}
		if first && errors.Is(err, errLocked) {
			waiting()
		}
		select {
		case <-retry.C:
			if errors.Is(err, errLocked) {
				continue
			}
		case <-deadline.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock folder %q: %w", folder, err)
	}
}
