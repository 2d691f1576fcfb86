package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/reelkeep/reelkeep"

// rooms returns every package of this module, by its path in the module, and which other packages of the module it may
// import; "…" stands for everything below a path. A new package needs a line here: think where it belongs first.
func rooms() map[string][]string {
	const anything = "…"
	return map[string][]string{
		// The leaves know no other room. worker/secret is furniture of the bench.
		"queue":                   nil,
		"queue/queuetest":         {"queue"},
		"storage":                 nil,
		"storage/storagetest":     {"storage"},
		"worker/secret":           nil,
		"worker/fetch":            {"worker/secret"},
		"worker/heygen":           {"worker/secret"},
		"worker/heygen/heygensim": {"worker/heygen", "worker/secret"},
		"worker/media":            {"worker/secret"},
		// The bench takes from the shelf and from HeyGen. It never meets the in-tray but in the program.
		"worker": {"storage", "worker/fetch", "worker/heygen", "worker/media", "worker/secret"},
		// Chaos runs the program from outside and looks at what is left.
		"cmd/chaos": {"queue", "queue/queuetest", "storage", "storage/storagetest", "worker/heygen/heygensim"},
		// The program holds everything. Its faces don't know each other: app.go brings them together.
		"cmd/reelkeep":                   {anything},
		"cmd/reelkeep/internal/config":   {"queue", "storage", "worker/…", "worker"},
		"cmd/reelkeep/internal/embedded": {"worker/heygen/heygensim", "worker/secret"},
		"cmd/reelkeep/internal/metrics":  {"queue", "storage", "worker/…", "worker"},
		// The shapes that the commands and the API have in common.
		"cmd/reelkeep/internal/report":      {"queue", "storage", "worker/heygen"},
		"cmd/reelkeep/internal/httpapi":     {"queue", "storage", "worker/heygen", "worker/secret", "cmd/reelkeep/internal/report", "cmd/reelkeep/internal/httpapi/…"},
		"cmd/reelkeep/internal/browsertest": nil,
		"cmd/reelkeep/internal/talk":        nil,
		// Furniture of all doors.
		"cmd/reelkeep/internal/httpapi/auth":      {"worker/secret", "cmd/reelkeep/internal/httpapi/problem", "cmd/reelkeep/internal/httpapi/stall"},
		"cmd/reelkeep/internal/httpapi/problem":   nil,
		"cmd/reelkeep/internal/httpapi/manifests": {"storage"},
		"cmd/reelkeep/internal/httpapi/stall":     nil,
		"cmd/reelkeep/internal/httpapi/live":      {"cmd/reelkeep/internal/httpapi/problem", "cmd/reelkeep/internal/httpapi/stall"},
		"cmd/reelkeep/internal/httpapi/sharelink": {"worker/secret"},
		// The doors.
		"cmd/reelkeep/internal/httpapi/web":       {"queue", "storage", "worker/secret", "cmd/reelkeep/internal/config", "cmd/reelkeep/internal/report", "cmd/reelkeep/internal/httpapi/…"},
		"cmd/reelkeep/internal/httpapi/permalink": {"queue", "storage", "worker/heygen", "cmd/reelkeep/internal/httpapi/…"},
		"cmd/reelkeep/internal/httpapi/dropin":    {"queue", "storage", "worker/heygen", "worker/secret", "cmd/reelkeep/internal/talk", "cmd/reelkeep/internal/httpapi/…"},
		// The measurements look at the program from outside, as its users do: they know nothing of how it works.
		"cmd/bench":                             {"worker/heygen/heygensim"},
		"cmd/reelkeep/internal/notify":          {"queue", "worker/fetch", "worker/secret", "cmd/reelkeep/internal/report"},
		"cmd/reelkeep/internal/httpapi/webhook": {"queue", "worker/heygen", "worker/secret", "cmd/reelkeep/internal/httpapi/auth", "cmd/reelkeep/internal/httpapi/problem", "cmd/reelkeep/internal/httpapi/sharelink", "cmd/reelkeep/internal/httpapi/stall", "cmd/reelkeep/internal/talk"},
	}
}

// testRooms says what tests may import beyond what their package may. A test of a room may stand in for the neighbours
// it has in real life, so long as the room's code doesn't know them.
func testRooms() map[string][]string {
	return map[string][]string{
		"queue":                          {"queue/queuetest"},
		"storage":                        {"storage/storagetest"},
		"worker/heygen":                  {"worker/heygen/heygensim"},
		"worker/fetch":                   {"worker/heygen", "worker/heygen/heygensim"},
		"worker/media":                   {"worker/heygen/heygensim"},
		"worker":                         {"worker/…", "storage/storagetest"},
		"cmd/reelkeep/internal/embedded": {"storage", "storage/storagetest", "queue"},
		"cmd/reelkeep/internal/metrics":  {"queue/queuetest", "storage/storagetest"},
		"cmd/reelkeep/internal/httpapi":  {"…"},
		"cmd/bench":                      {"worker/media"}, // what it has archived must be what it seems
		"cmd/reelkeep/internal/httpapi/permalink": {"storage/storagetest", "worker/secret"},
		"cmd/reelkeep/internal/httpapi/dropin":    {"worker/heygen/heygensim"},
		"cmd/reelkeep/internal/httpapi/web":       {"queue/queuetest", "storage/storagetest", "worker/heygen/heygensim", "cmd/reelkeep/internal/browsertest"},
	}
}

// owners names the only packages that may import a library: everybody else goes through them, so that a library can be
// exchanged in one place. Tests of the owner count as the owner.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/hibiken/asynq":            {"queue"},
		"github.com/redis/go-redis":           {"queue", "queue/queuetest", "cmd/reelkeep/internal/embedded"},
		"github.com/go-redis/redis_rate":      {"queue"},
		"github.com/alicebob/miniredis":       {"queue/queuetest", "cmd/reelkeep/internal/embedded"},
		"github.com/aws":                      {"storage", "storage/storagetest"},
		"github.com/versity/versitygw":        {"cmd/reelkeep/internal/embedded"},
		"github.com/prometheus/client_golang": {"cmd/reelkeep/internal/metrics"},
		"github.com/urfave/cli":               {"cmd/reelkeep"},
		"github.com/vbauerster/mpb":           {"cmd/reelkeep"},
		"github.com/danielgtaylor/huma":       {"cmd/reelkeep/internal/httpapi"},
		"github.com/standard-webhooks":        {"cmd/reelkeep/internal/notify"},
		"code.dny.dev/ssrf":                   {"worker/fetch"},
		"golang.org/x/time":                   {"queue", "worker/fetch"},
		"github.com/Eyevinn/mp4ff":            {"worker/media", "worker/heygen/heygensim"},
		"github.com/gabriel-vasile/mimetype":  {"worker/media"},
		"golang.org/x/crypto/x509roots":       {"cmd/reelkeep"},
		"github.com/chromedp":                 {"cmd/reelkeep/internal/browsertest"},
		"k8s.io":                              nil,
		"sigs.k8s.io":                         nil,
	}
}

// testOwners adds to owners for tests alone.
func testOwners() map[string][]string {
	return map[string][]string{
		"github.com/alicebob/miniredis": {"queue"},
		"github.com/chromedp":           {"cmd/reelkeep", "cmd/reelkeep/internal/httpapi/web"}, // its actions
		"k8s.io":                        {"cmd/reelkeep"},                                      // what the chart makes is decoded into its types
		"sigs.k8s.io":                   {"cmd/reelkeep"},
	}
}

// testOnly is what must never be compiled into the program. heygensim isn't here: the demo runs on it.
func testOnly() []string {
	return []string{
		"testing", "net/http/httptest", "github.com/google/go-cmp", "go.uber.org/goleak", "pgregory.net/rapid",
		"github.com/rogpeppe/go-internal", "github.com/Shopify/toxiproxy", "github.com/chromedp", "k8s.io", "sigs.k8s.io",
		module + "/storage/storagetest", module + "/queue/queuetest",
		module + "/cmd/reelkeep/internal/browsertest",
	}
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Imports,TestImports,XTestImports"}, args...)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// covers says whether one of patterns is path: word for word, as a whole leading path ("a" covers "a/b" only with
// below), or by "…".
func covers(patterns []string, path string, below bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "…"); ok {
			return strings.HasPrefix(path, prefix)
		}
		return p == path || (below && strings.HasPrefix(path, p+"/"))
	})
}

func TestEveryPackageHasItsPlaceInTheHouse(t *testing.T) {
	t.Parallel()
	known := rooms()
	for _, p := range goList(t, module+"/...") {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		if _, ok := known[room]; !ok {
			t.Errorf("package %s is not in rooms(): top-level packages are not added, and a new one below says what it may import", room)
		}
	}
}

func TestArrowsPointTheRightWay(t *testing.T) {
	t.Parallel()
	code, tests := rooms(), testRooms()
	for _, p := range goList(t, module+"/...") {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		check := func(imports, allowed []string, who string) {
			for _, path := range imports {
				other, ours := strings.CutPrefix(path, module+"/")
				if ours && other != room && !covers(allowed, other, false) {
					t.Errorf("%s of %s import %s: that arrow is not in the plan of the house", who, room, other)
				}
			}
		}
		check(p.Imports, code[room], "the files")
		check(slices.Concat(p.TestImports, p.XTestImports), slices.Concat(code[room], tests[room]), "the tests")
	}
}

func TestEveryLibraryHasOneOwner(t *testing.T) {
	t.Parallel()
	tests := testOwners()
	for _, p := range goList(t, module+"/...") {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		for library, allowed := range owners() {
			check := func(imports, allowed []string, who string) {
				for _, path := range imports {
					if covers([]string{library}, path, true) && !slices.Contains(allowed, room) {
						t.Errorf("%s of %s import %s: only %s may", who, room, path, strings.Join(allowed, ", "))
					}
				}
			}
			check(p.Imports, allowed, "the files")
			check(slices.Concat(p.TestImports, p.XTestImports), slices.Concat(allowed, tests[library]), "the tests")
		}
	}
}

func TestNoTestCodeInTheProgram(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "-deps", module+"/cmd/reelkeep") {
		if covers(testOnly(), p.ImportPath, true) {
			t.Errorf("%s is compiled into reelkeep", p.ImportPath)
		}
	}
}
