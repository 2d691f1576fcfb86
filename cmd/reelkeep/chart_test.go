package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
)

func TestGoldenChart(t *testing.T) {
	t.Parallel()
	golden(t, "chart.yaml", template(t, "minimal-values.yaml"))
}

func TestChartKeepsItsPromisesWithEveryValues(t *testing.T) {
	t.Parallel()
	for _, values := range fixtures(t) {
		t.Run(values, func(t *testing.T) {
			t.Parallel()
			r := decode(t, template(t, values))
			if len(r.deployments) == 0 || r.deployments[0].Spec.Template.Spec.Containers == nil {
				t.Fatal("there is no deployment")
			}
			for _, d := range r.deployments {
				podIsConfined(t, d.Spec.Template.Spec)
				podIsWatched(t, d.Spec.Template.Spec)
				secretsAreReferences(t, d.Spec.Template.Spec)
				programTakesItsSettings(t, d.Spec.Template.Spec)
			}
			for _, a := range r.serviceAccounts {
				if a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
					t.Errorf("service account %s hands out a token", a.Name)
				}
			}
			selectorsFindTheirPods(t, r)
		})
	}
}

// podIsConfined: not root, nothing to write to, no privilege, no token of Kubernetes.
func podIsConfined(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	type promise struct {
		NonRoot, ReadOnly, Escalates, Token, ServiceLinks *bool
		User, Group                                       *int64
		Seccomp                                           *corev1.SeccompProfile
		Drop, Add                                         []corev1.Capability
		HostNetwork, HostPID, HostIPC                     bool
		Privileged                                        *bool
	}
	yes, no, user := true, false, int64(65532)
	want := promise{NonRoot: &yes, ReadOnly: &yes, Escalates: &no, Token: &no, ServiceLinks: &no, User: &user, Group: &user,
		Seccomp: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}, Drop: []corev1.Capability{"ALL"}}
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 || pod.SecurityContext == nil || pod.Containers[0].SecurityContext == nil {
		t.Fatalf("want one container and security contexts, got %+v", pod)
	}
	c := pod.Containers[0].SecurityContext
	got := promise{NonRoot: pod.SecurityContext.RunAsNonRoot, ReadOnly: c.ReadOnlyRootFilesystem, Escalates: c.AllowPrivilegeEscalation,
		Token: pod.AutomountServiceAccountToken, ServiceLinks: pod.EnableServiceLinks, User: pod.SecurityContext.RunAsUser, Group: pod.SecurityContext.RunAsGroup,
		Seccomp: pod.SecurityContext.SeccompProfile, Drop: c.Capabilities.Drop, Add: c.Capabilities.Add,
		HostNetwork: pod.HostNetwork, HostPID: pod.HostPID, HostIPC: pod.HostIPC, Privileged: c.Privileged}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pod of %s is not confined as promised:\n%s", pod.Containers[0].Name, diff)
	}
}

// podIsWatched: alive and ready are two questions, a drain has time, and memory is bounded with room beside the buffers.
func podIsWatched(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	c := pod.Containers[0]
	for probe, want := range map[*corev1.Probe]string{c.StartupProbe: "/livez", c.LivenessProbe: "/livez", c.ReadinessProbe: "/readyz"} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want || probe.HTTPGet.Port.StrVal != "ops" {
			t.Errorf("%s: a probe of %s is missing or wrong: %v", c.Name, want, probe)
		}
	}
	ports := map[string]int32{"ops": 9464}
	if c.Name == "api" {
		ports["http"] = 8080
	}
	for _, p := range c.Ports {
		if ports[p.Name] != p.ContainerPort {
			t.Errorf("%s: there is a port %s %d", c.Name, p.Name, p.ContainerPort)
		}
		delete(ports, p.Name)
	}
	if len(ports) > 0 {
		t.Errorf("%s: the ports %v are missing", c.Name, ports)
	}
	if grace := pod.TerminationGracePeriodSeconds; grace == nil || *grace < 15 {
		t.Errorf("%s: the drain takes up to 10 s, the grace period is %v", c.Name, grace)
	}
	const beside = 128 << 20 // what a process needs beside its buffers, with some to spare
	limit := c.Resources.Limits.Memory().Value()
	buffers, err := config.ParseBytes(plainEnv(c)["REELKEEP_MEMORY"])
	if err != nil {
		t.Fatal(err)
	}
	if c.Name == "worker" { // the others have no buffers
		limit -= buffers
	}
	if limit < beside {
		t.Errorf("%s: the memory limit leaves %d bytes beside REELKEEP_MEMORY, want %d", c.Name, limit, beside)
	}
}

func plainEnv(c corev1.Container) map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	return env
}

// secretsAreReferences: no value of a secret setting is in the pod's description.
func secretsAreReferences(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	secrets := []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	for _, s := range config.Settings() {
		if s.Secret {
			secrets = append(secrets, s.Env)
		}
	}
	seen := map[string]bool{}
	for _, e := range pod.Containers[0].Env {
		if seen[e.Name] {
			t.Errorf("%s is set twice", e.Name)
		}
		seen[e.Name] = true
		secret := slices.Contains(secrets, e.Name)
		if secret && (e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil || e.ValueFrom.SecretKeyRef.Name == "" || e.ValueFrom.SecretKeyRef.Key == "") {
			t.Errorf("%s is a secret and has to come from one: %+v", e.Name, e)
		}
		if !secret && (e.Value == "" || e.ValueFrom != nil) {
			t.Errorf("%s is no secret and has to be readable: %+v", e.Name, e)
		}
	}
	// Nobody holds a secret that is another role's.
	for _, env := range []string{"REELKEEP_API_TOKENS", "REELKEEP_LINK_SECRETS", "REELKEEP_WEBHOOK_SECRETS", "REELKEEP_WEBHOOK_TOKEN"} {
		if seen[env] && pod.Containers[0].Name != "api" {
			t.Errorf("%s is given to %s", env, pod.Containers[0].Name)
		}
	}
	if pod.Containers[0].Name == "api" && !seen["REELKEEP_API_TOKENS"] {
		t.Error("an API that is open to others has no token")
	}
	if !seen["REELKEEP_REDIS"] || !seen["REELKEEP_STORE"] || (!seen["HEYGEN_API_KEY"] && !seen["REELKEEP_ACCOUNTS_FILE"]) {
		t.Errorf("a setting that serve needs is missing: %v", slices.Sorted(maps.Keys(seen)))
	}
}

// programTakesItsSettings: what the pod is given is what the program reads, with values that it accepts.
func programTakesItsSettings(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	c := pod.Containers[0]
	if want := []string{"serve", "--roles", c.Name}; !slices.Equal(c.Args, want) || len(c.Command) != 0 {
		t.Errorf("the container runs %q %q, want the image's program with %q", c.Command, c.Args, want)
	}
	env := plainEnv(c)
	if file := env["REELKEEP_ACCOUNTS_FILE"]; file != "" {
		mounted := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == filepath.Dir(file) && m.ReadOnly })
		inSecret := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
			return v.Name == "accounts" && v.Secret != nil && *v.Secret.DefaultMode == 0o440
		})
		if !mounted || !inSecret {
			t.Errorf("the accounts file %s is not mounted from a Secret: %v %v", file, c.VolumeMounts, pod.Volumes)
		}
		env["REELKEEP_ACCOUNTS_FILE"] = filepath.Join(t.TempDir(), "accounts.json")
		if err := os.WriteFile(env["REELKEEP_ACCOUNTS_FILE"], []byte(`[{"name":"second","api_key":"k"}]`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]bool{}
	_, err := config.Load(func(s config.Setting) (string, bool) {
		value, ok := env[s.Env]
		known[s.Env] = true
		return value, ok
	})
	if err != nil {
		t.Errorf("%s: the program refuses these settings: %v", c.Name, err)
	}
	for name := range env {
		if !known[name] && !strings.HasPrefix(name, "AWS_") {
			t.Errorf("%s: the program knows no setting %s", c.Name, name)
		}
	}
}

// selectorsFindTheirPods: a typo in a label would leave a budget or a monitor with nothing to look at.
func selectorsFindTheirPods(t *testing.T, r release) {
	t.Helper()
	finds := func(what string, s *metav1.LabelSelector, have map[string]string, want bool) {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || selector.Empty() || selector.Matches(labels.Set(have)) != want {
			t.Errorf("%s: its selector %s finds %v: want %v (%v)", what, selector, have, want, err)
		}
	}
	for _, d := range r.deployments {
		pod := d.Spec.Template
		finds(d.Name, d.Spec.Selector, pod.Labels, true)
		for _, other := range r.deployments {
			finds(d.Name, d.Spec.Selector, other.Spec.Template.Labels, other.Name == d.Name)
		}
		for _, b := range r.budgets {
			finds(b.Name, b.Spec.Selector, pod.Labels, strings.HasSuffix(b.Name, "-"+pod.Spec.Containers[0].Name))
		}
		for _, m := range r.podMonitors {
			finds(m.Metadata.Name, &m.Spec.Selector, pod.Labels, true)
		}
		for _, s := range r.services {
			door := strings.HasSuffix(s.Name, "-api")
			finds(s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, pod.Labels, !door || pod.Spec.Containers[0].Name == "api")
			if door {
				continue
			}
			if !s.Spec.PublishNotReadyAddresses || s.Spec.Ports[0].TargetPort.StrVal != "ops" {
				t.Errorf("service %s: metrics of pods that are not ready are out of reach: %+v", s.Name, s.Spec)
			}
		}
		for i, c := range pod.Spec.TopologySpreadConstraints {
			if c.LabelSelector.MatchLabels["team"] == "" { // which is full-values' own
				finds("spread of "+d.Name, pod.Spec.TopologySpreadConstraints[i].LabelSelector, pod.Labels, true)
			}
		}
	}
	for _, m := range r.serviceMonitors {
		for _, s := range r.services {
			finds(m.Metadata.Name, &m.Spec.Selector, s.Labels, true)
		}
	}
}

func TestChartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  []string
		want []string
	}{
		"nothing set":           {[]string{"store=", "redis.existingSecret=", "heygen.existingSecret="}, []string{"store: set it to s3://", "redis.existingSecret: name a Secret", "heygen.existingSecret: name a Secret"}},
		"a folder":              {[]string{"store=./archive"}, []string{"store: want s3://bucket/prefix", "can't be shared"}},
		"an open API":           {[]string{"api.enabled=true"}, []string{"api.tokens.existingSecret: name a Secret"}},
		"a token as value":      {[]string{"api.enabled=true", "api.tokens.value=t"}, []string{"'value' not allowed"}},
		"an ingress to nowhere": {[]string{"api.ingress.enabled=true"}, []string{"api.ingress.enabled: there is nothing behind it", "api.ingress.hosts"}},
		"both monitors":         {[]string{"serviceMonitor.enabled=true", "podMonitor.enabled=true"}, []string{"choose one"}},
		"a secret as value":     {[]string{"redis.url=redis://:pw@host"}, []string{"/redis", "'url' not allowed"}},
		"a secret in config":    {[]string{"config.HEYGEN_API_KEY=k"}, []string{"/config", "'HEYGEN_API_KEY' not allowed"}},
		"S3's secret":           {[]string{"config.AWS_SECRET_ACCESS_KEY=k"}, []string{"'AWS_SECRET_ACCESS_KEY' not allowed"}},
		"an unknown setting":    {[]string{"config.REELKEEP_CONCURENCY=4"}, []string{"'REELKEEP_CONCURENCY' not allowed"}},
		"an unknown value":      {[]string{"workers.replicas=4"}, []string{"'workers' not allowed"}},
		"too short a grace":     {[]string{"worker.terminationGracePeriodSeconds=10"}, []string{"/worker/terminationGracePeriodSeconds", "minimum"}},
		"a bad size":            {[]string{"config.REELKEEP_MEMORY=lots"}, []string{"/config/REELKEEP_MEMORY"}},
		"a bad duration":        {[]string{"config.REELKEEP_SWEEP_EVERY=1 hour"}, []string{"/config/REELKEEP_SWEEP_EVERY"}},
		"a bad level":           {[]string{"config.REELKEEP_LOG_LEVEL=loud"}, []string{"must be one of"}},
		"a budget of none":      {[]string{"worker.podDisruptionBudget.maxUnavailable=0"}, []string{"maxUnavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"template", "video", chartDir, "--values", filepath.Join(chartDir, "ci", "minimal-values.yaml")}
			for _, s := range c.set {
				args = append(args, "--set", s)
			}
			out, talk, err := helm(t, args...)
			if err == nil {
				t.Fatalf("the chart takes %v:\n%s", c.set, out)
			}
			for _, want := range c.want {
				if !strings.Contains(talk, want) {
					t.Errorf("the complaint lacks %q:\n%s", want, talk)
				}
			}
		})
	}
}

// A setting that the program learns can be set in the chart, and ci/full-values.yaml tries it.
func TestChartKnowsEverySetting(t *testing.T) {
	t.Parallel()
	want := []string{"AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3", "AWS_REGION"}
	for _, s := range config.Settings() {
		if own := []string{"REELKEEP_STORE", "REELKEEP_ACCOUNTS_FILE", "REELKEEP_LISTEN", "REELKEEP_OPS_LISTEN"}; !s.Secret && !slices.Contains(own, s.Env) {
			want = append(want, s.Env)
		}
	}
	slices.Sort(want)
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Config struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"config"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(schema.Properties.Config.Properties))); diff != "" {
		t.Errorf("config in values.schema.json and the program's settings differ:\n%s", diff)
	}
	env := plainEnv(decode(t, template(t, "full-values.yaml")).deployments[0].Spec.Template.Spec.Containers[0])
	for _, name := range want {
		if _, ok := env[name]; !ok && !strings.HasPrefix(name, "AWS_") {
			t.Errorf("ci/full-values.yaml does not set %s", name)
		}
	}
}

func TestChartsAlertsAreTheRuleFilesButForThoseSwitchedOff(t *testing.T) {
	t.Parallel()
	for values, off := range map[string][]string{
		"full-values.yaml":     {"ReelkeepHeyGenLimits"},
		"accounts-values.yaml": {"ReelkeepSweepStale", "ReelkeepNoSweep"}, // it has no sweeper
	} {
		want := readRules(t)
		for i := range want.Groups {
			want.Groups[i].Rules = slices.DeleteFunc(want.Groups[i].Rules, func(r rule) bool { return slices.Contains(off, r.Alert) })
		}
		got := decode(t, template(t, values)).rules
		if len(got) != 1 {
			t.Fatalf("%s: %d PrometheusRules", values, len(got))
		}
		if diff := cmp.Diff(want, got[0].Spec); diff != "" {
			t.Errorf("%s:\n%s", values, diff)
		}
	}
	if rules := decode(t, template(t, "minimal-values.yaml")).rules; len(rules) != 0 {
		t.Error("a cluster without the operator is given a PrometheusRule")
	}
}

func TestChartsIngressLeadsToTheAPI(t *testing.T) {
	t.Parallel()
	if r := decode(t, template(t, "minimal-values.yaml")); len(r.ingresses) != 0 || len(r.services) != 1 || len(r.deployments) != 2 {
		t.Error("nobody asked for an API, and there is one")
	}
	r := decode(t, template(t, "full-values.yaml"))
	if len(r.ingresses) != 1 || len(r.ingresses[0].Spec.Rules) != 2 {
		t.Fatalf("%d ingresses", len(r.ingresses))
	}
	var door *corev1.Service
	for i, s := range r.services {
		if strings.HasSuffix(s.Name, "-api") {
			door = &r.services[i]
		}
	}
	if door == nil || door.Spec.Ports[0].Name != "http" || door.Spec.Ports[0].TargetPort.StrVal != "http" || door.Spec.PublishNotReadyAddresses {
		t.Fatalf("the service of the API: %+v", door)
	}
	paths := 0
	for _, rule := range r.ingresses[0].Spec.Rules {
		for _, p := range rule.HTTP.Paths {
			paths++
			if to := p.Backend.Service; to.Name != door.Name || to.Port.Name != "http" {
				t.Errorf("%s%s leads to %+v", rule.Host, p.Path, to)
			}
		}
	}
	if paths != 3 {
		t.Errorf("%d paths", paths)
	}
}
