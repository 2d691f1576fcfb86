package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// terminal plays back what was written to one of that many rows: enough of a terminal for what a frame does.
type terminal struct {
	lines    []string
	row, col int
	wraps    bool
}

// control is a sequence that moves the cursor or clears something, or a line end.
var control = regexp.MustCompile(`\x1b\[(\??)(\d*(?:;\d*)?)([A-Za-z])|\r?\n|\r`)

func (v *terminal) play(text string) {
	for text != "" {
		at := control.FindStringSubmatchIndex(text)
		if at == nil {
			v.print(text)
			return
		}
		v.print(text[:at[0]])
		if at[6] < 0 { // a line end
			if strings.Contains(text[at[0]:at[1]], "\n") {
				v.row++
			}
			v.col = 0
		} else {
			v.control(text[at[6]:at[7]], text[at[4]:at[5]])
		}
		text = text[at[1]:]
	}
}

// print writes over what is there.
func (v *terminal) print(text string) {
	if text == "" {
		return
	}
	for len(v.lines) <= v.row {
		v.lines = append(v.lines, "")
	}
	old, fresh := []rune(v.lines[v.row]), []rune(text)
	v.lines[v.row] = string(old[:v.col]) + text + string(old[min(len(old), v.col+len(fresh)):])
	v.col += len(fresh)
}

func (v *terminal) control(what, n string) {
	switch what {
	case "A":
		rows, _ := strconv.Atoi(n)
		v.row = max(v.row-rows, 0)
	case "K":
		if v.row < len(v.lines) {
			v.lines[v.row] = string([]rune(v.lines[v.row])[:v.col])
		}
	case "J":
		if n == "2" {
			v.lines = nil
		}
		v.lines = v.lines[:min(len(v.lines), v.row)]
	case "H":
		v.row, v.col = 0, 0
	case "h":
		v.wraps = true
	case "l":
		v.wraps = false
	}
}

func TestTheScreenIsDrawnInPlace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := &terminal{row: 2, lines: []string{"$ before", "$ reelkeep status --watch"}}
	cols, rows := 40, 10
	f := newFrame(newConsole(strings.NewReader(""), &out, &out))
	f.size = func() (int, int) { return cols, rows }
	draw := func(lines ...string) []string {
		t.Helper()
		out.Reset()
		if err := f.draw(lines); err != nil {
			t.Fatal(err)
		}
		v.play(out.String())
		if !v.wraps {
			t.Error("the terminal no longer breaks long lines")
		}
		return v.lines
	}
	before := []string{"$ before", "$ reelkeep status --watch"}
	for _, c := range []struct {
		why         string
		draw, shows []string
	}{
		{"the first", []string{"one", "two", "three"}, []string{"one", "two", "three"}},
		{"a shorter line", []string{"one", "2", "three"}, []string{"one", "2", "three"}},
		{"fewer lines", []string{"one"}, []string{"one"}},
		{"more lines", []string{"one", "two"}, []string{"one", "two"}},
		{"a long line", []string{strings.Repeat("字", 50)}, []string{strings.Repeat("字", 39) + "…"}},
		{"somebody else's words", []string{"a\x1b[2Jb\nc\u202e"}, []string{"a�[2Jb c�"}},
		{"too many lines", strings.Split("1 2 3 4 5 6 7 8 9 10 11", " "), append(strings.Split("1 2 3 4 5 6 7 8", " "), "… and 3 more lines")},
	} {
		if diff := cmp.Diff(append(before, c.shows...), draw(c.draw...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
	}
	cols = 20
	if diff := cmp.Diff([]string{"one", "two"}, draw("one", "two")); diff != "" {
		t.Errorf("a terminal that was made narrower is cleared (-want +got):\n%s", diff)
	}
}
