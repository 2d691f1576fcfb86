package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// defaultLockWait covers lastRequests of a predecessor that was killed.
	defaultLockWait = 5 * time.Second
	// closeWait is how long Close leaves the child to end by itself.
	closeWait = 5 * time.Second
	bucket    = "archive"
	region    = "us-east-1"
)

// S3Options says which folder becomes a store.
type S3Options struct {
	Dir      string        // the person's folder; made if it isn't there
	StateDir string        // private files; default: reelkeep in the user's cache directory
	ReadOnly bool          // only look: the folder must be there, nothing is written to it, and another reelkeep may be at work in it
	LockWait time.Duration // how long to wait for another reelkeep to leave the folder; default 5 s
	Log      *slog.Logger  // what the gateway says; nil = nobody listens

	noAttributes bool // behave as on a file system without extended attributes
}

// S3 is a running store over a folder. The keys are of this run only and are known to nobody else.
type S3 struct {
	Endpoint  string // http://127.0.0.1:port
	AccessKey string
	SecretKey string
	Region    string
	Bucket    string
	Folder    string // the folder, absolute, symbolic links resolved

	place place
	cmd   *exec.Cmd
	stdin io.Closer
	said  tail
	done  chan struct{} // closed when the child has ended and its output is read
	exit  error         // set before done is closed

	closing  sync.Once
	closeErr error
}

// String keeps the keys out of a careless print.
func (s *S3) String() string { return fmt.Sprintf("embedded S3 of folder %q", s.Folder) }

// StartS3 serves opts.Dir as an S3 store on a loopback port. The store runs until Close; the end of ctx only stops the
// start, because uploads that are being drained still need it. Trouble with the folder is a *FolderError.
func StartS3(ctx context.Context, opts S3Options) (*S3, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.LockWait <= 0 {
		opts.LockWait = defaultLockWait
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start the embedded S3: %w", context.Cause(ctx))
	}
	p, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	s := &S3{
		AccessKey: rand.Text(), SecretKey: rand.Text(), Region: region, Bucket: bucket,
		Folder: p.folder, place: p, done: make(chan struct{}),
	}
	answer, err := s.launch(opts)
	if err != nil {
		p.remove()
		return nil, err
	}
	if err := s.await(ctx, answer); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// launch starts the child and hands it its orders. The channel brings its answer; it is closed without one if the
// child ends first.
func (s *S3) launch(opts S3Options) (<-chan ready, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program to start the embedded S3 with: %w", err)
	}
	orders, err := json.Marshal(start{
		Root: s.place.root, Folder: s.place.folder, SideCar: s.place.sideCar, Bucket: s.Bucket, Region: s.Region,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, LockWait: opts.LockWait, ReadOnly: opts.ReadOnly,
	})
	if err != nil {
		return nil, fmt.Errorf("start the embedded S3: %w", err)
	}
	s.cmd = exec.Command(self, childArg) //nolint:noctx // the store outlives the context that it is started with
	s.cmd.Env = childEnv()
	ownGroup(s.cmd)
	stdin, err1 := s.cmd.StdinPipe()
	stdout, err2 := s.cmd.StdoutPipe()
	stderr, err3 := s.cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, s.cmd.Start()); err != nil {
		return nil, fmt.Errorf("start the embedded S3: %w", err)
	}
	s.stdin = stdin
	answer := make(chan ready, 1)
	s.watch(stdout, stderr, answer, opts.Log)
	if _, err := stdin.Write(append(orders, '\n')); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded S3: %w", err), s.Close())
	}
	return answer, nil
}

// watch reads what the child prints and waits for its end.
func (s *S3) watch(stdout, stderr io.Reader, answer chan<- ready, log *slog.Logger) {
	talk := func(line string) {
		s.said.add(line)
		log.Debug("embedded S3 says", "text", line)
	}
	var reading sync.WaitGroup
	reading.Go(func() { eachLine(stderr, talk) })
	reading.Go(func() {
		defer close(answer)
		eachLine(stdout, func(line string) {
			r, ok := parseReady(line)
			if !ok {
				talk(line)
				return
			}
			select {
			case answer <- r:
			default: // a gateway that ran and then ended; nobody waits for an answer any more
				talk(r.Error)
			}
		})
	})
	go func() {
		reading.Wait() // before Wait, which closes the pipes
		s.exit = s.cmd.Wait()
		close(s.done)
	}()
}

func (s *S3) await(ctx context.Context, answer <-chan ready) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("start the embedded S3: %w", context.Cause(ctx))
	case r, ok := <-answer:
		switch {
		case !ok:
			<-s.done
			return fmt.Errorf("start the embedded S3: it ended at once: %w: %s", s.Err(), s.said.String())
		case r.InUse:
			return inUse(s.Folder)
		case r.Error != "":
			return fmt.Errorf("start the embedded S3: %s", r.Error)
		}
		s.Endpoint = r.Endpoint
		return nil
	}
}

// Done is closed when the store has ended: after Close, or because somebody killed it. Nothing can be stored from then
// on.
func (s *S3) Done() <-chan struct{} { return s.done }

// Err says why the store ended; nil while it runs and after a clean end.
func (s *S3) Err() error {
	select {
	case <-s.done:
	default:
		return nil
	}
	if s.exit == nil {
		return nil
	}
	return fmt.Errorf("embedded S3 of folder %q ended: %w", s.Folder, s.exit)
}

// Close ends the store and returns when its process is gone. Call it after everything that stores. It may be called
// twice.
func (s *S3) Close() error {
	s.closing.Do(func() {
		_ = s.stdin.Close() // an error here means that the child has ended already
		patience := time.NewTimer(closeWait)
		defer patience.Stop()
		select {
		case <-s.done:
		case <-patience.C:
			s.closeErr = s.cmd.Process.Kill()
			<-s.done
		}
		s.place.remove()
	})
	return s.closeErr
}

// childEnv passes on only what the Go runtime and the system need. The HeyGen key and the Redis password of the parent
// are none of the child's business.
func childEnv() []string {
	env := []string{} // not nil: exec takes nil for "everything"
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "GODEBUG", "GOTRACEBACK", "GOMAXPROCS", "GORACE", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// tail keeps the last thing that was said, for the error of a child that dies at its start.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > maxLine {
		t.text.Reset()
	}
	t.text.WriteString(line)
	t.text.WriteByte(' ')
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.text.String())
}
