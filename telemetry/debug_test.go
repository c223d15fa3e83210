package telemetry_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/telemetry"
)

// conflicted returns a Provider with conflicts to show.
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
	body := strings.ReplaceAll(w.Body.String(), "<wbr>", "")
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

// The page shows measured values, and can be filtered.
func TestDebugValuesAndFilter(t *testing.T) {
	p := newProvider(t)
	m := p.Meter("github.com/acme/shop")
	c := must(m.Int64Counter("orders"))
	c.Add(ctx, 2, metric.WithAttributes(attribute.String("kind", "a")))
	c.Add(ctx, 3, metric.WithAttributes(attribute.String("kind", "b")))
	g := must(m.Float64Gauge("level"))
	g.Record(ctx, 1.5, metric.WithAttributes(attribute.String("tank", "a")))
	g.Record(ctx, 4, metric.WithAttributes(attribute.String("tank", "b")))
	h := must(m.Float64Histogram("price"))
	h.Record(ctx, 2)
	h.Record(ctx, 4)
	must(m.Int64Counter("unused"))
	must(m.Int64ObservableUpDownCounter("queue", int64s(7, metric.WithAttributes())))
	h2 := must(m.Float64Gauge("broken"))
	h2.Record(ctx, math.NaN())
	get := func(query string) string {
		w := httptest.NewRecorder()
		p.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/telemetry?"+query, nil))
		return w.Body.String()
	}
	var report struct {
		Instruments []struct {
			Name  string
			Value map[string]float64
		}
	}
	if err := json.Unmarshal([]byte(get("format=json&q=SHOP")), &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]float64{}
	for _, i := range report.Instruments {
		got[i.Name] = i.Value
	}
	want := map[string]map[string]float64{
		"orders": {"sum": 5}, "level": {"least": 1.5, "most": 4}, "price": {"sum": 6, "count": 2}, "unused": nil, "queue": {"sum": 7}, "broken": nil,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	page := get("q=lev%22%3C")
	if !strings.Contains(page, `value="lev&#34;&lt;"`) || strings.Contains(page, ">orders<") || strings.Contains(page, ">level<") {
		t.Errorf("the filter is not kept, or not kept apart: %s", page)
	}
	if page := get("q=level"); !strings.Contains(page, ">level<") || strings.Contains(page, ">orders<") || !strings.Contains(page, "1.5 to 4") {
		t.Error(page)
	}
	if page := get("format=xml"); !strings.Contains(page, "format=json") || strings.Contains(page, "<") {
		t.Errorf("another format is %s", page)
	}
	if page := get("q=" + strings.Repeat("%C3%BC", 5000)); len(page) > 20_000 { // what is asked for is bounded
		t.Errorf("%d bytes", len(page))
	}
}
