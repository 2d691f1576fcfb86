package queue_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue/queuetest"
)

// The program of docs/go.md is built as somebody else's module and run, word for word.
func TestTheGoProgramOfTheDocsRuns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/go.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(page)
	prints := regexp.MustCompile("(?s)The first time it prints\n\n```\n(.*?)```").FindSubmatch(page)
	if program == nil || prints == nil {
		t.Fatal("docs/go.md has no program, or does not say what it prints")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// What go.mod of this module has settled is taken over, so that nothing has to be looked up.
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": string(program[1]), "go.sum": string(sums),
		"go.mod": "module example.com/app\n\ngo 1.26.0\n\nrequire github.com/reelkeep/reelkeep v0.0.0\n\nreplace github.com/reelkeep/reelkeep => " + root + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", "app", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program of docs/go.md: %v\n%s", err, out)
	}
	s := queuetest.Redis(t)
	for _, want := range []string{string(prints[1]), "state: accepted known before: true\norder 17 is accepted settled: false\n"} {
		app := exec.CommandContext(ctx, filepath.Join(dir, "app"))
		app.Env = append(os.Environ(), "REELKEEP_REDIS="+s.URL())
		out, err := app.CombinedOutput()
		if err != nil {
			t.Fatalf("run the program of docs/go.md: %v\n%s", err, out)
		}
		if diff := cmp.Diff(want, string(out)); diff != "" {
			t.Errorf("what it prints (-want +got):\n%s", diff)
		}
	}
}
