package deploy

import (
	"bufio"
	"bytes"
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
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/onemeter/onemeter/internal/needs"
)

// patience is how long a test waits for what must come.
const patience = 90 * time.Second

// launch starts a program until the test ends, gives every line that it writes
// to line, and shows them if the test fails.
func launch(t *testing.T, cmd *exec.Cmd, line func([]byte)) {
	t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintf(&log, "%s\n", lines.Bytes())
			line(lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(cmd.Path), log.String())
		}
	})
}

// address returns one of the loopback that nobody listens on.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits until ok, and shows how things stand if that never comes.
func eventually(t *testing.T, what string, ok func() bool, stand ...*[]string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, s := range stand {
				what += ": " + strings.Join(*s, "; ")
			}
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// get asks for a page, and decodes its JSON into what is not nil.
func get(address string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || into == nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", address, res.Status, text)
	}
	return json.Unmarshal(text, into)
}

// token is what /metrics asks for.
var token = strings.Repeat("token", 8)

// startNodes runs nodes of one server that has everything, pushes to a
// collector, and says where they are, and their database. admin runs imserver admin on
// it. files are the settings of the store of files; without any, it is S3.
func startNodes(t *testing.T, n int, collector string, files ...string) (addrs []string, admin func(args ...string), database string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "imserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/onemeter/onemeter/cmd/imserver")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	database = needs.MySQL(t)
	redis, prefix := needs.Redis(t)
	if len(files) == 0 {
		endpoint, bucket := needs.S3(t)
		files = []string{"--blob=s3://" + bucket + "?endpoint=" + url.QueryEscape(endpoint), "--total-quota=1000000000"}
	}
	admin = func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"admin"}, args...)...)
		cmd.Env = append(os.Environ(), "IM_DB="+database)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("imserver admin %v: %v\n%s", args, err, out)
		}
	}
	for range n {
		cmd := exec.Command(binary, append([]string{"--addr=127.0.0.1:0", "--log-format=json",
			"--redis=" + redis, "--redis-prefix=" + prefix, "--turn-addr=127.0.0.1:0", "--turn-allow-private"}, files...)...)
		cmd.Env = append(os.Environ(), "IM_DB="+database, "IM_JWT_SECRET="+strings.Repeat("secret", 6), "IM_METRICS_TOKEN="+token,
			"OTEL_METRICS_EXPORTER=otlp", "OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector,
			"OTEL_METRIC_EXPORT_INTERVAL=1000", "OTEL_BSP_SCHEDULE_DELAY=500")
		up := make(chan string, 1)
		launch(t, cmd, func(line []byte) {
			var entry struct{ Msg, API string }
			if json.Unmarshal(line, &entry) == nil && entry.Msg == "imserver is up" {
				up <- strings.TrimSuffix(strings.TrimPrefix(entry.API, "http://"), "/api")
			}
		})
		select {
		case addr := <-up:
			addrs = append(addrs, addr)
		case <-time.After(patience):
			t.Fatal("imserver does not come up")
		}
	}
	return addrs, admin, database
}

// startCollector runs a collector, and says where it takes OTLP over HTTP and
// where its metrics of itself are.
func startCollector(t *testing.T) (otlp, metrics string) {
	t.Helper()
	otlp, metrics = address(t), address(t)
	_, port, _ := strings.Cut(metrics, ":")
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := `
receivers: {otlp: {protocols: {http: {endpoint: "` + otlp + `"}}}}
exporters: {debug: {}}
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: ` + port + `}}}}]}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [debug]}
    traces: {receivers: [otlp], exporters: [debug]}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, exec.Command(needs.Collector(t), "--config", config), func([]byte) {})
	eventually(t, "the collector serves", func() bool { return get("http://"+otlp, nil) == nil })
	return otlp, metrics
}

// startPrometheus runs Prometheus with our configuration, changed in what
// depends on the place and so that it scrapes every second. change may change the files
// of a copy of our folder further.
func startPrometheus(t *testing.T, nodes []string, collector string, change ...func(dir string)) *prometheus {
	t.Helper()
	addr := address(t)
	file := configWithToken(t)
	var cfg struct {
		Global   map[string]string
		Alerting struct {
			Alertmanagers []map[string]any
		}
		ScrapeConfigs []map[string]any `yaml:"scrape_configs"`
		Rest          map[string]any   `yaml:",inline"`
	}
	read(t, file, &cfg)
	// There is no Alertmanager, and no alert to send it. Prometheus counts what it
	// could not send as soon as it knows of one.
	cfg.Alerting.Alertmanagers[0]["static_configs"] = []map[string]any{{"targets": []string{address(t)}}}
	for key := range cfg.Global {
		cfg.Global[key] = "1s"
	}
	targets := map[string][]string{"imserver": nodes, "otel-collector": {collector}, "prometheus": {addr}, "alertmanager": {}}
	for _, job := range cfg.ScrapeConfigs {
		there, ok := targets[job["job_name"].(string)]
		if !ok {
			t.Fatalf("there is nothing to scrape as %s", job["job_name"])
		}
		job["static_configs"] = []map[string]any{{"targets": there}}
	}
	text, err := yaml.Marshal(cfg)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(filepath.Dir(file))
	}
	launch(t, exec.Command(needs.Prometheus(t), "--config.file="+file, "--storage.tsdb.path="+t.TempDir(),
		"--web.listen-address="+addr, "--enable-feature=exemplar-storage"), func([]byte) {})
	eventually(t, "Prometheus is ready", func() bool { return get("http://"+addr+"/api/v1/status/buildinfo", new(any)) == nil })
	p := &prometheus{api: "http://" + addr + "/api/v1/", since: time.Now()}
	var faults []string
	eventually(t, "every target is scraped", func() bool {
		faults = p.faults(t)
		return len(faults) == 0
	}, &faults)
	return p
}
