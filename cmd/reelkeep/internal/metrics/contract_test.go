package metrics

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var update = flag.Bool("update", false, "rewrite the golden list of metrics, and the page that explains them")

const (
	goldenFile = "testdata/metrics.txt"
	page       = "../../../../docs/metrics.md"
)

// ours is what /metrics shows of our own families at the start, and of the one that is not there then.
func ours(t *testing.T) string {
	t.Helper()
	m := fresh()
	if _, there := scrape(t, m)["reelkeep_earliest_deadline_timestamp_seconds"]; there {
		t.Error("there is an earliest deadline although nothing waits")
	}
	m.earliest.WithLabelValues().Set(0)
	var out strings.Builder
	lines := bufio.NewScanner(get(t, m, "text/plain").Body)
	for lines.Scan() {
		if name := strings.TrimPrefix(strings.TrimPrefix(lines.Text(), "# HELP "), "# TYPE "); strings.HasPrefix(name, "reelkeep_") {
			out.WriteString(lines.Text() + "\n")
		}
	}
	return out.String()
}

// A change here is a change of the contract: say why in CHANGELOG.md.
func TestGoldenMetrics(t *testing.T) {
	t.Parallel()
	got := ours(t)
	if *update {
		write(t, goldenFile, got)
	}
	if diff := cmp.Diff(read(t, goldenFile), got); diff != "" {
		t.Errorf("%s has changed (go test ./cmd/reelkeep/internal/metrics -update rewrites it):\n%s", goldenFile, diff)
	}
}

func TestEverySeriesStartsAtZero(t *testing.T) {
	t.Parallel()
	for name, v := range scrape(t, fresh()) {
		if v != 0 && !strings.HasPrefix(name, "reelkeep_build_info") {
			t.Errorf("%s starts at %v", name, v)
		}
	}
}

func TestPrometheusHasNothingToSayAgainstTheNames(t *testing.T) {
	t.Parallel()
	m := fresh()
	m.earliest.WithLabelValues().Set(1)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestTheProcessItselfIsShown(t *testing.T) {
	t.Parallel()
	body := get(t, fresh(), "text/plain").Body.String()
	for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes ", "process_cpu_seconds_total "} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("%sis missing", name)
		}
	}
}

// row is what a family looks like on the page, up to the advice.
func row(name, kind, labels, help string) string {
	return fmt.Sprintf("| `%s` | %s | %s | %s |", name, kind, labels, help)
}

// rows makes the rows of all families of the golden list.
func rows(t *testing.T) []string {
	t.Helper()
	help, kind := map[string]string{}, map[string]string{}
	labels := map[string][]string{} // label names, in order
	values := map[string][]string{} // by family and label
	var families []string
	for line := range strings.Lines(read(t, goldenFile)) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, text, _ := strings.Cut(text, " ")
			families, help[name] = append(families, name), text
			continue
		}
		if text, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, text, _ := strings.Cut(text, " ")
			kind[name] = text
			continue
		}
		family := families[len(families)-1]
		_, pairs, _ := strings.Cut(line[:strings.LastIndex(line, " ")], "{")
		for pair := range strings.SplitSeq(strings.TrimSuffix(pairs, "}"), ",") {
			label, value, ok := strings.Cut(pair, "=")
			if !ok || label == "le" {
				continue
			}
			if !slices.Contains(labels[family], label) {
				labels[family] = append(labels[family], label)
			}
			if value = strings.Trim(value, `"`); family == "reelkeep_build_info" {
				value = "…"
			}
			if k := family + " " + label; !slices.Contains(values[k], value) {
				values[k] = append(values[k], value)
			}
		}
	}
	var out []string
	for _, family := range families {
		var cell []string
		for _, label := range labels[family] {
			cell = append(cell, fmt.Sprintf("`%s`: %s", label, strings.Join(values[family+" "+label], ", ")))
		}
		out = append(out, row(family, kind[family], strings.Join(cell, "; "), help[family]))
	}
	return out
}

// The page explains every family, and none that is not there. What it says of names, labels and meaning is the program's own
// text; what to do is written by hand.
func TestThePageExplainsEveryMetric(t *testing.T) {
	t.Parallel()
	text := read(t, page)
	var got []string
	advice := map[string]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `reelkeep_") {
			cut := strings.LastIndex(strings.TrimSuffix(line, " |\n"), " | ") + len(" |")
			got = append(got, line[:cut])
			name, _, _ := strings.Cut(line, " | ")
			advice[name] = strings.TrimSuffix(strings.TrimSpace(line[cut:]), " |")
		}
	}
	want := rows(t)
	if *update {
		write(t, page, withRows(text, want, advice))
		return
	}
	slices.Sort(got) // the page orders them as it reads best
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is out of date (go test ./cmd/reelkeep/internal/metrics -update writes all but the advice):\n%s", page, diff)
	}
	for name, text := range advice {
		if len(text) < 10 || strings.Contains(text, "TODO") {
			t.Errorf("%s says nothing of what to do", name)
		}
	}
}

// withRows replaces the page's rows in place and adds what is new at the end of the first table.
func withRows(text string, rows []string, advice map[string]string) string {
	known := map[string]string{}
	var added strings.Builder
	for _, r := range rows {
		name, _, _ := strings.Cut(r, " | ")
		if said, ok := advice[name]; ok {
			known[name] = r + " " + said + " |\n"
		} else {
			added.WriteString(r + " TODO |\n")
		}
	}
	var out strings.Builder
	inTable := false
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " | ")
		ours := strings.HasPrefix(line, "| `reelkeep_")
		if inTable && !strings.HasPrefix(line, "|") {
			out.WriteString(added.String())
			added.Reset()
		}
		inTable = strings.HasPrefix(line, "|")
		if ours {
			line = known[name]
		}
		out.WriteString(line)
	}
	return out.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.FromSlash(file), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
