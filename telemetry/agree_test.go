package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// A wire is an exporter that keeps what is pushed. It also encodes it as OTLP, without sending it, so that data which
// OTLP cannot encode is an error.
type wire struct {
	keeper
	otlp *otlpmetrichttp.Exporter
}

func newWire(tb testing.TB) *wire {
	nobody := &http.Client{Transport: roundTripper(func(*http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	})}
	e, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithHTTPClient(nobody), otlpmetrichttp.WithEndpoint("nobody"))
	if err != nil {
		tb.Fatal(err)
	}
	return &wire{keeper: keeper{temporality: metricdata.CumulativeTemporality}, otlp: e}
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func (w *wire) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if err := w.otlp.Export(ctx, rm); err != nil {
		return err
	}
	return w.keeper.Export(ctx, rm)
}

// Produce passes what was pushed to the stock exporter. That leaves out the scope of bridged metrics, by its name.
func (w *wire) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.last.ScopeMetrics)
	for i := range out {
		if out[i].Scope.Name == "go.opentelemetry.io/contrib/bridges/prometheus" {
			out[i].Scope.Name = "bridged"
		}
	}
	return out, nil
}

// agrees pushes, and checks that OpenTelemetry's stock exporter and registry make our page of it.
func (w *wire) agrees(tb testing.TB, p *telemetry.Provider, opts ...otelprom.Option) {
	tb.Helper()
	if err := p.ForceFlush(ctx); err != nil {
		tb.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	opts = append(opts, otelprom.WithRegisterer(reg), otelprom.WithProducer(w), otelprom.WithoutTargetInfo())
	exporter, err := otelprom.New(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	defer stop(sdk)
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", acceptText)
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		tb.Errorf("what is pushed makes a page of status %d: %s", rec.Code, rec.Body)
	}
	ours, theirs := comparable(string(get(tb, p.Handler(), acceptText))), comparable(rec.Body.String())
	for _, l := range ours {
		if !slices.Contains(theirs, l) {
			tb.Errorf("on the page, not pushed: %s", l)
		}
	}
	for _, l := range theirs {
		if !slices.Contains(ours, l) {
			tb.Errorf("pushed, not on the page: %s", l)
		}
	}
}

// comparable returns the lines of a page without target_info, without the counts of pushes, which go on, and without
// the HELP that the stock page has for an empty description.
func comparable(page string) []string {
	page = withoutEmptyLabels(page)
	return slices.DeleteFunc(strings.Split(page, "\n"), func(l string) bool {
		return l == "" || emptyHelp(l) || strings.Contains(l, "target_info") && !strings.Contains(l, "target_info_") || strings.Contains(l, "telemetry_export")
	})
}

func emptyHelp(line string) bool {
	return strings.HasPrefix(line, "# HELP ") && strings.HasSuffix(line, " ")
}

// emptyLabel matches a label with an empty value, which the stock exporter shows. In Prometheus's data model it does
// not exist.
var emptyLabel = regexp.MustCompile(`[a-zA-Z0-9_]+="",?`)

func withoutEmptyLabels(page string) string {
	return strings.NewReplacer(",}", "}", "{}", "").Replace(emptyLabel.ReplaceAllString(page, ""))
}
