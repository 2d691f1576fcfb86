package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend/meta"
)

// FolderError says why a folder can't hold an archive. Error is one sentence for a person, Hint the way out.
type FolderError struct {
	Folder  string // as an absolute path
	Problem string // the rest of the sentence, after the folder's name
	InUse   bool   // another reelkeep works on it
	Err     error  // what the system said; may be nil

	hint string
}

func (e *FolderError) Error() string { return fmt.Sprintf("folder %q %s", e.Folder, e.Problem) }

func (e *FolderError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *FolderError) Hint() string { return e.hint }

const chooseAnother = "give this user the right to write there, or name another folder in REELKEEP_STORE"

func inUse(folder string) *FolderError {
	return &FolderError{Folder: folder, Problem: "is in use by another reelkeep", InUse: true,
		hint: "wait until that one has ended, or name another folder in REELKEEP_STORE"}
}

func notWritable(folder string, err error) *FolderError {
	return &FolderError{Folder: folder, Problem: "can't be written: " + reason(err), Err: err, hint: chooseAnother}
}

// reason is the system's own word for it, without the operation and the path, which the sentence already has.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err.Error()
	}
	return err.Error()
}

// place is where one archive lives.
type place struct {
	folder  string // absolute, symbolic links resolved
	root    string // private: holds one symbolic link to folder
	sideCar string // attributes of a folder without extended attributes; "" otherwise
	temp    bool   // root is thrown away afterwards
}

// prepare makes the folder and the private directories, and proves that a file can be written.
func prepare(opts S3Options) (place, error) {
	if err := mustExist(opts); err != nil {
		return place{}, err
	}
	folder, err := makeFolder(opts.Dir)
	if err != nil {
		return place{}, err
	}
	hasAttributes, err := hasAttributes(folder, opts)
	if err != nil {
		return place{}, notWritable(folder, err)
	}
	if opts.noAttributes {
		hasAttributes = false
	}
	p := place{folder: folder}
	state, err := statePath(folder, opts.StateDir)
	switch {
	case err == nil:
		p.root = filepath.Join(state, "root")
	case hasAttributes:
		// Nothing has to last: the attributes are on the files. A container without a home directory works, too.
		p.temp = true
		if p.root, err = os.MkdirTemp("", "reelkeep-s3-"); err != nil {
			return place{}, fmt.Errorf("make a private directory for the embedded S3 (set TMPDIR to a writable one): %w", err)
		}
	default:
		return place{}, &FolderError{Folder: folder, Err: err,
			Problem: "has no extended attributes, and there is no other place for them: " + reason(err),
			hint:    "set XDG_CACHE_HOME or HOME to a folder that lasts and can be written, or use a file system with extended attributes"}
	}
	if !hasAttributes {
		p.sideCar = filepath.Join(state, "attributes")
	}
	if err := p.makeRoot(); err != nil {
		p.remove()
		return place{}, err
	}
	return p, nil
}

// mustExist refuses to look into a folder that is not there.
func mustExist(opts S3Options) error {
	if _, err := os.Stat(opts.Dir); opts.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		return &FolderError{Folder: opts.Dir, Problem: "does not exist: nothing is archived there", Err: err,
			hint: "run reelkeep archive first, or name the archive's folder in REELKEEP_STORE"}
	}
	return nil
}

// hasAttributes says where the attributes of the folder's files are. Whoever only looks may not try with a file: a place
// for them in the state directory shows that the folder was written without extended attributes.
func hasAttributes(folder string, opts S3Options) (bool, error) {
	if !opts.ReadOnly {
		return probe(folder)
	}
	state, err := statePath(folder, opts.StateDir)
	if err != nil {
		return true, nil
	}
	_, err = os.Stat(filepath.Join(state, "attributes"))
	return errors.Is(err, fs.ErrNotExist), nil
}

// makeFolder creates dir with its parents and returns its one true path: an archive reached through a symbolic link
// must find the same attributes as the archive reached directly.
func makeFolder(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("open an archive folder: no folder given; name one in REELKEEP_STORE")
	}
	folder, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find folder %q: %w", dir, err)
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return "", &FolderError{Folder: folder, Problem: "is a file, not a folder", hint: "name a folder in REELKEEP_STORE"}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", &FolderError{Folder: folder, Problem: "can't be made: " + reason(err), Err: err, hint: chooseAnother}
	}
	resolved, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", &FolderError{Folder: folder, Problem: "can't be read: " + reason(err), Err: err, hint: chooseAnother}
	}
	return resolved, nil
}

// probe writes a file with an attribute and removes it. Asking the file system what it can do isn't enough: some say
// yes to a question and no to a write.
func probe(folder string) (hasAttributes bool, err error) {
	f, err := os.CreateTemp(folder, ".reelkeep-probe-*")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.WriteString("reelkeep"); err != nil {
		return false, err
	}
	value := []byte(strings.Repeat("x", 512)) // more than the longest attribute that is kept for an object
	return meta.XattrMeta{}.StoreAttribute(f, "", "", "reelkeep-probe", value) == nil, nil
}

// statePath makes the private directory of folder: the same one every time, since without extended attributes it holds
// half of what the gateway knows.
func statePath(folder, stateDir string) (string, error) {
	if stateDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		stateDir = filepath.Join(cache, "reelkeep")
	}
	base, err := filepath.Abs(stateDir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(folder))
	state := filepath.Join(base, "folders", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	return state, nil
}

// makeRoot puts the symbolic link, which is the bucket, in place. Two processes may do this at once; the folder's lock
// comes later and sorts them out.
func (p place) makeRoot() error {
	for _, dir := range []string{p.root, p.sideCar} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the private directory of folder %q: %w", p.folder, err)
		}
	}
	link := filepath.Join(p.root, bucket)
	if have, err := os.Readlink(link); err == nil && have == p.folder {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace the private link to folder %q: %w", p.folder, err)
	}
	err := os.Symlink(p.folder, link)
	if have, readErr := os.Readlink(link); err != nil && (readErr != nil || have != p.folder) {
		return fmt.Errorf("make the private link to folder %q: %w", p.folder, err)
	}
	return nil
}

// remove throws away what need not last.
func (p place) remove() {
	if p.temp {
		_ = os.RemoveAll(p.root) // a leftover in the temporary directory harms nobody
	}
}
