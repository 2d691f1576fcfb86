package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// ruleFile is a file of Prometheus rules.
type (
	ruleFile struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	rule struct {
		Alert, Expr, For    string
		Labels, Annotations map[string]string
	}
)

func readRules(t *testing.T) ruleFile {
	t.Helper()
	var rules ruleFile
	readYAML(t, filepath.Join(chartDir, "rules", "reelkeep.yaml"), &rules)
	return rules
}

// readYAML decodes a file of ours into a type that has to know every field.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestEveryAlertSaysHowBadItIsAndWhatToDo(t *testing.T) {
	t.Parallel()
	n := 0
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			n++
			if !strings.HasPrefix(r.Alert, "Reelkeep") || r.Expr == "" {
				t.Errorf("alert %q: want a name that begins with Reelkeep, and an expression", r.Alert)
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity is %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || len(r.Annotations["description"]) < 60 {
				t.Errorf("%s: does not say what is wrong (summary) and what to do (description)", r.Alert)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d alerts were found", n)
	}
}

// promtool runs the tests; this is about there being one of each kind.
func TestEveryAlertIsTriedFiringAndSilent(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Cases []struct {
				Expr    string `json:"expr"`
				Samples []struct {
					Labels string `json:"labels"`
				} `json:"exp_samples"`
			} `json:"promql_expr_test"`
		} `json:"tests"`
	}
	text, err := os.ReadFile(filepath.Join(chartDir, "rules", "reelkeep_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`alertname="(\w+)"`)
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			for _, s := range c.Samples {
				fires[name.FindStringSubmatch(s.Labels)[1]] = true
			}
			if m := name.FindStringSubmatch(c.Expr); m != nil && len(c.Samples) == 0 {
				silent[m[1]] = true
			}
		}
	}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if !fires[r.Alert] {
				t.Errorf("no test sees %s fire", r.Alert)
			}
			if !silent[r.Alert] {
				t.Errorf("no test sees %s silent", r.Alert)
			}
		}
	}
}

// An alert over a metric that nobody exports, or a label value that never comes, is silent for ever.
func TestAlertsSpeakOfMetricsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("internal", "metrics", "testdata", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	exported := string(text)
	family := regexp.MustCompile(`reelkeep_\w+`)
	matcher := regexp.MustCompile(`(reelkeep_\w+)\{([^}]*)\}`)
	one := regexp.MustCompile(`(\w+)=~?"([^"]*)"`)
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			for _, name := range family.FindAllString(r.Expr, -1) {
				if !strings.Contains(exported, "# TYPE "+name+" ") {
					t.Errorf("%s: nobody exports %s", r.Alert, name)
				}
			}
			for _, m := range matcher.FindAllStringSubmatch(r.Expr, -1) {
				for _, l := range one.FindAllStringSubmatch(m[2], -1) {
					for value := range strings.SplitSeq(l[2], "|") {
						series := regexp.MustCompile(`(?m)^` + m[1] + `\{.*\b` + l[1] + `="` + value + `"`)
						if !series.MatchString(exported) {
							t.Errorf("%s: there is no %s with %s=%q", r.Alert, m[1], l[1], value)
						}
					}
				}
			}
		}
	}
}

// ReelkeepDown is among them: nothing else would tell of a fleet that is gone.
func TestOneAlertWatchesWhetherThereIsAnything(t *testing.T) {
	t.Parallel()
	rules := readRules(t).Groups
	if !slices.ContainsFunc(rules[0].Rules, func(r rule) bool { return strings.HasPrefix(r.Expr, "absent(") }) {
		t.Error("no alert fires when nothing is scraped")
	}
}
