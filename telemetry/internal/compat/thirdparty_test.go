package compat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	_ "modernc.org/sqlite"

	"github.com/onemeter/onemeter/telemetry"
)

// otelhttp, the runtime metrics, otelsql, the go-redis hook and client_golang's default registry, with many
// collectors, in one process: one page, no conflict.
func TestThirdPartiesJustWork(t *testing.T) {
	ctx := context.Background()
	legacy := prometheus.NewCounter(prometheus.CounterOpts{Name: "legacy_jobs_total", Help: "Jobs."})
	prometheus.MustRegister(legacy)
	legacy.Inc()
	p, err := telemetry.New(ctx, telemetry.WithGatherer(prometheus.DefaultGatherer))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(ctx)

	h := otelhttp.NewHandler(http.NotFoundHandler(), "server", otelhttp.WithMeterProvider(p))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a", nil))
	client := http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithMeterProvider(p))}
	srv := httptest.NewServer(p.Handler())
	defer srv.Close()
	if resp, err := client.Get(srv.URL); err != nil || resp.StatusCode != 200 {
		t.Fatalf("scrape through otelhttp: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}

	db, err := otelsql.Open("sqlite", "file::memory:", otelsql.WithMeterProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reg, err := otelsql.RegisterDBStatsMetrics(db, otelsql.WithMeterProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := reg.Unregister(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}

	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer rdb.Close()
	if err := redisotel.InstrumentMetrics(rdb, redisotel.WithMeterProvider(p)); err != nil {
		t.Fatal(err)
	}
	_ = rdb.Ping(ctx).Err() // nobody listens: the failed command is measured

	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	page := "\n" + w.Body.String()
	for _, family := range []string{
		"http_server_request_duration_seconds_count", "http_client_request_duration_seconds_count",
		"db_sql_connection_open", "db_client_connections", "go_goroutines", "go_memstats_alloc_bytes_total",
		"legacy_jobs_total 1", "process_cpu_seconds_total",
	} {
		if !strings.Contains(page, "\n"+family) {
			t.Errorf("no %s", family)
		}
	}
	if strings.Contains(page, "\ngo_goroutine_count") {
		t.Error("the Go runtime is measured twice")
	}
	if n := strings.Count(page, "\nprocess_cpu_seconds_total "); n != 1 {
		t.Errorf("process_cpu_seconds_total is there %d times", n)
	}
	for _, c := range p.Conflicts() {
		t.Errorf("conflict: %v", c)
	}
	for accept, contentType := range map[string]string{
		"text/plain;version=0.0.4": ".text", "application/openmetrics-text;version=1.0.0": ".openmetrics",
		contentTypes[".protobuf"]: ".protobuf",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", accept)
		p.Handler().ServeHTTP(w, r)
		if err := parse(w.Body.Bytes(), contentTypes[contentType]); err != nil {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}
