package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/term"
)

// console is where a command reads and writes. Stdout is data: one line a video. Stderr is talk.
type console struct {
	in          io.Reader
	outTerminal bool
	errTerminal bool
	permalinks  string // REELKEEP_PUBLIC_URL: what the permalinks of reports begin with; "" = they have none

	mu   sync.Mutex
	out  io.Writer
	err  io.Writer
	bars io.Writer // not nil while progress bars own the terminal: then everything must pass through them
}

func newConsole(in io.Reader, out, err io.Writer) *console {
	return &console{in: in, out: out, err: err, outTerminal: isTerminal(out), errTerminal: isTerminal(err)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// sayf writes a line of talk.
func (c *console) sayf(format string, args ...any) {
	fmt.Fprintln(stderrOf{c}, printable(fmt.Sprintf(format, args...)))
}

// dataf writes a line of data.
func (c *console) dataf(format string, args ...any) error {
	_, err := fmt.Fprintln(stdoutOf{c}, printable(fmt.Sprintf(format, args...)))
	return err
}

// dataJSON writes one JSON document on a line.
func (c *console) dataJSON(doc any) error {
	line, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = stdoutOf{c}.Write(append(line, '\n'))
	return err
}

// under routes output through the progress bars while they are on the screen; nil ends that.
func (c *console) under(bars io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bars = bars
}

type stderrOf struct{ *console }

func (s stderrOf) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		return s.bars.Write(p)
	}
	return s.err.Write(p)
}

type stdoutOf struct{ *console }

func (s stdoutOf) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil && s.outTerminal {
		return s.bars.Write(p)
	}
	return s.out.Write(p)
}

// printable replaces what could move a terminal's cursor or reorder its text: titles are other people's words.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return '�'
		}
		return r
	}, text)
}

// oneLine is printable for a cell of a table.
func oneLine(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(printable(text))
}
