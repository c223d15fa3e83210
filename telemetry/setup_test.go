package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry"
)

// Package-level instruments, as in libraries: they are created before any test runs, and so before Setup.
var (
	early        = telemetry.Meter("early")
	earlyHits, _ = early.Int64Counter("early.hits", desc("A"))
	earlyAgain   = must(telemetry.Meter("early too").Int64Counter("early.hits", desc("B")))
	_, _         = early.Int64ObservableGauge("early.pool", metric.WithInt64Callback(observeInt64(5)))
	earlyLoad, _ = early.Float64ObservableGauge("early.load")
	earlyReg, _  = early.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(earlyLoad, .5, path)
		return nil
	}, earlyLoad)
	otelHits = must(otel.Meter("otel").Int64Counter("otel.hits"))
	otelPool = must(otel.Meter("otel").Int64ObservableGauge("otel.pool"))
	_        = must(otel.Meter("otel").RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(otelPool, 3, path)
		return nil
	}, otelPool))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The only test that touches globals: it is not parallel, and follows the life of a process step by step.
func TestRow36Setup(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)

	earlyHits.Add(ctx, 40, path) // before Setup: kept
	p, err := telemetry.Setup(ctx, telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	if otel.GetMeterProvider() != p {
		t.Error("Setup did not set OpenTelemetry's MeterProvider")
	}
	earlyHits.Add(ctx, 1, path)
	earlyAgain.Add(ctx, 1, path)
	otelHits.Add(ctx, 1, path)
	lateHits := must(telemetry.Meter("late").Int64Counter("late.hits"))
	lateHits.Add(ctx, 1, path)

	page := scrape(t, p)
	for family, want := range map[string]float64{
		"early_hits_total": 42, "early_pool": 5, "early_load": .5, "otel_hits_total": 1, "otel_pool": 3, "late_hits_total": 1,
	} {
		if got := value(page.series(family, "path=/a")); got != want {
			t.Errorf("%s = %v, want %v", family, got, want)
		}
	}
	if got := page["early_hits_total"].GetHelp(); got != "A" {
		t.Errorf("HELP %q is not that of the first", got)
	}
	for _, i := range p.Instruments() {
		known := strings.Contains(i.Site, "/telemetry_test/setup_test.go:")
		if strings.HasPrefix(i.Name, "early") && !known || i.Name == "otel.hits" && i.Site != "" {
			t.Errorf("the site of %s is %q", i.Name, i.Site)
		}
	}
	if n := strings.Count(log.String(), "telemetry: conflict"); n != 1 || strings.Count(log.String(), "setup_test.go:") != 2 {
		t.Errorf("%d conflicts are logged, want 1 with both sites:\n%s", n, log.String())
	}

	if _, err := telemetry.Setup(ctx); !errors.Is(err, telemetry.ErrSetupTwice) || !strings.Contains(err.Error(), "setup_test.go") {
		t.Errorf("the second Setup returned %v", err)
	}

	for range 2 { // idempotent
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	earlyHits.Add(ctx, 1, path)
	lateHits.Add(ctx, 1, path)
	must(p.Meter("after").Int64Counter("after.hits")).Add(ctx, 1)
	get(t, p.Handler(), acceptText)

	p2, err := telemetry.Setup(ctx, telemetry.WithoutRuntime())
	if err != nil {
		t.Fatalf("Setup after Shutdown: %v", err)
	}
	defer stop(p2)
	earlyHits.Add(ctx, 5, path)
	lateHits.Add(ctx, 5, path)
	if err := earlyReg.Unregister(); err != nil {
		t.Error(err)
	}
	page = scrape(t, p2)
	for family, want := range map[string]float64{"early_hits_total": 5, "late_hits_total": 5, "early_pool": 5} {
		if got := value(page.series(family, "path=/a")); got != want {
			t.Errorf("after the second Setup %s = %v, want %v", family, got, want)
		}
	}
	if page["early_load"] != nil {
		t.Error("a callback that was unregistered still runs")
	}
}

// Setup sets the tracer provider and the propagator if spans are exported; Shutdown sends the rest.
func TestSetupTraces(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	t.Setenv("OTEL_SERVICE_NAME", "operator")
	spans := &exportedSpans{}
	defer otel.SetTextMapPropagator(otel.GetTextMapPropagator())
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime(), telemetry.WithSpanExporter(spans)))
	if otel.GetTracerProvider() != p.TracerProvider() {
		t.Error("Setup did not set OpenTelemetry's TracerProvider")
	}
	in, span := otel.Tracer("one").Start(ctx, "work")
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(in, carrier)
	if !strings.Contains(carrier["traceparent"], span.SpanContext().TraceID().String()) {
		t.Errorf("carried %v", carrier)
	}
	span.End()
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	spans.mu.Lock()
	defer spans.mu.Unlock()
	if len(spans.all) != 1 || spans.all[0].Name != "work" {
		t.Fatalf("exported %v", spans.all)
	}
	if name, _ := spans.all[0].Resource.Set().Value("service.name"); name.AsString() != "operator" {
		t.Errorf("service.name is %q", name.AsString())
	}
}

// The SDK's own warnings about duplicates are dropped if a conflict reports them with the sites.
func TestOpenTelemetryLogsGoToSlog(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	p, err := telemetry.Setup(ctx, telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	defer stop(p)
	m := p.Meter("one")
	must(m.Int64Counter("hits"))
	must(m.Float64Counter("hits"))
	otel.Handle(errors.New("an error of an exporter"))
	stop(p) // which delivers the log
	if strings.Contains(log.String(), "duplicate metric stream") {
		t.Errorf("the SDK's own warning is logged too:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "an error of an exporter") {
		t.Errorf("OpenTelemetry's errors are not logged:\n%s", log.String())
	}
}

func TestResource(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod,team.name=core")
	p := newProvider(t, telemetry.WithService("pay", "1.2"),
		telemetry.WithResource(resource.NewSchemaless(attribute.String("team.name", "x"), attribute.String("rack", "7"))))
	got := map[string]string{}
	for _, l := range scrape(t, p)["target_info"].Metric[0].Label {
		got[l.GetName()] = l.GetValue()
	}
	for k, want := range map[string]string{
		"service_name": "pay", "service_version": "1.2", "deployment_environment": "prod", "team_name": "core", "rack": "7",
	} {
		if got[k] != want {
			t.Errorf("%s = %q, want %q", k, got[k], want)
		}
	}
}

func TestServiceNameFromTheEnvironment(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "operator")
	p := newProvider(t, telemetry.WithService("author", ""))
	for _, l := range scrape(t, p)["target_info"].Metric[0].Label {
		if l.GetName() == "service_name" && l.GetValue() != "operator" {
			t.Errorf("service_name = %q", l.GetValue())
		}
	}
}

func TestDisabled(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	p := newProvider(t)
	if err := count(p.Meter("one"), "hits"); err != nil {
		t.Error(err)
	}
	if code, body := fetch(p.Handler(), acceptText); code != 200 || strings.Contains(string(body), "hits") {
		t.Errorf("status %d: %s", code, body)
	}
}

func TestWithoutPrometheus(t *testing.T) {
	p := newProvider(t, telemetry.WithoutPrometheus())
	if code, body := fetch(p.Handler(), acceptText); code != 404 || len(body) == 0 {
		t.Errorf("status %d: %s", code, body)
	}
}

func TestRuntimeAndProcess(t *testing.T) {
	p, err := telemetry.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(p)
	page := scrape(t, p)
	for _, family := range []string{
		"go_goroutine_count", "go_memory_used_bytes", "process_cpu_seconds_total", "process_resident_memory_bytes",
		"process_open_fds", "process_start_time_seconds",
		"telemetry_conflicts_total", "telemetry_callback_errors_total", "telemetry_scrape_errors_total",
	} {
		if page[family] == nil {
			t.Errorf("no family %s", family)
		}
	}
	if told(p) != "" {
		t.Errorf("told %s", told(p))
	}
}

func TestDefaultBucketsOfSeconds(t *testing.T) {
	p := newProvider(t)
	if err := histogram(p.Meter("one"), "lat", .2, unit("s")); err != nil {
		t.Fatal(err)
	}
	var bounds []float64
	for _, b := range scrape(t, p).series("lat_seconds", "path=/a").GetHistogram().GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
	}
	if len(bounds) != 12 || bounds[0] != .005 || bounds[10] != 10 {
		t.Errorf("boundaries %v", bounds)
	}
}
