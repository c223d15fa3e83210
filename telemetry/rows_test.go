package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A row is one case of the promise: what code creates and records, what the page shows then, and what is reported.
// Each is read in all three formats.
type row struct {
	name     string
	opts     []telemetry.Option
	make     func(*telemetry.Provider) error // the error of the last creation
	lines    []string                        // on the page, as text
	absent   []string                        // what no line may start with
	conflict string                          // "Reason Resolution", or "" for none
	// rejected is false for a conflict that only shows at collection, and so is no error at creation.
	atCollection bool
}

// Shorthands: each creates one instrument and records 1 with path="/a".
func count(m metric.Meter, name string, opts ...metric.Int64CounterOption) error {
	i, err := m.Int64Counter(name, opts...)
	i.Add(ctx, 1, path)
	return err
}

func gauge(m metric.Meter, name string, v int64, opts ...metric.Int64GaugeOption) error {
	i, err := m.Int64Gauge(name, opts...)
	i.Record(ctx, v, path)
	return err
}

func histogram(m metric.Meter, name string, v float64, opts ...metric.Float64HistogramOption) error {
	i, err := m.Float64Histogram(name, opts...)
	i.Record(ctx, v, path)
	return err
}

func observeInt64(vs ...any) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(vs[0].(int)), path)
		return nil
	}
}

func scope(name, value string) string {
	return fmt.Sprintf(`otel_scope_name=%q,otel_scope_schema_url="",otel_scope_version=%q,`, name, value)
}

// two has a and b created by one meter, or by two.
func two(a, b func(metric.Meter) error, meters ...string) func(*telemetry.Provider) error {
	if len(meters) == 0 {
		meters = []string{"one", "one"}
	}
	return func(p *telemetry.Provider) error {
		if err := a(p.Meter(meters[0])); err != nil {
			return fmt.Errorf("a: %w", err)
		}
		return b(p.Meter(meters[1]))
	}
}

var (
	desc = metric.WithDescription
	unit = metric.WithUnit
)

func counting(name string, opts ...metric.Int64CounterOption) func(metric.Meter) error {
	return func(m metric.Meter) error { return count(m, name, opts...) }
}

func gauging(name string, v int64, opts ...metric.Int64GaugeOption) func(metric.Meter) error {
	return func(m metric.Meter) error { return gauge(m, name, v, opts...) }
}

func timing(name string, v float64, opts ...metric.Float64HistogramOption) func(metric.Meter) error {
	return func(m metric.Meter) error { return histogram(m, name, v, opts...) }
}

func upDown(name string) func(metric.Meter) error {
	return func(m metric.Meter) error {
		i, err := m.Int64UpDownCounter(name)
		i.Add(ctx, 1, path)
		return err
	}
}

func observingCounter(name string, v int) func(metric.Meter) error {
	return func(m metric.Meter) error {
		_, err := m.Int64ObservableCounter(name, metric.WithInt64Callback(observeInt64(v)))
		return err
	}
}

func observingGauge(name string, v int) func(metric.Meter) error {
	return func(m metric.Meter) error {
		_, err := m.Int64ObservableGauge(name, metric.WithInt64Callback(observeInt64(v)))
		return err
	}
}

var scopeLabels = []telemetry.Option{telemetry.WithScopeLabels()}

var rows = []row{
	{
		name:  "row 01 equal counters of one meter",
		make:  two(counting("http.requests"), counting("http.requests")),
		lines: []string{`http_requests_total{path="/a"} 2`},
	}, {
		name:     "row 02 descriptions differ",
		make:     two(counting("http.requests", desc("A")), counting("http.requests", desc("B"))),
		lines:    []string{`http_requests_total{path="/a"} 2`, "# HELP http_requests_total A"},
		conflict: "Description Merged",
	}, {
		name:  "row 03 the first description is empty",
		make:  two(counting("http.requests"), counting("http.requests", desc("B"))),
		lines: []string{`http_requests_total{path="/a"} 2`, "# HELP http_requests_total B"},
	}, {
		name: "row 04 attribute keys differ",
		make: two(counting("http.requests"), func(m metric.Meter) error {
			i, err := m.Int64Counter("http.requests")
			i.Add(ctx, 1, metric.WithAttributes(attribute.String("verb", "GET"), attribute.Int("code", 200)))
			return err
		}),
		lines: []string{`http_requests_total{path="/a"} 1`, `http_requests_total{code="200",verb="GET"} 1`},
	}, {
		name:  "row 05 equal counters of two meters",
		make:  two(counting("http.requests"), counting("http.requests"), "one", "two"),
		lines: []string{`http_requests_total{path="/a"} 2`},
	}, {
		name: "row 05 with scope labels",
		opts: scopeLabels,
		make: two(counting("http.requests"), counting("http.requests"), "one", "two"),
		lines: []string{
			`http_requests_total{` + scope("one", "") + `path="/a"} 1`,
			`http_requests_total{` + scope("two", "") + `path="/a"} 1`,
		},
	}, {
		name:     "row 06 descriptions of two meters differ",
		make:     two(counting("http.requests", desc("A")), counting("http.requests", desc("B")), "one", "two"),
		lines:    []string{`http_requests_total{path="/a"} 2`, "# HELP http_requests_total A"},
		conflict: "Description Merged",
	}, {
		name: "row 06 with scope labels",
		opts: scopeLabels,
		make: two(counting("http.requests", desc("A")), counting("http.requests", desc("B")), "one", "two"),
		lines: []string{
			`http_requests_total{` + scope("one", "") + `path="/a"} 1`,
			`http_requests_total{` + scope("two", "") + `path="/a"} 1`,
			"# HELP http_requests_total A",
		},
		conflict: "Description Merged",
	}, {
		name:     "row 07 counter and gauge of one meter",
		make:     two(counting("http.requests"), gauging("http.requests.total", 7)),
		lines:    []string{`http_requests_total{path="/a"} 1`, `http_requests_total_gauge{path="/a"} 7`},
		conflict: "Kind Renamed",
	}, {
		name:     "row 07 counter and gauge of two meters",
		make:     two(counting("http.requests"), gauging("http.requests.total", 7), "one", "two"),
		lines:    []string{`http_requests_total{path="/a"} 1`, `http_requests_total_gauge{path="/a"} 7`},
		conflict: "Kind Renamed",
	}, {
		name:     "row 07 gauge, then counter",
		make:     two(gauging("jobs", 7), counting("jobs")),
		lines:    []string{`jobs{path="/a"} 7`, `jobs_counter_total{path="/a"} 1`},
		conflict: "Kind Renamed",
	}, {
		name:     "row 08 up-down counter and gauge",
		make:     two(upDown("online.users"), gauging("online.users", 7)),
		lines:    []string{`online_users{path="/a"} 1`, `online_users_gauge{path="/a"} 7`},
		conflict: "Kind Renamed",
	}, {
		name: "row 08 gauge, then up-down counter, in bytes per second",
		make: two(gauging("flow", 7, unit("By/s")), func(m metric.Meter) error {
			i, err := m.Int64UpDownCounter("flow", unit("By/s"))
			i.Add(ctx, 1, path)
			return err
		}),
		lines: []string{
			`flow_bytes_per_second{path="/a"} 7`, `flow_bytes_per_second_updowncounter{path="/a"} 1`,
		},
		conflict: "Kind Renamed",
	}, {
		name:     "row 09 counter and observable counter",
		make:     two(counting("http.requests"), observingCounter("http.requests", 5)),
		lines:    []string{`http_requests_total{path="/a"} 6`},
		conflict: "Kind Merged",
	}, {
		name:  "row 09b an observable counter made twice",
		make:  two(observingCounter("http.requests", 5), observingCounter("http.requests", 6)),
		lines: []string{`http_requests_total{path="/a"} 11`},
	}, {
		name:  "row 09b an observable counter of two meters",
		make:  two(observingCounter("http.requests", 5), observingCounter("http.requests", 6), "one", "two"),
		lines: []string{`http_requests_total{path="/a"} 11`},
	}, {
		name: "row 10 int64 counter and float64 counter",
		make: two(counting("http.requests"), func(m metric.Meter) error {
			i, err := m.Float64Counter("http.requests")
			i.Add(ctx, 1.5, path)
			return err
		}),
		lines:    []string{`http_requests_total{path="/a"} 2.5`},
		conflict: "Number Merged",
	}, {
		name: "row 11 int64 gauge and float64 gauge",
		make: two(gauging("pool", 7), func(m metric.Meter) error {
			i, err := m.Float64Gauge("pool")
			i.Record(ctx, 1.5, path)
			return err
		}),
		lines:    []string{`pool{path="/a"} 7`, `pool_gauge{path="/a"} 1.5`},
		conflict: "Number Renamed",
	}, {
		name: "row 12 int64 histogram and float64 histogram",
		make: two(func(m metric.Meter) error {
			i, err := m.Int64Histogram("size", metric.WithExplicitBucketBoundaries(1, 2))
			i.Record(ctx, 1, path)
			return err
		}, timing("size", 1.5, metric.WithExplicitBucketBoundaries(1, 2))),
		lines: []string{
			`size_bucket{path="/a",le="1"} 1`, `size_bucket{path="/a",le="2"} 2`, `size_count{path="/a"} 2`,
			`size_sum{path="/a"} 2.5`,
		},
		conflict: "Number Merged",
	}, {
		name:     "row 13 http.requests and http_requests",
		make:     two(counting("http.requests"), counting("http_requests")),
		lines:    []string{`http_requests_total{path="/a"} 2`},
		conflict: "Name Merged",
	}, {
		name:     "row 14 http.requests and http_requests_total",
		make:     two(counting("http.requests"), counting("http_requests_total"), "one", "two"),
		lines:    []string{`http_requests_total{path="/a"} 2`},
		conflict: "Name Merged",
	}, {
		name: "row 15 the unit is in the name",
		make: two(timing("http.request.duration", .2, unit("s")),
			timing("http_request_duration_seconds", .2), "one", "two"),
		lines: []string{
			`http_request_duration_seconds_count{path="/a"} 2`, `http_request_duration_seconds_bucket{path="/a",le="0.25"} 2`,
			`http_request_duration_seconds_bucket{path="/a",le="0.005"} 0`,
		},
		conflict: "Unit Merged",
	}, {
		name:  "row 16 names that differ in case",
		make:  two(counting("http.requests"), counting("HTTP.Requests")),
		lines: []string{`http_requests_total{path="/a"} 2`},
	}, {
		name:  "row 16 names that differ in case, of two meters",
		make:  two(counting("http.requests"), counting("HTTP.Requests"), "one", "two"),
		lines: []string{`http_requests_total{path="/a"} 2`},
	}, {
		name:     "row 17 seconds and milliseconds",
		make:     two(timing("lat", .2, unit("s")), timing("lat", 200, unit("ms"))),
		lines:    []string{`lat_seconds_count{path="/a"} 1`, `lat_milliseconds_count{path="/a"} 1`},
		conflict: "Unit Kept",
	}, {
		name:     "row 18 annotations as units",
		make:     two(counting("sent", unit("{message}")), counting("sent", unit("{msg}"))),
		lines:    []string{`sent_total{path="/a"} 2`},
		conflict: "Unit Merged",
	}, {
		name: "row 19 boundaries of one meter differ",
		make: two(timing("lat", 1, metric.WithExplicitBucketBoundaries(1, 10)),
			timing("lat", 6, metric.WithExplicitBucketBoundaries(5, 50))),
		lines: []string{
			`lat_count{path="/a"} 2`, `lat_bucket{path="/a",le="1"} 1`, `lat_bucket{path="/a",le="10"} 2`,
		},
		absent:   []string{`lat_bucket{path="/a",le="5"}`},
		conflict: "Buckets Merged",
	}, {
		name: "row 19 boundaries of two meters differ",
		make: two(timing("lat", 1, metric.WithExplicitBucketBoundaries(1, 10)),
			timing("lat", 6, metric.WithExplicitBucketBoundaries(5, 50)), "one", "two"),
		lines: []string{
			`lat_count{path="/a"} 2`, `lat_bucket{path="/a",le="1"} 1`, `lat_bucket{path="/a",le="10"} 2`,
		},
		absent:   []string{`lat_bucket{path="/a",le="5"}`},
		conflict: "Buckets Merged",
	}, {
		name:         "row 20 two observable gauges of one meter",
		make:         two(observingGauge("pool", 5), observingGauge("pool", 6)),
		lines:        []string{`pool{path="/a"} 5`},
		conflict:     "Duplicate Merged",
		atCollection: true,
	}, {
		name:         "row 20 two observable gauges of two meters",
		make:         two(observingGauge("pool", 5), observingGauge("pool", 6), "one", "two"),
		lines:        []string{`pool{path="/a"} 5`},
		conflict:     "Duplicate Merged",
		atCollection: true,
	}, {
		name:     "row 21 histogram lat, gauge lat.count",
		make:     two(timing("lat", 1), gauging("lat.count", 7)),
		lines:    []string{`lat_count{path="/a"} 1`, `lat_count_gauge{path="/a"} 7`},
		conflict: "Name Renamed",
	}, {
		name:     "row 21 gauge lat.sum, histogram lat",
		make:     two(gauging("lat.sum", 7), timing("lat", 1)),
		lines:    []string{`lat_sum{path="/a"} 7`, `lat_histogram_count{path="/a"} 1`},
		conflict: "Name Renamed",
	}, {
		name:     "row 21 histogram lat, gauge lat.bucket",
		make:     two(timing("lat", 1), gauging("lat.bucket", 7)),
		lines:    []string{`lat_count{path="/a"} 1`, `lat_bucket_gauge{path="/a"} 7`},
		conflict: "Name Renamed",
	}, {
		name:  "row 22 two versions of one meter",
		make:  versions,
		lines: []string{`http_requests_total{path="/a"} 2`},
	}, {
		name: "row 22 with scope labels",
		opts: scopeLabels,
		make: versions,
		lines: []string{
			`http_requests_total{` + scope("one", "1") + `path="/a"} 1`,
			`http_requests_total{` + scope("one", "2") + `path="/a"} 1`,
		},
	}, {
		name: "row 23 a counter called target.info",
		make: two(counting("target.info"), func(metric.Meter) error { return nil }),
		lines: []string{
			`target_info_counter_total{path="/a"} 1`, "# TYPE target_info gauge", "# HELP target_info Target metadata",
		},
		conflict: "Reserved Renamed",
	}, {
		name:     "row 23 a gauge called target.info",
		make:     func(p *telemetry.Provider) error { return gauge(p.Meter("one"), "target.info", 7) },
		lines:    []string{`target_info_gauge{path="/a"} 7`, "# HELP target_info Target metadata"},
		conflict: "Reserved Renamed",
	}, {
		name: "row 25 two attributes that become one label",
		make: adding(attribute.String("http.route", "/a"), attribute.String("http_route", "/b")),
		lines: []string{
			`hits_total{http_route="/a;/b"} 1`,
		},
	}, {
		name: "row 26 attributes with reserved names",
		make: adding(attribute.String("le", "1"), attribute.String("quantile", "2"), attribute.String("__name__", "3"),
			attribute.String("otel_scope_name", "4")),
		lines: []string{
			`hits_total{exported_le="1",exported_name="3",exported_otel_scope_name="4",exported_quantile="2"} 1`,
		},
		conflict: "Reserved Repaired", atCollection: true,
	}, {
		name: "row 26 otel.scope.name with scope labels",
		opts: scopeLabels,
		make: adding(attribute.String("otel.scope.name", "4")),
		lines: []string{
			`hits_total{exported_otel_scope_name="4",` + strings.TrimSuffix(scope("one", ""), ",") + `} 1`,
		},
		conflict: "Reserved Repaired", atCollection: true,
	}, {
		name: "row 26 le on a histogram",
		make: func(p *telemetry.Provider) error {
			i, err := p.Meter("one").Float64Histogram("lat", metric.WithExplicitBucketBoundaries(1))
			i.Record(ctx, 2, metric.WithAttributes(attribute.String("le", "x")))
			return err
		},
		lines:    []string{`lat_bucket{exported_le="x",le="1"} 0`, `lat_count{exported_le="x"} 1`},
		conflict: "Reserved Repaired", atCollection: true,
	}, {
		name: "row 27 a value that is not UTF-8",
		make: two(counting("hits"), func(m metric.Meter) error {
			i, err := m.Int64Counter("hits")
			i.Add(ctx, 1, metric.WithAttributes(attribute.String("path", "/\xff\xfe")))
			return err
		}),
		lines:    []string{`hits_total{path="/a"} 1`, "hits_total{path=\"/\uFFFD\"} 1"},
		conflict: "Encoding Repaired", atCollection: true,
	}, {
		name:     "row 28 an attribute with an empty key",
		make:     adding(attribute.String("", "x"), attribute.String("path", "/a")),
		lines:    []string{`hits_total{path="/a"} 1`},
		conflict: "Encoding Repaired", atCollection: true,
	}, {
		name: "row 33 a client_golang counter with another HELP",
		opts: []telemetry.Option{telemetry.WithGatherer(registryWith(prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "http_requests_total", Help: "B"}, []string{"path"}), "/a", "/b"))},
		make: two(counting("http.requests", desc("A")), counting("http.requests", desc("A"))),
		lines: []string{
			`http_requests_total{path="/a"} 3`, `http_requests_total{path="/b"} 1`, "# HELP http_requests_total A",
		},
		conflict: "Description Merged", atCollection: true,
	}, {
		name: "row 33 our HELP is empty",
		opts: []telemetry.Option{telemetry.WithGatherer(registryWith(prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "http_requests_total", Help: "B"}, []string{"path"}), "/b"))},
		make: two(counting("http.requests"), counting("http.requests")),
		lines: []string{
			`http_requests_total{path="/a"} 2`, `http_requests_total{path="/b"} 1`, "# HELP http_requests_total B",
		},
	}, {
		name: "row 34 a client_golang counter beside a gauge",
		opts: []telemetry.Option{telemetry.WithGatherer(registryWith(prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "jobs", Help: "B"}, []string{"path"}), "/b"))},
		make:     func(p *telemetry.Provider) error { return gauge(p.Meter("one"), "jobs", 7) },
		lines:    []string{`jobs{path="/a"} 7`, `jobs_counter_total{path="/b"} 1`},
		conflict: "Kind Renamed", atCollection: true,
	}, {
		name: "row 34 a client_golang gauge beside a counter",
		opts: []telemetry.Option{telemetry.WithGatherer(registryWith(prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "http_requests_total", Help: "B"}, []string{"path"}), "/b"))},
		make:     two(counting("http.requests"), counting("http.requests")),
		lines:    []string{`http_requests_total{path="/a"} 2`, `http_requests_total_gauge{path="/b"} 1`},
		conflict: "Kind Renamed", atCollection: true,
	}, {
		name: "row 34 a client_golang gauge beside a histogram's count",
		opts: []telemetry.Option{telemetry.WithGatherer(registryWith(prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "lat_count", Help: "B"}, []string{"path"}), "/b"))},
		make:     func(p *telemetry.Provider) error { return histogram(p.Meter("one"), "lat", 1) },
		lines:    []string{`lat_count{path="/a"} 1`, `lat_count_gauge{path="/b"} 1`},
		conflict: "Name Renamed", atCollection: true,
	}, {
		name: "row 37b a view that renames",
		opts: []telemetry.Option{telemetry.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: "b"}, sdkmetric.Stream{Name: "a"}))},
		make:     two(counting("a", desc("A")), counting("b", desc("B"))),
		lines:    []string{`a_total{path="/a"} 2`, "# HELP a_total A"},
		conflict: "Description Merged", atCollection: true,
	},
}

func versions(p *telemetry.Provider) error {
	if err := count(p.Meter("one", metric.WithInstrumentationVersion("1")), "http.requests"); err != nil {
		return err
	}
	return count(p.Meter("one", metric.WithInstrumentationVersion("2")), "http.requests")
}

func adding(kvs ...attribute.KeyValue) func(*telemetry.Provider) error {
	return func(p *telemetry.Provider) error {
		i, err := p.Meter("one").Int64Counter("hits")
		i.Add(ctx, 1, metric.WithAttributes(kvs...))
		return err
	}
}

// registryWith returns a client_golang registry with a vector that has 1 for each path.
func registryWith(c prometheus.Collector, paths ...string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	for _, p := range paths {
		switch v := c.(type) {
		case *prometheus.CounterVec:
			v.WithLabelValues(p).Inc()
		case *prometheus.GaugeVec:
			v.WithLabelValues(p).Inc()
		}
	}
	return reg
}

func TestIdentity(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, r.opts...)
			if err := r.make(p); err != nil {
				t.Fatalf("creation: %v", err)
			}
			scrape(t, p)
			lines := strings.Split(string(get(t, p.Handler(), acceptText)), "\n")
			for _, want := range r.lines {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %s\n%s", want, interesting(lines))
				}
			}
			for _, prefix := range r.absent {
				if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) }); i >= 0 {
					t.Errorf("there is a line %s", lines[i])
				}
			}
			if got := told(p); got != r.conflict {
				t.Errorf("told %q, want %q: %v", got, r.conflict, p.Conflicts())
			}
			if reason, _, _ := strings.Cut(r.conflict, " "); reason != "" {
				want := fmt.Sprintf(`reason=%q} 1`, reason)
				if !slices.ContainsFunc(lines, func(l string) bool {
					return strings.HasPrefix(l, "telemetry_conflicts_total{") && strings.HasSuffix(l, want)
				}) {
					t.Errorf("no telemetry_conflicts_total with %s", want)
				}
			}
		})
	}
}

// Every row is pushed as it is on the page.
func TestIdentityIsPushed(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			p := newProvider(t, append(r.opts, telemetry.WithMetricExporter(w))...)
			_ = r.make(p) // TestIdentity looks at it
			scrape(t, p)
			if slices.ContainsFunc(strings.Split(string(get(t, p.Handler(), acceptText)), "\n"), func(l string) bool {
				return strings.Contains(l, "otel_scope_name=") && !strings.Contains(l, "exported_otel_scope_name=")
			}) {
				w.agrees(t, p)
			} else {
				w.agrees(t, p, otelprom.WithoutScopeInfo())
			}
		})
	}
}

// told lists the conflicts of a provider as "Reason Resolution".
func told(p *telemetry.Provider) string {
	var out []string
	for _, c := range p.Conflicts() {
		out = append(out, string(c.Reason)+" "+string(c.Resolution))
	}
	return strings.Join(out, ", ")
}

// interesting leaves out a provider's metrics about itself.
func interesting(lines []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return strings.Contains(l, "telemetry_")
	}), "\n")
}

// Under Reject, each conflict that can be seen at creation is an error and an instrument that does nothing.
func TestReject(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, append(r.opts, telemetry.WithConflictPolicy(telemetry.Reject))...)
			err := r.make(p)
			var conflict *telemetry.ConflictError
			if want := r.conflict != "" && !r.atCollection; errors.As(err, &conflict) != want {
				// A conflict of a single instrument is an error of the first creation, which two() marks.
				t.Fatalf("error %v, want a conflict: %v", err, want)
			}
			if conflict != nil {
				if conflict.Conflict.Resolution != telemetry.Rejected || !strings.HasPrefix(r.conflict, string(conflict.Conflict.Reason)) {
					t.Errorf("conflict %v, want %s", conflict.Conflict, r.conflict)
				}
				for _, site := range []string{conflict.Conflict.First.Site, conflict.Conflict.Second.Site} {
					if !strings.Contains(err.Error(), site) || site == "" {
						t.Errorf("the site %q is not in the error %v", site, err)
					}
				}
			}
			scrape(t, p)
		})
	}
}
