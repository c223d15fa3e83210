package telemetry_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry"
)

const secret = "hunter2"

// Every wrong value is an error that names its variable, for both signals and in both forms, and repeats no secret.
func TestGarbageInTheEnvironment(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	otlp := map[string][]string{
		"PROTOCOL": {"http/json", "gRPC", "4317"},
		"ENDPOINT": {
			"localhost:4318", "collector", "/v1/metrics", "http://", "ftp://collector", "http://collector:99999", "http://collector:0",
			"http://u:" + secret + "@collector:4318", "http://" + secret + "@collector\x7f", ":",
		},
		"HEADERS":            {secret, "key=" + secret + ",other", "=" + secret, "bad key=" + secret, "k=%zz" + secret, "k=" + secret + "%0d%0ax"},
		"TIMEOUT":            {"10s", "-1", "0", "1.5", "99999999999999999999", "9223372036854775807"},
		"CERTIFICATE":        {garbage, "/does/not/exist.pem"},
		"CLIENT_CERTIFICATE": {garbage},
		"CLIENT_KEY":         {garbage},
		"INSECURE":           {"maybe", "1", "yes"},
	}
	type wrong struct{ name, value, exporter string }
	var all []wrong
	for name, values := range otlp {
		for _, v := range values {
			for _, signal := range []string{"METRICS", "TRACES"} {
				exporter := "OTEL_" + signal + "_EXPORTER"
				all = append(all, wrong{"OTEL_EXPORTER_OTLP_" + name, v, exporter},
					wrong{"OTEL_EXPORTER_OTLP_" + signal + "_" + name, v, exporter})
			}
		}
	}
	for _, v := range []string{"otpl", "none,otlp", "otlp none", "zipkin"} {
		all = append(all, wrong{"OTEL_METRICS_EXPORTER", v, ""}, wrong{"OTEL_TRACES_EXPORTER", v, ""})
	}
	all = append(all, wrong{"OTEL_TRACES_EXPORTER", "prometheus", ""})
	for _, v := range []string{"1m", "0", "-5", "x"} {
		for _, name := range []string{"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT"} {
			all = append(all, wrong{name, v, "OTEL_METRICS_EXPORTER"})
		}
		for _, name := range []string{
			"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
		} {
			all = append(all, wrong{name, v, "OTEL_TRACES_EXPORTER"})
		}
	}
	all = append(all, wrong{"OTEL_BSP_MAX_QUEUE_SIZE", "2000000000", "OTEL_TRACES_EXPORTER"})
	for _, w := range all {
		t.Run(w.name+"="+w.value, func(t *testing.T) {
			if w.exporter != "" {
				t.Setenv(w.exporter, "otlp")
			}
			t.Setenv(w.name, w.value)
			p, err := telemetry.New(ctx, telemetry.WithoutRuntime())
			if err == nil {
				stop(p)
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), w.name) {
				t.Errorf("the error does not name %s: %v", w.name, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// If the variables contradict the endpoint about TLS, that is an error, instead of sending in plain text.
func TestContradictionsInTheEnvironment(t *testing.T) {
	for endpoint, insecure := range map[string]string{"https://collector:4317": "true", "http://collector:4317": "false"} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", insecure)
		if p, err := telemetry.New(ctx); err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_INSECURE") {
			t.Errorf("%s and INSECURE=%s: %v", endpoint, insecure, err)
			if err == nil {
				stop(p)
			}
		}
	}
}

// The error has every fault, not only the first.
func TestAllGarbageIsTold(t *testing.T) {
	names := map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_EXPORTER_OTLP_TIMEOUT": "x",
	}
	for name, value := range names {
		t.Setenv(name, value)
	}
	_, err := telemetry.New(ctx)
	for name := range names {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not told: %v", name, err)
		}
	}
}

// The specification demands that an unknown word is ignored with a warning.
func TestUnknownWordsAreIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "monthly",
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "pie", "OTEL_METRICS_EXEMPLAR_FILTER": "sometimes",
		"OTEL_TRACES_SAMPLER": "lottery", "OTEL_PROPAGATORS": "pigeon", "OTEL_SPAN_EVENT_COUNT_LIMIT": "many", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1e3",
		// Templates leave an empty word after a comma.
		"OTEL_METRICS_EXPORTER": "none,", "OTEL_TRACES_EXPORTER": ",none",
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			defer slog.SetDefault(before)
			srv := httptest.NewServer(http.NotFoundHandler())
			defer srv.Close()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
			t.Setenv(name, value)
			p, err := telemetry.New(ctx, telemetry.WithoutRuntime())
			if err != nil {
				t.Fatal(err)
			}
			stop(p)
			if !strings.Contains(log.String(), name) {
				t.Errorf("no warning:\n%s", log.String())
			}
		})
	}
}

// If nothing is set, nothing is pushed, traced, counted or logged.
func TestNothingIsPushedUnasked(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"unset":      {},
		"none":       {"OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"prometheus": {"OTEL_METRICS_EXPORTER": "prometheus"},
		"disabled":   {"OTEL_SDK_DISABLED": "true", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "otlp"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			p := newProvider(t)
			if _, off := p.TracerProvider().(noop.TracerProvider); !off {
				t.Errorf("spans are made: %T", p.TracerProvider())
			}
			if fields := p.Propagator().Fields(); len(fields) > 0 {
				t.Errorf("headers are propagated: %v", fields)
			}
			if body := string(get(t, p.Handler(), acceptText)); strings.Contains(body, "telemetry_export") {
				t.Error("pushes are counted")
			}
		})
	}
}

// WithoutPush ignores the environment, for tests and programs that must not send anything.
func TestWithoutPush(t *testing.T) {
	t.Setenv("OTEL_METRICS_EXPORTER", "garbage")
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "garbage")
	p := newProvider(t, telemetry.WithoutPush())
	if _, off := p.TracerProvider().(noop.TracerProvider); !off {
		t.Errorf("spans are made: %T", p.TracerProvider())
	}
}
