// Package telemetry gives a process metrics that cannot fail: OpenTelemetry's instruments, exposed to Prometheus,
// without a panic, a failed scrape or a lost count when two pieces of code define one metric differently.
//
// Call [Setup] once, in main, and serve its [Provider.Handler] as /metrics. Libraries and package-level variables use
// [Meter], which works before Setup and after it:
//
//	var requests, _ = telemetry.Meter("github.com/acme/pay").Int64Counter("pay.requests")
//
// Instruments are OpenTelemetry's own types; there is nothing else to learn, and nothing to migrate away from.
//
// # From an instrument to the page
//
// An instrument gets its Prometheus family when it is created: the counter http.requests is http_requests_total. If the
// family exists already, the second instrument is merged with the first, or exposed under another name.
//
// Synchronous instruments record to series of this package, which the page and cumulative pushes read. A scrape writes the
// text of their labels, which is built once and kept, and the current numbers. To follow an increment to the page, read
// instruments.go, internal/series/hot.go, internal/cell/cell.go, internal/series/lines.go and write.go.
//
// The SDK keeps the series of observable instruments, of instruments that a view matches, and of every instrument if you
// pass [WithReader] or choose delta temporality. At a scrape, observable callbacks run outside the SDK's locks, each with a
// deadline. What the SDK collects is merged and repaired again, because views and attributes are not known at creation.
// OpenTelemetry's Prometheus exporter turns it into families, and client_golang's families are merged with these. The page
// in protobuf and [Provider.Gatherer] use this path for all families.
//
// # Recording where speed matters
//
// [Bind] returns an instrument with its attributes looked up once; recording through it allocates nothing:
//
//	ok := telemetry.Bind(requests, attribute.String("result", "ok"))
//	ok.Add(ctx, 1)
//
// It records to the same series as a call with these attributes. The series is created by the first measurement. Without
// [Bind], create the option of metric.WithAttributeSet once and reuse it: that costs a few times as much as a bound call.
// metric.WithAttributes in each call costs most, because it sorts the attributes.
//
// Instruments also implement the Binder of their kind and the Finisher of go.opentelemetry.io/otel/metric/x, which is
// experimental. Finish ends a series: the page and each push collect it once more, and then its memory is freed. A later measurement
// starts a new series at zero, which appears in the collection after the last one of the old series. Use it for series that
// do not come back, such as those of a tenant that left: if a series starts again, Prometheus sees a counter reset, and if
// other instruments share the family and the labels, their sum falls by the part that ended. The page counts as one reader:
// if two servers scrape it, only one of them sees the last value. If nobody reads the page for five minutes, ended series
// are freed without being shown. If the SDK keeps the series, a bound instrument costs as much as the SDK's, and
// Finish does nothing.
//
// # Conflicts
//
// Each conflict is reported once, with the two places in the code: as a warning in slog, in [Provider.Conflicts], on the
// page of [Provider.DebugHandler], and in telemetry_conflicts_total{reason}, which an alert can watch. [WithLogger] sets
// another logger.
//
// # Metrics of client_golang
//
// Metrics registered with [Provider.Registerer], or with client_golang's default registry if package promguard is imported,
// are on the same page and are pushed too. They are merged with OpenTelemetry's by the same rules, and a conflict names
// both places. [WithGatherer] adds a registry of your own. Metrics without a conflict are exposed as
// client_golang exposes them, including names that the text format does not allow.
//
// # Coming from client_golang
//
// Where client_golang panics or returns an error, OpenTelemetry's instruments get this instead:
//
//   - One name, two help texts. One family with the sum of both, and the first HELP that is not empty
//     (Description, Merged).
//   - One name, other labels. Two series of one family; no conflict.
//   - One name, registered twice. The same instrument; no conflict, and no AlreadyRegisteredError to handle. Two
//     observable counters with a callback each add up.
//   - One name, two kinds. The first keeps the name; the second gets a name that ends in its kind: a gauge beside the
//     counter http_requests_total is http_requests_total_gauge (Kind, Renamed). A counter and an observable counter are of
//     one kind, and add up (Kind, Merged).
//   - Two spellings: http.requests, http_requests, http_requests_total. One family (Name, Merged). Names that differ only
//     in case are equal.
//   - One histogram, other buckets. One series with the boundaries of the first; each bucket of the second is added to the
//     bucket of the first that contains it (Buckets, Merged). Histograms in seconds without boundaries have .005 to 10.
//   - One quantity in two units, lat in s and in ms. Two families, lat_seconds and lat_milliseconds, and a warning,
//     because their numbers cannot be compared (Unit, Kept).
//   - Two gauges, or two callbacks of an observable gauge, with equal labels. Every scrape shows the first one's value,
//     because gauges cannot be added (Duplicate, Merged).
//   - A negative Add to a counter. It is subtracted, as OpenTelemetry's SDK does; Prometheus sees a reset.
//
// Labels called le, quantile, __name__ or otel_scope_… become exported_le and so on (Reserved, Repaired). Invalid UTF-8 is
// replaced by U+FFFD (Encoding, Repaired). An attribute without a value is no label, because Prometheus does not
// distinguish the two, and a family without a description has no HELP. An instrument keeps up to 2000 series; the rest is
// summed in one with otel_metric_overflow="true", and a warning is logged at 80 % (Cardinality, Limited;
// [WithCardinalityLimit]). A callback, collector or gatherer that fails, panics or hangs costs the page only its own metrics
// (telemetry_callback_errors_total, telemetry_scrape_errors_total{reason}).
//
// If histograms of the two libraries meet, classic buckets have the first one's boundaries, and exponential and native ones
// the coarser resolution of the two. The sum of a classic and a native histogram is classic. Quantiles of summaries cannot
// be added: their counts and sums are, and the first one's quantiles are shown. If two functions or collectors of
// client_golang report the same series, it may be one measurement: the first one's value is shown.
//
// The Go runtime is measured once: a second runtime.Start does nothing, and if client_golang's Go collector is on the page,
// OpenTelemetry's runtime metrics are left out.
//
// In tests, package telemetrytest turns each conflict of instruments into an error at creation, and its NoConflicts reports
// all others.
//
// # Push and traces
//
// The page is always served. OpenTelemetry's environment variables add pushes of metrics, and turn traces on. For that, main
// must import package telemetry/otlp, which links the exporters; otherwise New and Setup return an error that names the import:
// OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER (otlp, console, none), OTEL_EXPORTER_OTLP_… with the variants for one
// signal, over http/protobuf or grpc, OTEL_METRIC_EXPORT_INTERVAL, OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_PROPAGATORS,
// OTEL_METRICS_EXEMPLAR_FILTER. If an endpoint is set, the default exporter is otlp; if nothing is set, nothing is sent, and
// no span is created. OTEL_SDK_DISABLED=true turns off OpenTelemetry's instruments and pushes; the page then has
// client_golang's metrics only. If a value is wrong, New and Setup return an error that names the variable, and a nil
// Provider; an unknown word of a list, such as a sampler's name, is ignored with a warning. [WithMetricExporter] and [WithSpanExporter] add
// exporters in code.
//
// A push agrees with the page: merged instruments are one metric of the first one's scope, renames and repairs are the same,
// client_golang's metrics are included, and a collector's page for Prometheus equals /metrics. Metrics that need no repair
// are pushed as OpenTelemetry has them, with their own name, scope, attributes and number type. Four things differ, because OTLP
// cannot express them: an untyped metric of client_golang is sent as a gauge; its counters get the suffix _total if they
// have none; its histograms with both kinds of buckets are sent with the classic ones; and with delta temporality its
// metrics are not added to OpenTelemetry's.
//
// If the receiver is down, the process is not affected: recording and scrapes go on, each push gives up after its timeout,
// and the next successful push has every count, unless you chose delta temporality. telemetry_exports_total and
// telemetry_export_errors_total{reason} count pushes. The log says when they begin to fail, and when they work again.
// [Provider.Shutdown] sends what is left, within its context or five seconds. After it, the page still shows what was
// recorded.
//
// A measurement within a sampled span carries its trace to the page as an OpenMetrics exemplar.
//
// # Concurrency and bounds
//
// Everything is safe for concurrent use. Memory grows with the number of distinct instruments and, within the cardinality
// limit, of series. The first 1000 conflicts are kept. At most eight scrapes run at a time. A callback or gatherer that
// hangs is not started again until it returns.
package telemetry
