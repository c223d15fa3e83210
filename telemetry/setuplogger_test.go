package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A diary is what a logger wrote.
type diary struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.Write(b)
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.String()
}

// A Provider of Setup logs everything to its logger, and nothing to the default one.
func TestLogger(t *testing.T) {
	if again(t) {
		return
	}
	var own, other diary
	slog.SetDefault(slog.New(slog.NewTextHandler(&other, nil)))
	t.Setenv("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes")
	push := &keeper{err: errors.New("refused")}
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("ouch") })
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime(), telemetry.WithLogger(slog.New(slog.NewTextHandler(&own, nil))),
		telemetry.WithMetricExporter(push), telemetry.WithGatherer(failing)))
	m := p.Meter("log")
	must(m.Int64Counter("jobs", metric.WithDescription("A")))
	must(m.Int64Counter("jobs", metric.WithDescription("B")))
	must(m.Int64ObservableGauge("g", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { return errors.New("no value") })))
	otel.Handle(errors.New("of OpenTelemetry"))
	get(t, p.Handler(), acceptText)
	_ = p.ForceFlush(ctx)
	_ = p.Shutdown(ctx)
	for _, want := range []string{
		"conflict", "no value", "ouch", "refused", "of OpenTelemetry", "OTEL_METRICS_EXEMPLAR_FILTER",
	} {
		if !strings.Contains(own.text(), want) {
			t.Errorf("the logger was not told of %q: %s", want, own.text())
		}
	}
	if other.text() != "" {
		t.Errorf("the default logger was told %s", other.text())
	}
}
