// Package telemetry gives a process metrics that cannot fail: OpenTelemetry's instruments, exposed to Prometheus,
// without a panic, a failed scrape or a lost count when two pieces of code define one thing differently.
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
// An instrument is identified when it is created, by the family that it will have in Prometheus: http.requests, a
// counter, is http_requests_total. Where the family is there already, the second instrument is merged with the first,
// or renamed beside it. What a synchronous instrument records goes to series of our own, which the page and cumulative
// pushes read; a scrape writes the text of their labels, which is kept, and the numbers. Five files lead from an increment
// to the page: instruments.go, internal/series/hot.go, cell.go in internal/cell, internal/series/lines.go, write.go.
//
// The SDK has the rest: observable instruments, those that a view matches, and all where a reader of the caller's
// ([WithReader]) or delta temporality is there. When the page is read, observable callbacks run outside the SDK's locks,
// each under a deadline. What the SDK collected is merged and repaired once more, for what creation cannot see, which is
// views and attributes; OpenTelemetry's Prometheus exporter turns it into families; and client_golang's families are
// merged with these. A page for protobuf, and [Provider.Gatherer], have all families by this way.
//
// # Recording where speed matters
//
// Instruments satisfy the Binder of their kind and the Finisher of go.opentelemetry.io/otel/metric/x, which are
// experimental there. A bound instrument has its attributes looked up once; recording through it allocates nothing:
//
//	ok := requests.(x.Int64CounterBinder).Bind(attribute.String("result", "ok"))
//	ok.Add(ctx, 1)
//
// It is the same series as that of the call with these attributes, and there is none before the first measurement. Finish
// ends a series: it is collected once more by the page and by each push, and then its memory is free. What is recorded
// later starts anew, and is collected from the next time on. The page counts as one reader, so of two servers that scrape it
// one sees the last value of a finished series. A page that nobody has read for five minutes is not waited for.
// Where the SDK has the instrument, a bound one costs what the call costs there, and Finish does nothing.
//
// Without Bind, an option of metric.WithAttributeSet that is made once and used again costs a few times a bound call;
// metric.WithAttributes at each call costs most of all, as it sorts the attributes.
//
// Each conflict is told once, with both places in the code: as a warning in slog, in [Provider.Conflicts], on the
// page of [Provider.DebugHandler], and in telemetry_conflicts_total{reason}, which an alert can watch. [WithLogger] takes another
// logger.
//
// # Metrics of client_golang
//
// They are on the same page and are pushed too, merged with OpenTelemetry's by the same rules, if they are registered
// with client_golang's default registry and package promguard is imported, or with [Provider.Registerer]; both name the
// places of a conflict. [WithGatherer] adds a registry of one's own. What does not conflict is on the page as
// client_golang has it, names that are not in the text format included.
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
//   - One name, two kinds. The first keeps the name; the second ends in its kind: a gauge beside the counter
//     http_requests_total is http_requests_total_gauge (Kind, Renamed). A counter and an observable counter are of one
//     kind, and add up (Kind, Merged).
//   - Two spellings: http.requests, http_requests, http_requests_total. One family (Name, Merged); case alone is no
//     conflict.
//   - One histogram, other buckets. One series with the boundaries of the first; counts of the second move to the
//     bucket that holds their own (Buckets, Merged). Histograms in seconds without boundaries have .005 to 10.
//   - One quantity in two units, lat in s and in ms. Two families, lat_seconds and lat_milliseconds, and a warning,
//     as their numbers do not compare (Unit, Kept).
//   - Two gauges, or two callbacks of an observable gauge, with equal labels. The first one's value, at every scrape
//     (Duplicate, Merged): gauges cannot be added.
//
// An attribute without a value is no label, as Prometheus's data model has it, and a family without a description has no
// HELP. Beyond that, a label called le, quantile, __name__ or otel_scope_… becomes exported_le and so on (Reserved,
// Repaired); text that is not UTF-8 has U+FFFD in place of what is not (Encoding, Repaired); an instrument has at
// most 2000 series, then one with otel_metric_overflow="true", and is told of at 80 % (Cardinality, Limited); and
// callbacks, collectors and gatherers that fail, panic or hang cost the page their own metrics only
// (telemetry_callback_errors_total, telemetry_scrape_errors_total{reason}).
//
// Where histograms of either library meet, classic buckets have the first one's boundaries, exponential and native ones
// the coarser resolution of the two; of one classic and one native histogram the sum is classic. The quantiles of
// summaries cannot be added: count and sum are, and the first one's quantiles are shown. Two functions or collectors of
// client_golang that report one series are not added up, as they may report one thing: the first one's value is shown.
//
// The Go runtime is measured once: a second runtime.Start does nothing, and where client_golang's Go collector is on
// the page, OpenTelemetry's metrics of the runtime are left out.
//
// In tests, package telemetrytest makes each conflict of instruments an error at creation, and its NoConflicts reports
// all others.
//
// # Push and traces
//
// The page is always there. OpenTelemetry's environment variables add pushes of metrics, and turn traces on:
// OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER (otlp, console, none), OTEL_EXPORTER_OTLP_… with the forms of one
// signal, over http/protobuf or grpc, OTEL_METRIC_EXPORT_INTERVAL, OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_PROPAGATORS,
// OTEL_METRICS_EXEMPLAR_FILTER. Where an endpoint is named, otlp is the default; where nothing is, nothing is sent,
// and no span is made. A wrong value is an error of New and Setup that names the variable; an unknown word of a list,
// such as a sampler's, is ignored with a warning. [WithMetricExporter] and [WithSpanExporter] add exporters made in
// code.
//
// A push agrees with the page: merged instruments are one metric of the first one's scope, renamed and repaired ones
// are so there too, client_golang's metrics go along, and a collector's page for Prometheus equals /metrics. What
// needs no repair is pushed as OpenTelemetry has it, with its own name, scope, attributes and number type. Four things
// differ, as OTLP has no word for them: an untyped metric of client_golang is sent as a gauge; its counters get _total at
// the end if they have none; its histograms with both kinds of buckets are sent with the classic ones; and with delta
// temporality its metrics are not added to ours.
//
// A receiver that is away costs nothing but what it would have got: recording and scrapes go on, each push is given
// up in its time, and the next one has every count, unless delta temporality was chosen. telemetry_exports_total and
// telemetry_export_errors_total{reason} count pushes; the log tells when they begin to fail, and when they work again.
// [Provider.Shutdown] sends what is left, within its context or five seconds.
//
// A measurement within a sampled span carries its trace to the page: as an exemplar, in OpenMetrics.
//
// # Concurrency and bounds
//
// Everything here is safe for concurrent use. Memory grows with distinct instruments and, within the cardinality limit,
// with series. Conflicts are kept up to 1000. At most eight scrapes
// run at a time; a hanging callback or gatherer is not started again until it returns.
package telemetry
