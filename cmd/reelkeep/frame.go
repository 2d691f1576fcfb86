package main

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// frame is a part of a terminal that is drawn again and again in the same place.
type frame struct {
	con  *console
	size func() (cols, rows int)

	drawn      int // lines on the screen
	cols, rows int // when they were drawn
}

func newFrame(con *console) *frame {
	return &frame{con: con, size: func() (int, int) {
		f, ok := con.out.(*os.File)
		if !ok {
			return 80, 24
		}
		cols, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || cols <= 0 || rows <= 0 {
			return 80, 24
		}
		return cols, rows
	}}
}

const (
	up        = "\x1b[%dA"
	clearLine = "\x1b[K" // what is right of the cursor
	clearDown = "\x1b[J"
	clearAll  = "\x1b[2J\x1b[H"
	wrapOff   = "\x1b[?7l"
	wrapOn    = "\x1b[?7h"
)

// draw replaces what was drawn before. It goes out in one piece, so that a terminal never shows half of it, and leaves
// the terminal as it should be: a process that is killed between two drawings leaves no mess.
func (f *frame) draw(lines []string) error {
	cols, rows := f.size()
	var b strings.Builder
	// The terminal cuts what is too wide: how wide a text is, it knows best.
	b.WriteString(wrapOff)
	switch {
	case f.drawn > 0 && (cols != f.cols || rows != f.rows):
		b.WriteString(clearAll) // the terminal has moved the lines about
	case f.drawn > 0:
		fmt.Fprintf(&b, up+"\r", f.drawn)
	}
	// The last row stays free for the cursor; a frame that scrolls can't be drawn over.
	if room := max(rows-1, 1); len(lines) > room {
		hidden := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], fmt.Sprintf("… and %d more lines", hidden))
	}
	for _, line := range lines {
		b.WriteString(clip(oneLine(line), cols) + clearLine + "\n")
	}
	b.WriteString(clearDown + wrapOn)
	f.drawn, f.cols, f.rows = len(lines), cols, rows
	_, err := stdoutOf{f.con}.Write([]byte(b.String()))
	return err
}

// clip cuts a text to n characters.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:max(n-1, 0)]) + "…"
}
