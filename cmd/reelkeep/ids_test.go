package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestIDsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		want  []string
	}{
		{"arguments", []string{"a", "b"}, "never read", []string{"a", "b"}},
		{"one a line", []string{"-"}, "a\nb\n", []string{"a", "b"}},
		{"from Windows", []string{"-"}, "\ufeffa\r\nb\r\n", []string{"a", "b"}},
		{"without a last newline", []string{"-"}, "a\nb", []string{"a", "b"}},
		{"blank lines, blanks and remarks", []string{"-"}, "\n  \n# one\n\t# two\n  a  \n#\n", []string{"a"}},
		{"around stdin", []string{"first", "-", "last"}, "a", []string{"first", "a", "last"}},
		{"stdin named twice", []string{"-", "-"}, "a", []string{"a"}},
		{"nothing", []string{"-"}, "", nil},
		{"a remark behind an id is no remark", []string{"-"}, "a # mine", []string{"a # mine"}},
		{"an endless line", []string{"-"}, long + "\nb", []string{long[:longestLine] + "…", "b"}},
		{"an endless last line", []string{"-"}, long, []string{long[:longestLine] + "…"}},
		{"an endless argument", []string{long}, "", []string{long[:longestLine] + "…"}},
		{"no text", []string{"-"}, "\xff\x00\n", []string{"�\x00"}},
	} {
		for how, in := range map[string]io.Reader{"": strings.NewReader(c.stdin), ", byte by byte": iotest.OneByteReader(strings.NewReader(c.stdin))} {
			var got []string
			for id, err := range namedIDs(c.args, in) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, id)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s%s (-want +got):\n%s", c.name, how, diff)
			}
		}
	}
}

func TestIDsThatCanNotBeReadAreAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	var got []string
	var err error
	for ids, berr := range batches(t.Context(), namedIDs([]string{"-"}, io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(broken))), 10) {
		got, err = append(got, ids...), errors.Join(err, berr)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || !errors.Is(err, broken) || !strings.Contains(err.Error(), "stdin") {
		t.Errorf("%v; what came before (-want +got):\n%s", err, diff)
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("a\r\n\r\n# b\n c")
	f.Add("\ufeffa")
	f.Add(strings.Repeat("é", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		for id, err := range namedIDs([]string{"-"}, strings.NewReader(text)) {
			switch {
			case err != nil:
				t.Fatal(err)
			case id == "" || strings.ContainsAny(id, "\n") || strings.TrimSpace(id) != id || id[0] == '#':
				t.Fatalf("%q is not an id to try", id)
			case len(id) > 3*longestLine+len("…") || !utf8.ValidString(id):
				t.Fatalf("an id of %d bytes: %q", len(id), id)
			}
		}
	})
}

// Whoever types ids, or finds them one by one, sees each accepted at once; a list goes out in large batches.
func TestIDsAreHandedOnWithoutWaitingForMore(t *testing.T) {
	t.Parallel()
	in, keyboard := io.Pipe()
	next := make(chan []string)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ids := range batches(ctx, namedIDs([]string{"-"}, in), 1000) {
			next <- ids
		}
	}()
	receive := func() []string {
		t.Helper()
		select {
		case ids := <-next:
			return ids
		case <-time.After(time.Minute):
			t.Fatal("waited in vain for the next batch")
			return nil
		}
	}
	fmt.Fprintln(keyboard, "typed")
	if diff := cmp.Diff([]string{"typed"}, receive()); diff != "" {
		t.Error(diff)
	}
	var list strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&list, "v%d\n", i)
	}
	go func() { _, _ = io.WriteString(keyboard, list.String()) }()
	total := 0
	for total < 2500 {
		ids := receive()
		if len(ids) > 1000 || ids[0] != fmt.Sprintf("v%d", total) {
			t.Fatalf("a batch of %d that begins with %s, want one of v%d", len(ids), ids[0], total)
		}
		total += len(ids)
	}
	cancel() // Ctrl-C while nothing is typed
	<-ended
	_ = keyboard.Close()
}
