package embedded

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadyMessageIsFoundAmongWhatTheGatewayPrints(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	out.WriteString("Using sidecar directory for metadata: /x\n" + strings.Repeat("y", 3*maxLine) + "\n")
	want := ready{Endpoint: "http://127.0.0.1:1"}
	if err := writeReady(&out, want); err != nil {
		t.Fatal(err)
	}
	out.WriteString("last words without a newline")

	var got []ready
	var talk []string
	eachLine(strings.NewReader(out.String()), func(line string) {
		if r, ok := parseReady(line); ok {
			got = append(got, r)
			return
		}
		talk = append(talk, line)
	})
	if diff := cmp.Diff([]ready{want}, got); diff != "" {
		t.Errorf("ready messages (-want +got):\n%s", diff)
	}
	if len(talk) != 3 || len(talk[1]) != maxLine || talk[2] != "last words without a newline" {
		t.Errorf("%d other lines, the second of %d bytes: %.80q", len(talk), len(talk[1]), talk)
	}
}

func TestTailKeepsTheLastWords(t *testing.T) {
	t.Parallel()
	var said tail
	for range 1000 {
		said.add(strings.Repeat("z", 100))
	}
	said.add("out of disk")
	if got := said.String(); !strings.HasSuffix(got, "out of disk") || len(got) > 2*maxLine {
		t.Errorf("%d bytes that end in %q", len(got), got[max(0, len(got)-20):])
	}
}

func FuzzParseReady(f *testing.F) {
	f.Add(readyMark + `{"endpoint":"http://127.0.0.1:1"}`)
	f.Add(readyMark + `{`)
	f.Add("VersityGW")
	f.Fuzz(func(t *testing.T, line string) {
		if r, ok := parseReady(line); ok != strings.HasPrefix(line, readyMark) || (!ok && r != ready{}) {
			t.Errorf("%q: %+v, %v", line, r, ok)
		}
	})
}

func FuzzReadStart(f *testing.F) {
	f.Add(`{"root":"/r","folder":"/f","bucket":"b","access_key":"a","secret_key":"s"}` + "\n")
	f.Add("{}\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readStart(bufio.NewReader(strings.NewReader(text)))
		if err == nil && (s.Root == "" || s.Folder == "" || s.SecretKey == "") {
			t.Errorf("%q was taken for orders", text)
		}
	})
}
