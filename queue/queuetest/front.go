package queuetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Front is a Redis that says what a test wants to hear, and passes all else on to a real one.
type Front struct {
	upstream string
	answer   func(cmd []string) (reply string, ours bool)
	listener net.Listener

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  sync.WaitGroup
}

// NewFront stands before the Redis at upstream. answer is asked about every command, from several goroutines; its reply
// is in the wire's form (RESP2), such as "-LOADING …\r\n". What it leaves goes upstream; where that is "", the
// answer is OK.
func NewFront(t testing.TB, upstream string, answer func(cmd []string) (reply string, ours bool)) *Front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	f := &Front{upstream: upstream, answer: answer, listener: l, conns: map[net.Conn]struct{}{}}
	f.done.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

// Addr is host:port.
func (f *Front) Addr() string { return f.listener.Addr().String() }

// URL is the address as REELKEEP_REDIS takes it.
func (f *Front) URL() string { return "redis://" + f.Addr() + "/0" }

func (f *Front) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.keep(c)
		f.done.Go(func() {
			defer c.Close()
			_ = f.serve(c)
		})
	}
}

func (f *Front) keep(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = struct{}{}
}

func (f *Front) close() {
	f.listener.Close()
	f.mu.Lock()
	for c := range f.conns {
		c.Close()
	}
	f.mu.Unlock()
	f.done.Wait()
}

// serve answers one connection, a command at a time.
func (f *Front) serve(c net.Conn) error {
	var up net.Conn
	var replies *bufio.Reader
	if f.upstream != "" {
		var err error
		if up, err = net.Dial("tcp", f.upstream); err != nil {
			return err
		}
		defer up.Close()
		f.keep(up)
		replies = bufio.NewReader(up)
	}
	in := bufio.NewReader(c)
	for {
		var raw strings.Builder
		if err := copyValue(&raw, in); err != nil {
			return err
		}
		cmd := words(raw.String())
		reply, ours := f.answer(cmd)
		switch {
		case ours:
		case strings.EqualFold(cmd[0], "hello"):
			reply = "-ERR unknown command 'hello'\r\n" // this front speaks only RESP2
		case up == nil:
			reply = "+OK\r\n"
		default:
			if _, err := io.WriteString(up, raw.String()); err != nil {
				return err
			}
			var b strings.Builder
			if err := copyValue(&b, replies); err != nil {
				return err
			}
			reply = b.String()
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return err
		}
	}
}

// copyValue copies one value of RESP2, arrays with all they hold.
func copyValue(to *strings.Builder, from *bufio.Reader) error {
	line, err := from.ReadString('\n')
	if err != nil {
		return err
	}
	to.WriteString(line)
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$':
		if err != nil || n < 0 {
			return err
		}
		_, err = io.CopyN(to, from, int64(n)+2)
		return err
	case '*':
		for ; err == nil && n > 0; n-- {
			err = copyValue(to, from)
		}
		return err
	case '+', '-', ':':
		return nil
	}
	return errors.New("queuetest: not RESP2: " + line)
}

// words are the strings of a command.
func words(raw string) []string {
	lines := strings.Split(raw, "\r\n")
	var out []string
	for i := 2; i < len(lines); i += 2 {
		out = append(out, lines[i])
	}
	return out
}

// Bulk is a string in the wire's form.
func Bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
