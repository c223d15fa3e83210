package telemetrytest_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// told returns the only line with which NoConflicts fails a test, and checks that it names two places of this file.
func told(t *testing.T, rec *telemetrytest.Recorder) string {
	t.Helper()
	tb := &failing{TB: t}
	telemetrytest.NoConflicts(tb, rec.Provider)
	if len(tb.lines) != 1 || strings.Contains(tb.lines[0], "\n") || strings.Count(tb.lines[0], "conflict_test.go:") != 2 {
		t.Fatalf("the test is told %q", tb.lines)
	}
	return tb.lines[0]
}

func TestNoConflictsIsSilentWhereThereAreNone(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	s, err := newShop(rec)
	if err != nil {
		t.Fatal(err)
	}
	s.pay("ok", 1)
	promauto.With(rec.Registerer()).NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."})
	telemetrytest.NoConflicts(t, rec.Provider)
}

func TestTwoCollectorsThatDisagreeAreTold(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	with := promauto.With(rec.Registerer())
	with.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."})
	with.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs done."})
	if line := told(t, rec); !strings.HasPrefix(line, "jobs_total: description, merged: first ") {
		t.Error(line)
	}
}

// Neither of the two libraries sees the other's metrics: only a scrape brings them together.
func TestAnInstrumentAndACollectorThatDisagreeAreTold(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	if _, err := rec.Meter("api").Int64Counter("jobs", metric.WithDescription("Jobs.")); err != nil {
		t.Fatal(err)
	}
	promauto.With(rec.Registerer()).NewGauge(prometheus.GaugeOpts{Name: "jobs_total", Help: "Jobs in the queue."})
	if n := len(rec.Provider.Conflicts()); n != 0 {
		t.Fatalf("%d conflicts before any scrape", n)
	}
	if n := len(rec.Conflicts()); n != 1 {
		t.Fatalf("%d conflicts", n)
	}
	if line := told(t, rec); !strings.HasPrefix(line, "jobs_total: kind and description, renamed: first int64 counter ") {
		t.Error(line)
	}
}

func TestMetricsThatAViewBringsTogetherAreTold(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t, telemetry.WithView(
		sdkmetric.NewView(sdkmetric.Instrument{Name: "mails"}, sdkmetric.Stream{Name: "jobs"})))
	m := rec.Meter("api")
	jobs, err := m.Int64Counter("jobs")
	if err != nil {
		t.Fatal(err)
	}
	mails, err := m.Int64Gauge("mails")
	if err != nil {
		t.Fatal(err)
	}
	jobs.Add(t.Context(), 1)
	mails.Record(t.Context(), 1)
	if line := told(t, rec); !strings.HasPrefix(line, "jobs_total: kind, renamed: ") {
		t.Error(line)
	}
}
