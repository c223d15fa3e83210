package telemetry_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

var (
	ctx  = context.Background()
	path = metric.WithAttributes(attribute.String("path", "/a"))
)

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = string(expfmt.FmtProtoDelim)
)

// newProvider returns a Provider without runtime metrics, which is shut down with the test.
func newProvider(tb testing.TB, opts ...telemetry.Option) *telemetry.Provider {
	tb.Helper()
	p, err := telemetry.New(ctx, append([]telemetry.Option{telemetry.WithoutRuntime()}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		end, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := p.Shutdown(end); err != nil {
			tb.Errorf("shutdown: %v", err)
		}
	})
	return p
}

// stop shuts down a Provider that a test created without newProvider.
func stop(p interface{ Shutdown(context.Context) error }) { _ = p.Shutdown(ctx) }

// A page is the result of one scrape: families by name.
type page map[string]*dto.MetricFamily

// scrape reads the page in all three formats with strict parsers, and checks that they agree.
func scrape(tb testing.TB, p *telemetry.Provider) page {
	tb.Helper()
	get(tb, p.Handler(), acceptText) // what is told at the first scrape is counted at the second
	text, err := parseText(get(tb, p.Handler(), acceptText))
	if err != nil {
		tb.Fatal(err)
	}
	if err := checkOpenMetrics(get(tb, p.Handler(), acceptOpenMetrics)); err != nil {
		tb.Fatal(err)
	}
	proto, err := parseProtobuf(get(tb, p.Handler(), acceptProtobuf))
	if err != nil {
		tb.Fatal(err)
	}
	for name := range text {
		if proto[name] == nil {
			tb.Errorf("family %s is in the text but not in protobuf", name)
		} else if t, p := len(text[name].Metric), len(proto[name].Metric); t != p {
			tb.Errorf("family %s: %d series in the text, %d in protobuf", name, t, p)
		}
	}
	return text
}

// get returns the body of a 200 answer.
func get(tb testing.TB, h http.Handler, accept string) []byte {
	tb.Helper()
	code, body := fetch(h, accept)
	if code != http.StatusOK {
		tb.Fatalf("scrape (%s): status %d: %s", accept, code, body)
	}
	keep(tb, accept, body)
	return body
}

var kept atomic.Int64

// keep writes each page into the folder TELEMETRY_PAGES, if that is set: internal/compat then parses them with
// Prometheus's own parser.
func keep(tb testing.TB, accept string, body []byte) {
	dir := os.Getenv("TELEMETRY_PAGES")
	if dir == "" {
		return
	}
	kind := map[string]string{acceptText: "text", acceptOpenMetrics: "openmetrics", acceptProtobuf: "protobuf"}[accept]
	name := strings.NewReplacer("/", "_", "'", "").Replace(tb.Name())
	file := filepath.Join(dir, fmt.Sprintf("%s_%d.%s", name, kept.Add(1), kind))
	if err := os.WriteFile(file, body, 0o644); err != nil {
		tb.Fatal(err)
	}
}

func fetch(h http.Handler, accept string) (int, []byte) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

func parseText(body []byte) (page, error) {
	if err := checkOnce(body); err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("text: %w\n%s", err, body)
	}
	return families, check(families)
}

func parseProtobuf(body []byte) (page, error) {
	out := page{}
	dec := expfmt.NewDecoder(bytes.NewReader(body), expfmt.FmtProtoDelim)
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); errors.Is(err, io.EOF) {
			return out, check(out)
		} else if err != nil {
			return nil, fmt.Errorf("protobuf: %w", err)
		}
		if out[f.GetName()] != nil {
			return nil, fmt.Errorf("protobuf: family %s twice", f.GetName())
		}
		out[f.GetName()] = f
	}
}

// checkOnce checks that each family has one TYPE, one HELP, and is in one piece.
func checkOnce(body []byte) error {
	seen := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[0] == "#" {
			if key := f[1] + " " + f[2]; seen[key] {
				return fmt.Errorf("text: %q is there twice", key)
			} else {
				seen[key] = true
			}
		}
	}
	return nil
}

// check finds what a parser may accept: duplicate series and labels.
func check(families page) error {
	for name, f := range families {
		seen := map[string]bool{}
		for _, m := range f.Metric {
			names := map[string]bool{}
			var key []string
			for _, l := range m.Label {
				if names[l.GetName()] {
					return fmt.Errorf("%s: label %s twice", name, l.GetName())
				}
				names[l.GetName()] = true
				key = append(key, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(key)
			if k := strings.Join(key, ","); seen[k] {
				return fmt.Errorf("%s: series {%s} twice", name, k)
			} else {
				seen[k] = true
			}
		}
	}
	return nil
}

// series returns the metric of a family with exactly these labels, given as "name=value".
func (p page) series(family string, labels ...string) *dto.Metric {
	for _, m := range p[family].GetMetric() {
		have := make([]string, 0, len(m.Label))
		for _, l := range m.Label {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		slices.Sort(have)
		if slices.Sort(labels); slices.Equal(have, labels) {
			return m
		}
	}
	return nil
}

// value returns the number of a counter, a gauge or an untyped metric.
func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	}
	return m.GetUntyped().GetValue()
}

// sum returns the sum over a family.
func (p page) sum(family string) float64 {
	total := 0.0
	for _, m := range p[family].GetMetric() {
		total += value(m)
	}
	return total
}
