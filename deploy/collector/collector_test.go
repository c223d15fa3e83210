// Package collector tests the configuration beside it with a real collector and a
// real Prometheus.
package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/otlp" // the environment asks for it
)

const collectorConfig = "config.yaml"

// TestCollectorValidates accepts the configuration, and none that is broken.
func TestCollectorValidates(t *testing.T) {
	good, err := os.ReadFile(collectorConfig)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(config string) error {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), needs.Collector(t), "validate", "--config", file).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := validate(string(good)); err != nil {
		t.Error(err)
	}
	for _, broken := range [][2]string{
		{"limit_percentage: 80", "limit_percentage: 180"}, {"check_interval: 1s", "check_interval: 0s"},
		{"send_batch_size", "send_batch_sice"}, {"[memory_limiter, batch]", "[memory_limiter, bach]"},
		{"endpoint: \"${env:PROMETHEUS_OTLP", "endpiont: \"${env:PROMETHEUS_OTLP"},
	} {
		if !strings.Contains(string(good), broken[0]) {
			t.Errorf("%s is not in %s", broken[0], collectorConfig)
		}
		if err := validate(strings.Replace(string(good), broken[0], broken[1], 1)); err == nil {
			t.Errorf("accepted with %s", broken[1])
		}
	}
}

// TestCollectorPassesOn pushes by both protocols, and finds it in a real
// Prometheus; the collector tells of itself where Prometheus scrapes it.
func TestCollectorPassesOn(t *testing.T) {
	prometheus, byGRPC, byHTTP := freeAddr(t), freeAddr(t), freeAddr(t)
	self := freeAddr(t)
	_, port, _ := net.SplitHostPort(self)
	empty := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, needs.Prometheus(t), "--config.file="+empty, "--web.listen-address="+prometheus,
		"--storage.tsdb.path="+t.TempDir(), "--web.enable-otlp-receiver")
	run(t, []string{
		"OTLP_GRPC=" + byGRPC, "OTLP_HTTP=" + byHTTP, "COLLECTOR_METRICS_PORT=" + port,
		"PROMETHEUS_OTLP=http://" + prometheus + "/api/v1/otlp",
	}, needs.Collector(t), "--config", collectorConfig)
	eventually(t, "Prometheus", func() bool { return answers("http://" + prometheus + "/-/ready") })
	eventually(t, "the collector", func() bool { return answers("http://" + self + "/metrics") })

	for protocol, addr := range map[string]string{"grpc": byGRPC, "http/protobuf": byHTTP} {
		pushed := push(t, protocol, addr)
		eventually(t, "what was pushed by "+protocol, func() bool {
			return ask(prometheus, fmt.Sprintf(`pushed_total{job="onemeter/by-%s"}`, pushed)) == "7"
		})
	}
	page := get("http://" + self + "/metrics")
	for _, family := range []string{"otelcol_receiver_accepted_metric_points", "otelcol_exporter_sent_metric_points", "otelcol_exporter_queue_size"} {
		if !strings.Contains(page, "\n"+family) {
			t.Errorf("the collector does not tell of %s", family)
		}
	}
}

// push counts to seven, sends that and returns how the service is named.
func push(t *testing.T, protocol, addr string) string {
	t.Helper()
	name := strings.ReplaceAll(protocol, "/", "-")
	t.Setenv("OTEL_METRICS_EXPORTER", "otlp")
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=onemeter")
	p, err := telemetry.New(t.Context(), telemetry.WithService("by-"+name, "1"), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	counter, err := p.Meter("test").Int64Counter("pushed")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 7)
	if err := p.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	return name
}

// run starts a program until the test ends, and shows its log if it failed.
func run(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", program, text)
		}
	})
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

func answers(url string) bool { return get(url) != "" }

// get returns the page, or nothing where it is not there.
func get(url string) string {
	res, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// ask returns the one value that an expression has, or nothing.
func ask(prometheus, expr string) string {
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if json.Unmarshal([]byte(get("http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(expr))), &answer) != nil || len(answer.Data.Result) != 1 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}
