package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/onemeter/onemeter/telemetry"
)

// A keeper is an exporter that keeps the last push.
type keeper struct {
	temporality metricdata.Temporality
	err         error

	mu   sync.Mutex
	last metricdata.ResourceMetrics
}

func (k *keeper) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality { return k.temporality }

func (*keeper) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

func (k *keeper) Export(_ context.Context, rm *metricdata.ResourceMetrics) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = *rm
	return k.err
}

func (*keeper) ForceFlush(context.Context) error { return nil }
func (*keeper) Shutdown(context.Context) error   { return nil }

// find returns the metrics of a name, with their scopes.
func (k *keeper) find(name string) map[string]metricdata.Metrics {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]metricdata.Metrics{}
	for _, sm := range k.last.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name == name {
				out[sm.Scope.Name] = m
			}
		}
	}
	return out
}

func pushing(t *testing.T, opts ...telemetry.Option) (*telemetry.Provider, *keeper) {
	t.Helper()
	k := &keeper{temporality: metricdata.CumulativeTemporality}
	return newProvider(t, append(opts, telemetry.WithMetricExporter(k))...), k
}

func flush(t *testing.T, p *telemetry.Provider) {
	t.Helper()
	if err := p.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
}

// Data that the page does not change is pushed unchanged.
func TestPushKeepsWhatIsClean(t *testing.T) {
	p, k := pushing(t)
	attrs := attribute.NewSet(attribute.String("http.route", "/a"), attribute.Int("code", 200))
	must(p.Meter("one").Int64Counter("http.requests", unit("{request}"), desc("R."))).Add(ctx, 3, metric.WithAttributeSet(attrs))
	must(p.Meter("one").Float64Histogram("lat", unit("s"))).Record(ctx, .2)
	flush(t, p)
	m := k.find("http.requests")["one"]
	sum, ok := m.Data.(metricdata.Sum[int64])
	if !ok || m.Unit != "{request}" || m.Description != "R." || len(sum.DataPoints) != 1 || !sum.DataPoints[0].Attributes.Equals(&attrs) {
		t.Errorf("pushed %+v", m)
	}
	h, ok := k.find("lat")["one"].Data.(metricdata.Histogram[float64])
	if !ok {
		t.Fatalf("pushed %+v", k.find("lat"))
	}
	if least, there := h.DataPoints[0].Min.Value(); !there || least != .2 {
		t.Errorf("the minimum is %v, %v", least, there)
	}
}

// One family on the page is one metric of the first scope, or, with scope labels, one of each scope.
func TestPushMergesScopes(t *testing.T) {
	for name, opts := range map[string][]telemetry.Option{"one": nil, "each": {telemetry.WithScopeLabels()}} {
		t.Run(name, func(t *testing.T) {
			p, k := pushing(t, opts...)
			for _, m := range []string{"one", "two"} {
				must(p.Meter(m).Int64Counter("hits")).Add(ctx, 2, path)
			}
			flush(t, p)
			for scope, m := range k.find("hits") {
				want := 2.0
				if opts == nil {
					want = 4
				}
				got := 0.0
				switch d := m.Data.(type) {
				case metricdata.Sum[int64]:
					got = float64(d.DataPoints[0].Value)
				case metricdata.Sum[float64]:
					got = d.DataPoints[0].Value
				}
				if got != want {
					t.Errorf("scope %s: %v, want %v", scope, got, want)
				}
			}
			if got, want := len(k.find("hits")), 1+len(opts); got != want {
				t.Errorf("%d scopes, want %d", got, want)
			}
		})
	}
}

// With delta temporality, merged metrics have what was added since the last push, and client_golang's stay separate.
func TestPushOfDeltas(t *testing.T) {
	k := &keeper{temporality: metricdata.DeltaTemporality}
	p := newProvider(t, telemetry.WithMetricExporter(k))
	for range 3 {
		for _, m := range []string{"one", "two"} {
			must(p.Meter(m).Int64Counter("hits")).Add(ctx, 2, path)
		}
		flush(t, p)
		d, ok := k.find("hits")["one"].Data.(metricdata.Sum[float64])
		if !ok || len(d.DataPoints) != 1 || d.DataPoints[0].Value != 4 || d.Temporality != metricdata.DeltaTemporality {
			t.Errorf("pushed %+v", k.find("hits"))
		}
	}
}

// ForceFlush and Shutdown return what could not be sent; periodic pushes log it once.
func TestPushTellsOnce(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	refused := errors.New("an answer of " + strings.Repeat("x", 1<<20))
	k := &keeper{err: refused, temporality: metricdata.CumulativeTemporality}
	p := must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithMetricExporter(k)))
	for range 3 {
		if err := p.ForceFlush(ctx); !errors.Is(err, refused) {
			t.Errorf("ForceFlush returned %.100v", err)
		}
	}
	if got := value(scrape(t, p).series("telemetry_export_errors_total", "signal=metrics", "reason=other")); got != 3 {
		t.Errorf("counted %v failures", got)
	}
	if err := p.Shutdown(ctx); !errors.Is(err, refused) {
		t.Errorf("Shutdown returned %.100v", err)
	}
	// Shutdown has waited until all was logged.
	if n := strings.Count(log.String(), "push fails"); n != 1 || log.Len() > 2000 {
		t.Errorf("told %d times in %d bytes", n, log.Len())
	}
}

// A receiver keeps the requests that it got.
type receiver struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.bodies = append(r.requests, req), append(r.bodies, body)
	w.WriteHeader(http.StatusOK)
}

// Endpoint, path, headers, compression and TLS follow the variables; a signal's own wins.
func TestOTLPVariables(t *testing.T) {
	r := &receiver{}
	srv := httptest.NewTLSServer(r)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "OTLP", "OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL + "/base",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": ca, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b,x=1",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "api-key=m", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "gzip",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": srv.URL + "/own/path",
	} {
		t.Setenv(name, value)
	}
	p := newProvider(t)
	must(p.Meter("one").Int64Counter("hits")).Add(ctx, 1)
	_, span := p.TracerProvider().Tracer("one\xff").Start(ctx, "work \xff")
	span.SetAttributes(attribute.String("bad", "\xff"), attribute.Int("n", 1))
	span.End()
	flush(t, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]string{}
	for i, req := range r.requests {
		body := r.bodies[i]
		if req.Header.Get("Content-Encoding") == "gzip" {
			z := must(gzip.NewReader(bytes.NewReader(body)))
			body = must(io.ReadAll(z))
			seen[req.URL.Path+" gzip"] = "yes"
		}
		seen[req.URL.Path] = req.Header.Get("Api-Key")
		want := "hits"
		if strings.Contains(req.URL.Path, "own") {
			want = "work \uFFFD" // the span arrives though OTLP cannot carry its text
		}
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: the body has no %q", req.URL.Path, want)
		}
	}
	for path, key := range map[string]string{"/base/v1/metrics": "m", "/base/v1/metrics gzip": "yes", "/own/path": "a b"} {
		if seen[path] != key {
			t.Errorf("%s: %q, want %q; seen %v", path, seen[path], key, seen)
		}
	}
}

type exportedSpans struct {
	mu  sync.Mutex
	all tracetest.SpanStubs
}

func (e *exportedSpans) ExportSpans(_ context.Context, s []sdktrace.ReadOnlySpan) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, tracetest.SpanStubsFromReadOnlySpans(s)...)
	return nil
}

func (*exportedSpans) Shutdown(context.Context) error { return nil }

func TestSampler(t *testing.T) {
	for sampler, sampled := range map[string]bool{"always_on": true, "always_off": false, "": true} {
		t.Setenv("OTEL_TRACES_SAMPLER", sampler)
		p := newProvider(t, telemetry.WithSpanExporter(&exportedSpans{}))
		_, span := p.TracerProvider().Tracer("one").Start(ctx, "work")
		if span.SpanContext().IsSampled() != sampled {
			t.Errorf("%q: sampled is %v", sampler, !sampled)
		}
	}
}

func TestPropagators(t *testing.T) {
	for value, field := range map[string]string{"": "traceparent", "b3": "b3", "jaeger": "uber-trace-id", " TraceContext , baggage": "baggage"} {
		t.Setenv("OTEL_PROPAGATORS", value)
		p := newProvider(t, telemetry.WithSpanExporter(&exportedSpans{}))
		if fields := strings.Join(p.Propagator().Fields(), " "); !strings.Contains(fields, field) {
			t.Errorf("%q: %s", value, fields)
		}
	}
}

// A span exporter that hangs delays Shutdown no longer than its context, and nothing keeps running after it.
func TestShutdownOfTracesIsBounded(t *testing.T) {
	p := must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithSpanExporter(hangingSpans{})))
	_, span := p.TracerProvider().Tracer("one").Start(ctx, "work")
	span.End()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := p.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
}

type hangingSpans struct{}

func (hangingSpans) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hangingSpans) Shutdown(context.Context) error { return nil }

// Recording allocates nothing, even if metrics are pushed and spans exported, unless a span is sampled.
func TestRecordingDoesNotAllocate(t *testing.T) {
	p, _ := pushing(t, telemetry.WithSpanExporter(&exportedSpans{}))
	hits := must(p.Meter("one").Int64Counter("hits"))
	lat := must(p.Meter("one").Float64Histogram("lat"))
	opt := metric.WithAttributeSet(attribute.NewSet(attribute.String("path", "/a")))
	adds, records := []metric.AddOption{opt}, []metric.RecordOption{opt}
	record := func() {
		hits.Add(ctx, 1, adds...)
		lat.Record(ctx, .2, records...)
	}
	record()
	if n := testing.AllocsPerRun(1000, record); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
