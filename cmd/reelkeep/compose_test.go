package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
)

// composeFile is what we use of the form; another field is a typo until it is added here.
type (
	composeFile struct {
		Name     string
		Services map[string]composeService
		Volumes  map[string]any
	}
	composeService struct {
		Image, Build    string
		Entrypoint      []string
		Command         []string
		Environment     map[string]string
		Ports, Volumes  []string
		DependsOn       map[string]struct{ Condition string } `json:"depends_on"`
		Healthcheck     *composeCheck
		StopGracePeriod string `json:"stop_grace_period"`
		Restart         string
		ReadOnly        bool     `json:"read_only"`
		CapDrop         []string `json:"cap_drop"`
		SecurityOpt     []string `json:"security_opt"`
		MemLimit        string   `json:"mem_limit"`
	}
	composeCheck struct {
		Test              []string
		Interval, Timeout string
		StartPeriod       string `json:"start_period"`
	}
)

func readCompose(t *testing.T) composeFile {
	t.Helper()
	var c composeFile
	readYAML(t, "../../compose.yaml", &c)
	return c
}

func TestComposePublishesOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	published := 0
	for name, s := range readCompose(t).Services {
		for _, port := range s.Ports {
			published++
			if !strings.HasPrefix(port, "127.0.0.1:") || strings.Count(port, ":") != 2 {
				t.Errorf("%s publishes %s: want 127.0.0.1:PORT:PORT", name, port)
			}
		}
		if name == "redis" && len(s.Ports) > 0 {
			t.Error("redis has no password and must not be published")
		}
	}
	if published == 0 {
		t.Error("nothing is published")
	}
}

func TestComposeRunsEverythingAFleetNeeds(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || (tag == "latest") == (s.Build == "") {
			t.Errorf("%s: image %q: others' images are pinned, ours is built here", name, s.Image)
		}
		if name != "bucket" && (s.Healthcheck == nil || len(s.Healthcheck.Test) < 2 || s.Restart != "unless-stopped") {
			t.Errorf("%s: no health check, or not restarted", name)
		}
		for on, d := range s.DependsOn {
			other, ok := c.Services[on]
			if !ok || (d.Condition == "service_healthy") != (other.Healthcheck != nil) {
				t.Errorf("%s waits for %s to be %s, which it never is", name, on, d.Condition)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", source)); err != nil || !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s mounts %s, which is not there or can be written to (%v)", name, v, err)
			}
		}
	}
	redis := strings.Join(c.Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "--maxmemory "} {
		if !strings.Contains(redis, want) {
			t.Errorf("redis runs %q, without %s", redis, want)
		}
	}
	if !slices.Contains(c.Services["redis"].Volumes, "redis:/data") || !slices.Contains(c.Services["minio"].Volumes, "minio:/data") {
		t.Error("Redis or MinIO forgets when it is made anew")
	}
	if bucket := c.Services["bucket"]; !strings.Contains(strings.Join(bucket.Command, ""), "mb --ignore-existing store/"+bucketOf(c)) {
		t.Errorf("nobody makes the bucket %s: %q", bucketOf(c), bucket.Command)
	}
}

func bucketOf(c composeFile) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(c.Services["reelkeep"].Environment["REELKEEP_STORE"], "s3://"), "/")
	return bucket
}

func TestComposesReelkeepIsConfinedAndHasTimeToDrain(t *testing.T) {
	t.Parallel()
	s := readCompose(t).Services["reelkeep"]
	if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace < 15*time.Second {
		t.Errorf("stop_grace_period is %q, the drain takes up to 10 s", s.StopGracePeriod)
	}
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Errorf("the container is not confined: %+v", s)
	}
	if !slices.Equal(s.Command, []string{"serve", "--roles", "worker,sweeper"}) || !slices.Equal(s.Healthcheck.Test, []string{"CMD", "/reelkeep", "health"}) {
		t.Errorf("it runs %q and is asked by %q", s.Command, s.Healthcheck.Test)
	}
	for _, on := range []string{"redis", "bucket"} {
		if _, ok := s.DependsOn[on]; !ok {
			t.Errorf("it does not wait for %s", on)
		}
	}
}

// No secret is in the file, a missing one is asked for in words, and the program takes the rest.
func TestComposeTakesSecretsFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		for variable, value := range s.Environment {
			secret := strings.Contains(variable, "KEY") || strings.Contains(variable, "PASSWORD") || strings.Contains(variable, "SECRET")
			if secret && variable != "AWS_ACCESS_KEY_ID" && (!strings.HasPrefix(value, "${") || !strings.Contains(value, ":?") || !strings.Contains(value, ".env")) {
				t.Errorf("%s: %s is %q: want ${…:?what to put into .env}", name, variable, value)
			}
		}
	}
	for _, name := range []string{"reelkeep", "api"} {
		env := c.Services[name].Environment
		cfg, err := config.Load(func(s config.Setting) (string, bool) {
			value, ok := env[s.Env]
			if strings.HasPrefix(value, "${") && strings.Contains(value, ":?") {
				value = "what-somebody-has-put-into-.env-as-" + s.Env
			}
			if _, standard, found := strings.Cut(value, ":-"); found {
				value = strings.TrimSuffix(standard, "}")
			}
			return value, ok
		})
		if err == nil {
			err = cfg.Need("HEYGEN_API_KEY", "REELKEEP_REDIS", "REELKEEP_STORE")
		}
		if err != nil {
			t.Errorf("%s: the program refuses these settings: %v", name, err)
		}
	}
}

// The API is a process of its own: a published port can't be shared by the workers that --scale makes.
func TestComposesAPIIsPublishedAndHasAToken(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	worker, api := c.Services["reelkeep"], c.Services["api"]
	if !slices.Equal(api.Command, []string{"serve", "--roles", "api"}) || !slices.Equal(api.Ports, []string{"127.0.0.1:8080:8080"}) || len(worker.Ports) > 0 {
		t.Errorf("api runs %q and publishes %q, reelkeep %q", api.Command, api.Ports, worker.Ports)
	}
	if api.Environment["REELKEEP_LISTEN"] != ":8080" || !strings.Contains(api.Environment["REELKEEP_API_TOKENS"], ":?") || worker.Environment["REELKEEP_API_TOKENS"] != "" {
		t.Errorf("the API's settings: %v", api.Environment)
	}
	if !api.ReadOnly || !slices.Equal(api.CapDrop, []string{"ALL"}) || api.Environment["REELKEEP_STORE"] != worker.Environment["REELKEEP_STORE"] {
		t.Errorf("the API is not confined, or looks elsewhere: %+v", api)
	}
}

func TestPrometheusOfComposeScrapesTheFleetAndLoadsTheAlerts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			DNS []struct {
				Names []string
				Type  string
				Port  int
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.ScrapeConfigs) != 1 || len(p.ScrapeConfigs[0].DNS) != 1 {
		t.Fatalf("want one job that finds its targets by name, got %+v", p)
	}
	c := readCompose(t)
	dns := p.ScrapeConfigs[0].DNS[0]
	if dns.Port != 9464 || dns.Type != "A" || len(dns.Names) != 2 || c.Services[dns.Names[0]].Build == "" || c.Services[dns.Names[1]].Build == "" {
		t.Errorf("it scrapes %+v, which is not where reelkeep shows its metrics", dns)
	}
	mounted := slices.ContainsFunc(c.Services["prometheus"].Volumes, func(v string) bool {
		_, inside, _ := strings.Cut(v, ":")
		inside, _, _ = strings.Cut(inside, ":")
		match, err := filepath.Match("/etc/prometheus/"+p.RuleFiles[0], inside)
		return err == nil && match && strings.HasPrefix(v, "./charts/reelkeep/rules/reelkeep.yaml:")
	})
	if len(p.RuleFiles) != 1 || !mounted {
		t.Errorf("no rule file of %v is mounted: %v", p.RuleFiles, c.Services["prometheus"].Volumes)
	}
}
