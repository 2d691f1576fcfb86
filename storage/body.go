package storage

import (
	"bytes"
	"errors"
	"sync"
)

// errDetached ends a request that still reads its body after we have stopped waiting for its answer.
var errDetached = errors.New("storage: the body is no longer ours to send")

// A loan is the body of a request over memory that belongs to the caller. net/http may go on reading a body after it has
// answered (the server replied early, the context ended); the caller may use its memory again by then.
type loan struct {
	mu   sync.Mutex
	from bytes.Reader
	over bool
}

func lend(data []byte) *loan {
	l := &loan{}
	l.from.Reset(data)
	return l
}

// end takes the memory back: when it returns, nobody reads it any more.
func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.from.Reset(nil)
}

func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, errDetached
	}
	return l.from.Read(p)
}

// Seek lets the SDK send the body again.
func (l *loan) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, errDetached
	}
	return l.from.Seek(offset, whence)
}
