package telemetry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// conflicted is a Provider with something to show.
func conflicted(t *testing.T) *telemetry.Provider {
	p := newProvider(t, telemetry.WithCardinalityLimit(100))
	api, push := p.Meter("github.com/acme/api"), p.Meter("github.com/acme/push", metric.WithInstrumentationVersion("1.2"))
	hits := must(api.Int64Counter("http.requests", desc("Total number of HTTP requests")))
	for i := range 90 {
		hits.Add(ctx, 1, metric.WithAttributes(attribute.Int("user", i), attribute.String("verb", "GET")))
	}
	for _, err := range []error{
		count(push, "http.requests", desc("HTTP请求总数")),
		gauge(push, "http.requests.total", 7, desc("<script>alert(1)</script>")),
		histogram(api, "http.request.duration", .2, unit("s"), desc("Latency")),
		histogram(push, "http.request.duration", 200, unit("ms")),
		observingGauge("pool", 5)(api), observingGauge("pool", 6)(push),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	scrape(t, p)
	return p
}

func TestDebugPage(t *testing.T) {
	h := conflicted(t).DebugHandler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/telemetry", nil))
	body := w.Body.String()
	for _, want := range []string{
		"http_requests_total_gauge", "debug_test.go:", "Cardinality", "Duplicate", "Total number of HTTP requests",
		"HTTP请求总数", "user&nbsp;(90)", "&lt;script&gt;", "github.com/acme/push 1.2", `name="viewport"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") {
		t.Error("the page has a script")
	}
	if file := os.Getenv("TELEMETRY_DEBUG_PAGE"); file != "" { // to look at it in a browser
		if err := os.WriteFile(file, w.Body.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDebugJSON(t *testing.T) {
	p := conflicted(t)
	w := httptest.NewRecorder()
	p.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/telemetry?format=json", nil))
	var report struct {
		Conflicts   []struct{ Family, Reason, Text string }
		Instruments []struct {
			Name, Family, Site string
			Series             int
			Share              float64                `json:"share_of_limit"`
			Keys               []struct{ Key string } `json:"attribute_keys"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Conflicts) != len(p.Conflicts()) || len(report.Conflicts) < 5 {
		t.Errorf("%d conflicts, want %d", len(report.Conflicts), len(p.Conflicts()))
	}
	for _, i := range report.Instruments {
		if i.Name == "http.requests" && i.Series == 90 {
			if i.Share != .9 || i.Keys[0].Key != "user" || i.Site == "" {
				t.Errorf("%+v", i)
			}
			return
		}
	}
	t.Error("http.requests with 90 series is not there")
}
