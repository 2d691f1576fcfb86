package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	// lastRequests is how long requests in flight have once the parent is gone. Their connections are cut by then, so
	// there is nobody left to wait for.
	lastRequests = 2 * time.Second
	// childMemory is a soft ceiling: the child counts towards what a person sees reelkeep use.
	childMemory = 64 << 20
	// listenTries bounds the search for a port that nobody takes between our look and the gateway's.
	listenTries = 10
)

const waitingForLock = "waiting for another reelkeep to leave the folder"

var errParentGone = errors.New("embedded: the parent closed the child's standard input")

// RunIfChild runs the S3 child and ends the process, if this process was started as one; otherwise it does nothing.
// It must be the first thing in main, and in the TestMain of every test that calls StartS3: the child is the same
// program.
func RunIfChild() {
	if len(os.Args) != 2 || os.Args[1] != childArg {
		return
	}
	os.Exit(runChild(os.Stdin, os.Stdout, os.Stderr))
}

// runChild is the child's main: the context begins here, and the end of stdin is its only signal.
func runChild(stdin io.Reader, stdout, stderr io.Writer) int {
	ignoreStops()
	debug.SetMemoryLimit(childMemory)
	in := bufio.NewReader(stdin)
	cfg, err := readStart(in)
	if err != nil {
		fmt.Fprintln(stderr, "reelkeep starts this part by itself:", err)
		return 2
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in) // an error means the same as the end: nobody is there any more
		cancel(errParentGone)
		time.AfterFunc(lastRequests, func() { os.Exit(0) })
	}()
	if err := serve(ctx, cfg, stdout, stderr); err != nil && !errors.Is(err, errParentGone) {
		if err := writeReady(stdout, ready{InUse: errors.Is(err, errLocked), Error: err.Error()}); err != nil {
			fmt.Fprintln(stderr, err)
		}
		return 1
	}
	return 0
}

// lock takes the folder for this process. Whoever only looks needs no lock: what is sealed does not change.
func (cfg start) lock(ctx context.Context, stderr io.Writer) (release func(), err error) {
	if cfg.ReadOnly {
		return func() {}, nil
	}
	lock, err := lockFolder(ctx, cfg.Folder, cfg.LockWait, func() { fmt.Fprintln(stderr, waitingForLock) })
	if errors.Is(err, errNoLocks) {
		fmt.Fprintln(stderr, "the folder's file system has no locks: see to it that only one reelkeep uses it")
	} else if err != nil {
		return nil, err
	}
	return func() { _ = lock.Close() }, nil // gives the lock back
}

// serve locks the folder and runs the gateway until ctx ends.
func serve(ctx context.Context, cfg start, stdout, stderr io.Writer) error {
	release, err := cfg.lock(ctx, stderr)
	if err != nil {
		return err
	}
	defer release()

	var store meta.MetadataStorer = meta.XattrMeta{}
	if cfg.SideCar != "" {
		if store, err = meta.NewSideCar(cfg.SideCar); err != nil {
			return fmt.Errorf("open the attributes of folder %q: %w", cfg.Folder, err)
		}
	}
	for range listenTries {
		err = listen(ctx, cfg, store, stdout)
		if !isPortTaken(err) {
			break
		}
	}
	return err
}

// listen runs the gateway once, on a port that was free a moment ago: the gateway opens its port itself and can't be
// asked which one it got.
func listen(ctx context.Context, cfg start, store meta.MetadataStorer, stdout io.Writer) error {
	addr, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	opts := posix.PosixOpts{
		BucketLinks:        true,
		SideCarDir:         cfg.SideCar,
		ForceNoObjLockFile: true, // lockFolder already keeps every other gateway out
	}
	opts.SetNewFilePerm(filePerm())
	backend, err := posix.New(cfg.Root, store, opts)
	if err != nil {
		return fmt.Errorf("open folder %q: %w", cfg.Folder, err)
	}
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    cfg.AccessKey,
		RootUserSecret:    cfg.SecretKey,
		Region:            cfg.Region,
		Ports:             []string{addr},
		MaxConnections:    4096,
		MaxRequests:       1024,
		MultipartMaxParts: 10_000,
		KeepAlive:         true,
		Quiet:             true,
		Readonly:          cfg.ReadOnly,
		S3Options: []s3api.Option{s3api.WithOnListen(func() {
			// A parent that can't read this is gone, and then standard input has ended as well.
			_ = writeReady(stdout, ready{Endpoint: "http://" + addr})
		})},
	})
	if err != nil {
		return fmt.Errorf("serve folder %q on %s: %w", cfg.Folder, addr, err)
	}
	return context.Cause(ctx)
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free loopback port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find a free loopback port: %w", err)
	}
	return addr, nil
}
