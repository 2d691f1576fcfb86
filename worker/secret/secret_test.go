package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/worker/secret"
)

const link = "https://files2.example/a%2Fb/c.mp4?Expires=1&Signature=TOPSECRET~__&Key-Pair-Id=K#frag"

func TestNoWayOfPrintingShowsTheSecret(t *testing.T) {
	t.Parallel()
	type holder struct {
		Link secret.String
		Ptr  *secret.String
	}
	for _, raw := range []string{link, "TOPSECRET", "redis://u:TOPSECRET@h/0", "https://u:TOPSECRET@h/p"} {
		s := secret.New(raw)
		h := holder{s, &s}
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			fmt.Fprintf(&out, verb+"\n", s)
			fmt.Fprintf(&out, verb+"\n", h)
		}
		fmt.Fprintln(&out, errors.Join(fmt.Errorf("get %v: refused", s)))
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("x", "link", s, "holder", h)
		}
		if err := json.NewEncoder(&out).Encode(h); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{"TOPSECRET", fmt.Sprintf("%x", "TOPSECRET"), fmt.Sprintf("%X", "TOPSECRET")} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%q shows in:\n%s", form, out.String())
			}
		}
		if s.Reveal() != raw {
			t.Errorf("Reveal() = %q, want it unchanged", s.Reveal())
		}
	}
}

func TestALinkShowsWhereItPoints(t *testing.T) {
	t.Parallel()
	s := secret.New(link)
	if got, want := s.String(), "https://files2.example/a%2Fb/c.mp4"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got := s.Host(); got != "files2.example" {
		t.Errorf("Host() = %q", got)
	}
	if got := s.Path(); got != "/a%2Fb/c.mp4" {
		t.Errorf("Path() = %q", got)
	}
}

func TestScrubRemovesQueriesAndCredentialsFromForeignText(t *testing.T) {
	t.Parallel()
	in := `Get "` + link + `": dial redis://:pw@h:1/0 and https://x/y?z=TOPSECRET, done`
	got := secret.Scrub(in)
	if strings.Contains(got, "TOPSECRET") || strings.Contains(got, "pw@") {
		t.Errorf("Scrub left a secret: %s", got)
	}
	if !strings.Contains(got, "https://files2.example/a%2Fb/c.mp4") || !strings.Contains(got, "h:1/0") {
		t.Errorf("Scrub removed too much: %s", got)
	}
}

func FuzzScrubNeverLeavesAQuery(f *testing.F) {
	f.Add("https://a/b?c=d", "x y")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := secret.Scrub(before + " https://h/p?Signature=TOPSECRET " + after)
		if !strings.Contains(before+after, "TOPSECRET") && strings.Contains(got, "TOPSECRET") {
			t.Errorf("secret left in %q", got)
		}
	})
}
