package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readOnly returns a folder that this user can't write. Root can write everywhere but in /proc.
func readOnly(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return "/proc"
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFolderThatCannotBeUsedIsNamedInOneSentence(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ dir, want string }{
		"a file":               {file, "is a file, not a folder"},
		"below a file":         {filepath.Join(file, "archive"), "can't be made"},
		"unwritable":           {readOnly(t), "can't be written"},
		"in an unwritable one": {filepath.Join(readOnly(t), "archive"), "can't be made"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := StartS3(t.Context(), S3Options{Dir: tc.dir, StateDir: t.TempDir()})
			fe, ok := errors.AsType[*FolderError](err)
			if !ok {
				t.Fatalf("got %v, want a *FolderError", err)
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the sentence is %q", err)
			}
			if !strings.Contains(fe.Hint(), "REELKEEP_STORE") {
				t.Errorf("the hint is %q", fe.Hint())
			}
		})
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "mine" {
		t.Errorf("the file in the way was touched: %q, %v", got, err)
	}
}

func TestNoFolderIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := StartS3(t.Context(), S3Options{}); err == nil || !strings.Contains(err.Error(), "REELKEEP_STORE") {
		t.Errorf("got %v", err)
	}
}

func TestProbeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := probe(dir); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("the probe left %v", left)
	}
}

// A container often has no home directory and a read-only root.
func TestStateThatCannotBeKept(t *testing.T) {
	t.Parallel()
	state := filepath.Join(readOnly(t), "state")
	t.Run("is not needed with extended attributes", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if has, err := probe(dir); err != nil || !has {
			t.Logf("this file system has no extended attributes (%v): nothing to see here", err)
			return
		}
		s := startS3(t, S3Options{Dir: dir, StateDir: state})
		mustPut(t, newClient(t, public(s)), "vid_1/video.mp4", "film")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.place.root); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the temporary directory %s is still there (%v)", s.place.root, err)
		}
	})
	t.Run("is an error without them", func(t *testing.T) {
		t.Parallel()
		_, err := StartS3(t.Context(), S3Options{Dir: t.TempDir(), StateDir: state, noAttributes: true})
		fe, ok := errors.AsType[*FolderError](err)
		if !ok || !strings.Contains(err.Error(), "no extended attributes") || !strings.Contains(fe.Hint(), "XDG_CACHE_HOME") {
			t.Errorf("got %v", err)
		}
	})
}

func TestStaleLinkIsReplaced(t *testing.T) {
	t.Parallel()
	p := place{folder: t.TempDir(), root: filepath.Join(t.TempDir(), "root")}
	for range 2 {
		if err := p.makeRoot(); err != nil {
			t.Fatal(err)
		}
	}
	p.folder = t.TempDir()
	if err := p.makeRoot(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(filepath.Join(p.root, bucket)); err != nil || got != p.folder {
		t.Errorf("the bucket leads to %s (%v), want %s", got, err, p.folder)
	}
}
