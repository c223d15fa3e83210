// Package telemetry gives a process metrics that cannot fail: OpenTelemetry's instruments, exposed to Prometheus,
// without a panic, a failed scrape or a lost count when two pieces of code define one metric differently.
//
// Call [Setup] once, in main, serve its [Provider.Handler] as /metrics, and call [Provider.Shutdown] before the process
// ends. Libraries and package-level variables use [Meter], which works before Setup and after it:
//
//	var requests, _ = telemetry.Meter("github.com/acme/pay").Int64Counter("pay.requests")
//
// Instruments are OpenTelemetry's own types; there is nothing else to learn, and nothing to migrate away from.
//
// # From an instrument to the page
//
// An instrument gets its Prometheus family when it is created: the counter http.requests is http_requests_total. Names
// are translated as OpenTelemetry's specification "Prometheus and OpenMetrics Compatibility" demands, with the library
// that OpenTelemetry's Prometheus exporter uses. If the family exists already, the second instrument is merged with the
// first, or exposed under another name.
//
// Synchronous instruments record to series of this package, which the page and cumulative pushes read. A scrape writes
// the labels of each series, as text that is built once and kept, and its current numbers. To follow an increment to the
// page, read instruments.go, internal/series/hot.go, internal/cell/cell.go, internal/series/lines.go and write.go.
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
// experimental. Finish ends a series: the page and each push collect it once more, and then its memory is freed. A later
// measurement starts a new series at zero, which appears in the collection after the last one of the old series. Use it
// for series that do not come back, such as those of a tenant that left. If a series starts again, Prometheus sees a
// counter reset. If other instruments share the family and the labels, their sum falls by the part that ended.
//
// For Finish, the page counts as one reader: if two servers scrape it, only one of them sees the last value. If nobody
// reads the page for five minutes, ended series are freed without being shown. If the SDK keeps the series, Finish does
// nothing, and a bound instrument costs as much as the SDK's.
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
// This is what OpenTelemetry's instruments do where client_golang panics or returns an error. The words in parentheses
// are the [Reason] and the [Resolution] of the conflict.
//
//   - Two help texts for one name: the family has the sum of both, and the first HELP that is not empty
//     (Description, Merged).
//   - Other label names: the family has two series. This is no conflict.
//   - A name that is requested twice: both requests get the same instrument. This is no conflict, and there is no
//     AlreadyRegisteredError to handle. Two observable counters with a callback each add up.
//   - Two kinds for one name: the first keeps the name, and the name of the second ends in its kind. A gauge beside the
//     counter http_requests_total is http_requests_total_gauge (Kind, Renamed). A counter and an observable counter are
//     of one kind in Prometheus, and add up (Kind, Merged).
//   - Two spellings of one name, such as http.requests, http_requests and http_requests_total: they are one family
//     (Name, Merged). Names that differ only in case are equal, and no conflict.
//   - Two lists of bucket boundaries for one histogram: the series has the boundaries of the first, and each bucket of the
//     second is added to the bucket of the first that contains it (Buckets, Merged). A histogram in seconds without
//     boundaries has .005 to 10.
//   - One quantity in two units, such as lat in s and in ms: lat_seconds and lat_milliseconds are two families. There is a
//     warning, because their numbers cannot be compared (Unit, Kept).
//   - Two gauges, or two callbacks of an observable gauge, with equal labels: every scrape shows the value of the first,
//     because gauges cannot be added (Duplicate, Merged).
//   - A negative number passed to Add of a counter: it is subtracted, as by OpenTelemetry's SDK, and Prometheus sees a
//     counter reset.
//
// Labels called le, quantile, __name__ or otel_scope_… become exported_le and so on (Reserved, Repaired). Invalid UTF-8 is
// replaced by U+FFFD (Encoding, Repaired). An attribute with an empty value becomes no label, because Prometheus does not
// distinguish the two, and a family without a description has no HELP.
//
// An instrument keeps up to 2000 series; the rest is summed in one series with otel_metric_overflow="true". A warning is
// logged at 80 % (Cardinality, Limited; see [WithCardinalityLimit]). A callback, collector or gatherer that fails, panics or
// hangs costs the page only its own metrics, and is counted in telemetry_callback_errors_total or
// telemetry_scrape_errors_total{reason}.
//
// If histograms of the two libraries meet, classic buckets have the first one's boundaries, and exponential and native ones
// the coarser resolution of the two. The sum of a classic and a native histogram is classic. The counts and sums of two
// summaries are added, but their quantiles cannot be: the first one's are shown. If two functions or collectors of
// client_golang report the same series, it may be one measurement: the first one's value is shown.
//
// The Go runtime is measured once: a second runtime.Start does nothing, and if client_golang's Go collector is on the page,
// OpenTelemetry's runtime metrics are left out.
//
// In tests, package telemetrytest turns each conflict of instruments into an error at creation, and its NoConflicts fails
// the test for all others.
//
// # Push and traces
//
// OpenTelemetry's environment variables turn pushes of metrics and traces on. For that, main must import package
// telemetry/otlp, which links the exporters; otherwise New and Setup return an error that names the import. These
// variables are read, with the meaning that OpenTelemetry's specification gives them:
//
//	OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER              otlp, console or none
//	OTEL_EXPORTER_OTLP_…, OTEL_EXPORTER_OTLP_METRICS_…,      endpoint, protocol (http/protobuf or grpc), headers, TLS,
//	OTEL_EXPORTER_OTLP_TRACES_…                              timeout, compression, temporality, aggregation
//	OTEL_METRIC_EXPORT_INTERVAL, OTEL_METRIC_EXPORT_TIMEOUT  in milliseconds; 60000 and 30000 by default
//	OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, OTEL_BSP_…, OTEL_PROPAGATORS
//	OTEL_METRICS_EXEMPLAR_FILTER
//	OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
//	OTEL_SDK_DISABLED
//
// If only an endpoint is set, the exporter is otlp. If no exporter and no endpoint is set, nothing is sent, and no span is
// created. OTEL_SDK_DISABLED=true turns off OpenTelemetry's instruments, pushes and traces; the page then has
// client_golang's metrics only. [WithMetricExporter] and [WithSpanExporter] add exporters in code.
//
// If a value is wrong, New and Setup return an error that names the variable, and a nil Provider. An unknown word, such as
// an unknown sampler, is ignored with a warning, as the specification demands; but an unknown exporter or protocol is an
// error, because data would be lost.
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
//
// [Provider.Shutdown] sends what is left, within its context or five seconds. After it, the page goes on showing what
// synchronous instruments record, and client_golang's metrics. Series that the SDK keeps are no longer
// shown.
//
// A measurement within a sampled span carries its trace to the page as an OpenMetrics exemplar.
//
// # Concurrency and bounds
//
// Everything is safe for concurrent use. Memory grows with the number of distinct instruments and, within the cardinality
// limit, of series. The first 1000 conflicts are kept. At most eight scrapes run at a time. A callback or gatherer that
// hangs is not started again until it returns.
package telemetry
