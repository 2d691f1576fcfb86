package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../../charts/reelkeep"

// tool finds a program that the tests need where .ci/tools puts it, else in PATH.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("REELKEEP_TEST_BIN")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache", "reelkeep-test", "bin")
	}
	if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not there (looked in $REELKEEP_TEST_BIN, ~/.cache/reelkeep-test/bin and PATH): run make test, which installs it", name)
	}
	return path
}

// helm runs it with no configuration but our own.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "helm"), args...)
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home, "PATH=" + os.Getenv("PATH")}
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err = cmd.Run()
	return out.String(), talk.String(), err
}

func template(t *testing.T, values string, more ...string) string {
	t.Helper()
	out, talk, err := helm(t, append([]string{"template", "video", chartDir, "--namespace", "media", "--values", filepath.Join(chartDir, "ci", values)}, more...)...)
	if err != nil {
		t.Fatalf("helm template with %s: %v\n%s", values, err, talk)
	}
	return out
}

// release is everything that a chart makes, decoded without tolerance for a field that Kubernetes does not know.
type release struct {
	deployments     []appsv1.Deployment
	services        []corev1.Service
	serviceAccounts []corev1.ServiceAccount
	ingresses       []networkingv1.Ingress
	budgets         []policyv1.PodDisruptionBudget
	serviceMonitors []serviceMonitor
	podMonitors     []podMonitor
	rules           []prometheusRule
}

// What we use of the Prometheus operator's types.
type (
	endpoint struct {
		Port, Path string
		Interval   string
	}
	serviceMonitor struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta
		Spec            struct {
			Selector  metav1.LabelSelector
			Endpoints []endpoint
		}
	}
	podMonitor struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta
		Spec            struct {
			Selector            metav1.LabelSelector
			PodMetricsEndpoints []endpoint
		}
	}
	prometheusRule struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta
		Spec            ruleFile
	}
)

func decode(t *testing.T, rendered string) release {
	t.Helper()
	var r release
	for doc := range strings.SplitSeq(rendered, "\n---\n") {
		var head metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		var err error
		switch head.APIVersion + " " + head.Kind {
		case "apps/v1 Deployment":
			r.deployments, err = add(r.deployments, doc)
		case "v1 Service":
			r.services, err = add(r.services, doc)
		case "v1 ServiceAccount":
			r.serviceAccounts, err = add(r.serviceAccounts, doc)
		case "networking.k8s.io/v1 Ingress":
			r.ingresses, err = add(r.ingresses, doc)
		case "policy/v1 PodDisruptionBudget":
			r.budgets, err = add(r.budgets, doc)
		case "monitoring.coreos.com/v1 ServiceMonitor":
			r.serviceMonitors, err = add(r.serviceMonitors, doc)
		case "monitoring.coreos.com/v1 PodMonitor":
			r.podMonitors, err = add(r.podMonitors, doc)
		case "monitoring.coreos.com/v1 PrometheusRule":
			r.rules, err = add(r.rules, doc)
		default:
			t.Errorf("the chart makes a %s %s, which no test knows", head.APIVersion, head.Kind)
		}
		if err != nil {
			t.Errorf("%s: %v in\n%s", head.Kind, err, doc)
		}
	}
	return r
}

func add[T any](to []T, doc string) ([]T, error) {
	var v T
	err := yaml.UnmarshalStrict([]byte(doc), &v)
	return append(to, v), err
}

// fixtures are the values that the chart is tried with.
func fixtures(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("found %d files of values: %v", len(files), err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	return files
}
