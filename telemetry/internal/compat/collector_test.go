package compat_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A collector is a real OpenTelemetry Collector for one test: it receives OTLP and serves a page for Prometheus.
type collector struct {
	t                testing.TB
	grpc, http, page string // host:port
	config, log      string // files
	process          *exec.Cmd
}

// newCollector starts one. options are lines of the Prometheus exporter's configuration.
func newCollector(t testing.TB, options ...string) *collector {
	t.Helper()
	if os.Getenv("IM_TEST_COLLECTOR") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("IM_TEST_COLLECTOR is empty: run it by make compat")
		}
		t.Skip("needs a collector: run it by make compat, or set IM_TEST_COLLECTOR=…/.tools/collector")
	}
	dir := t.TempDir()
	c := &collector{
		t: t, grpc: freeAddress(t), http: freeAddress(t), page: freeAddress(t),
		config: filepath.Join(dir, "collector.yaml"), log: filepath.Join(dir, "collector.log"),
	}
	config := fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      grpc: {endpoint: %q}
      http: {endpoint: %q}
exporters:
  debug: {verbosity: detailed}
  prometheus:
    endpoint: %q
    metric_expiration: 1h
%s
service:
  telemetry:
    metrics: {level: none}
  pipelines:
    metrics: {receivers: [otlp], exporters: [prometheus]}
    traces: {receivers: [otlp], exporters: [debug]}
`, c.grpc, c.http, c.page, indented(options))
	if err := os.WriteFile(c.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	t.Cleanup(c.kill)
	return c
}

func indented(lines []string) string {
	out := ""
	for _, l := range lines {
		out += "    " + l + "\n"
	}
	return out
}

// freeAddress returns a free address, outside the range that the kernel gives to clients.
func freeAddress(t testing.TB) string {
	t.Helper()
	for port := 20000 + os.Getpid()%8000; port < 32000; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		if taken[port] {
			continue
		}
		taken[port] = true
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// taken holds the ports in use, because collectors return to theirs. Tests here do not run in parallel.
var taken = map[int]bool{}

// start starts it, or restarts it on the same addresses.
func (c *collector) start() {
	c.t.Helper()
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.process = exec.Command(os.Getenv("IM_TEST_COLLECTOR"), "--config", c.config)
	c.process.Stdout, c.process.Stderr = log, log
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "the collector serves: "+c.log, func() bool {
		for _, addr := range []string{c.grpc, c.http, c.page} {
			conn, err := net.DialTimeout("tcp", addr, time.Second)
			if err != nil {
				return false
			}
			conn.Close()
		}
		return true
	})
}

// kill kills it, even if it hangs. It is idempotent.
func (c *collector) kill() {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Kill()
	_ = c.process.Wait()
	c.process = nil
}

// freeze makes it hang: the kernel accepts connections and bytes, and nothing answers.
func (c *collector) freeze() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	threads := fmt.Sprintf("/proc/%d/task/*/stat", c.process.Process.Pid)
	eventually(c.t, "the collector stands still", func() bool { // its threads stop one by one
		files, _ := filepath.Glob(threads)
		for _, f := range files {
			stat, _ := os.ReadFile(f)
			if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return len(files) > 0
	})
}

func (c *collector) thaw() { c.signal(syscall.SIGCONT) }

func (c *collector) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.process.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// scrape returns its page.
func (c *collector) scrape(accept string) []byte {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+c.page+"/metrics", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("the collector's page: status %d, %v: %s", resp.StatusCode, err, body)
	}
	return body
}

// logged returns its log so far.
func (c *collector) logged() string {
	c.t.Helper()
	b, err := os.ReadFile(c.log)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// environment points a Provider at the collector with the standard variables.
func (c *collector) environment(t *testing.T, protocol string) {
	t.Helper()
	endpoint := "http://" + c.http
	if protocol == "grpc" {
		endpoint = "http://" + c.grpc
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
}

const patience = 30 * time.Second

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !done() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
