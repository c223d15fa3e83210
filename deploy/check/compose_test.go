package check

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// load reads a compose file as docker compose does.
func load(file string, env map[string]string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join("../compose", file)}, cli.WithName("check"))
	if err != nil {
		return nil, err
	}
	options.Environment = types.Mapping(env)
	return options.LoadProject(context.Background())
}

// required is what env.example asks for, and has no value for, each with a
// value of its own.
func required(t *testing.T) map[string]string {
	t.Helper()
	env, err := dotenv.UnmarshalWithLookup(contents(t, "deploy/compose/env.example"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		if value != "" {
			t.Errorf("env.example has %q for %s", value, name)
		}
		env[name] = "1.0.0-" + strings.ToLower(name)
	}
	if len(env) < 10 {
		t.Fatalf("env.example asks for %v only", env)
	}
	return env
}

func projects(t *testing.T) map[string]*types.Project {
	t.Helper()
	all := map[string]*types.Project{}
	for file, env := range map[string]map[string]string{"compose.yaml": required(t), "try.yaml": nil} {
		p, err := load(file, env)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = p
	}
	return all
}

// TestComposeWantsEverySecret leaves out one after the other, and wants to be
// told which.
func TestComposeWantsEverySecret(t *testing.T) {
	all := required(t)
	for name := range all {
		for _, value := range []string{"", "unset"} {
			env := maps.Clone(all)
			if env[name] = value; value == "unset" {
				delete(env, name)
			}
			if _, err := load("compose.yaml", env); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("without %s: %v", name, err)
			}
		}
	}
	asks := regexp.MustCompile(`\$\{(\w+):\?`)
	for _, m := range asks.FindAllStringSubmatch(contents(t, "deploy/compose/compose.yaml"), -1) {
		if all[m[1]] == "" {
			t.Errorf("%s is not in env.example", m[1])
		}
	}
}

// TestComposeBuildsSayTheirCommit wants --version of the images to name the release and the commit.
func TestComposeBuildsSayTheirCommit(t *testing.T) {
	env := required(t)
	env["IM_COMMIT"] = "0123456789abcdef"
	p, err := load("compose.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	for name, s := range p.Services {
		if s.Build == nil {
			continue
		}
		built++
		for arg, want := range map[string]string{"VERSION": env["IM_VERSION"], "COMMIT": env["IM_COMMIT"]} {
			if got := s.Build.Args[arg]; got == nil || *got != want {
				t.Errorf("%s is built with %v", name, s.Build.Args)
			}
		}
	}
	if built != 3 {
		t.Errorf("%d services are built, not two nodes and the console", built)
	}
}

// TestComposeServices wants of each service what keeps it running and apart.
func TestComposeServices(t *testing.T) {
	for file, p := range projects(t) {
		for name, s := range p.Services {
			name = file + ": " + name
			if s.Name == "imserver" { // the small one is built here
				if s.Build == nil {
					t.Errorf("%s is not built", name)
				}
			} else {
				isPinned(t, s.Image)
			}
			if s.Restart != "unless-stopped" {
				t.Errorf("%s: restart is %q", name, s.Restart)
			}
			if h := s.HealthCheck; h == nil || h.Disable != (s.Name == "otel-collector") || !h.Disable && len(h.Test) < 2 {
				t.Errorf("%s: health check is %+v", name, h)
			}
			if d := s.Deploy; d == nil || d.Resources.Limits == nil || d.Resources.Limits.MemoryBytes == 0 || d.Resources.Limits.NanoCPUs == 0 {
				t.Errorf("%s: no limits", name)
			}
			if s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				t.Errorf("%s may get more rights than it starts with", name)
			}
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" && s.Name != "proxy" {
					t.Errorf("%s: port %s is open to the world", name, port.Published)
				}
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					if _, err := os.Stat(v.Source); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
			if strings.HasPrefix(s.Name, "imserver") {
				for variable := range s.Environment {
					isSetting(t, variable)
				}
			}
			if s.Build != nil {
				if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// TestComposeSecretsComeFromOutside: what is secret has the value that was
// given, and stands in no command.
func TestComposeSecretsComeFromOutside(t *testing.T) {
	env := required(t)
	secret := regexp.MustCompile(`PASSWORD|SECRET|KEY|TOKEN`)
	given := func(value string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(env)), func(v string) bool { return strings.Contains(value, v) })
	}
	found := 0
	p := projects(t)["compose.yaml"]
	for _, s := range p.Services {
		for name, value := range s.Environment {
			if value != nil && *value != "" && secret.MatchString(name) {
				if found++; !given(*value) {
					t.Errorf("%s: %s is %q whatever was given", s.Name, name, *value)
				}
			}
		}
		if given(fmt.Sprint(s.Command, s.Entrypoint, s.HealthCheck.Test)) {
			t.Errorf("%s has a secret in a command", s.Name)
		}
	}
	if found < 10 {
		t.Errorf("%d secrets", found)
	}
	for name, s := range p.Secrets {
		if env[s.Environment] == "" {
			t.Errorf("secret %s is %+v", name, s)
		}
	}
}

// TestComposeIsWhatOthersName compares with the configuration of what runs in
// it: targets of Prometheus, upstreams of the proxy, files that are read.
func TestComposeIsWhatOthersName(t *testing.T) {
	p := projects(t)["compose.yaml"]
	var prometheus struct {
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
			Authorization struct {
				File string `yaml:"credentials_file"`
			}
		} `yaml:"scrape_configs"`
		Alerting struct {
			Alertmanagers []struct {
				StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(contents(t, "deploy/prometheus/prometheus.yml")), &prometheus); err != nil {
		t.Fatal(err)
	}
	ports := map[string]string{"imserver-1": "8080", "imserver-2": "8080", "otel-collector": "8888", "localhost": "9090", "alertmanager": "9093"}
	var targets []string
	for _, job := range prometheus.ScrapeConfigs {
		for _, c := range job.StaticConfigs {
			targets = append(targets, c.Targets...)
		}
		if file := job.Authorization.File; file != "" {
			isMounted(t, p.Services["prometheus"], file)
		}
	}
	for _, c := range prometheus.Alerting.Alertmanagers {
		targets = append(targets, c.StaticConfigs[0].Targets...)
	}
	for _, target := range targets {
		host, port, err := net.SplitHostPort(target)
		if err != nil || ports[host] != port {
			t.Errorf("Prometheus scrapes %s: %v", target, err)
		}
		if host != "localhost" {
			reaches(t, p, "prometheus", host)
		}
	}
	for name := range p.Services {
		if strings.HasPrefix(name, "imserver-") && !slices.Contains(targets, name+":8080") {
			t.Errorf("Prometheus does not scrape %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`/etc/alertmanager/\S+\.url`).FindAllString(contents(t, "deploy/alertmanager/alertmanager.yml"), -1) {
		isMounted(t, p.Services["alertmanager"], m)
	}
	if nodes := regexp.MustCompile(`\{\$IM_NODES:(.*?)\}`).FindStringSubmatch(contents(t, "deploy/proxy/Caddyfile")); nodes == nil {
		t.Error("the proxy has no nodes")
	} else {
		for _, node := range strings.Fields(nodes[1]) {
			host, _, _ := net.SplitHostPort(node)
			reaches(t, p, "proxy", host)
		}
	}
	for _, backend := range strings.Split(*p.Services["imadmin"].Environment["IMADMIN_BACKEND"], ",") {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(backend, "http://"))
		if err != nil || ports[host] != port {
			t.Errorf("imadmin asks %s: %v", backend, err)
		}
		reaches(t, p, "imadmin", host)
	}
	for _, node := range []string{"imserver-1", "imserver-2"} {
		for _, needs := range []string{"mysql", "redis", "s3", "otel-collector"} {
			reaches(t, p, node, needs)
		}
	}
}

func reaches(t *testing.T, p *types.Project, from, to string) {
	t.Helper()
	for network := range p.Services[from].Networks {
		if _, ok := p.Services[to].Networks[network]; ok {
			return
		}
	}
	t.Errorf("%s cannot reach %s", from, to)
}

func isMounted(t *testing.T, s types.ServiceConfig, file string) {
	t.Helper()
	for _, secret := range s.Secrets {
		if secret.Target == file {
			return
		}
	}
	t.Errorf("%s does not have %s", s.Name, file)
}
