// Package metricvet finds metrics that conflict, before they are deployed. Its command is cmd/metricvet:
//
//	$ go run github.com/onemeter/onemeter/cmd/metricvet@latest ./...
//	before/main.go:12:2: http_requests_total: help "Total number of HTTP requests" at im.example/backend/api/api.go:9,
//	"HTTP请求总数" at im.example/backend/push/push.go:6;
//	the program panics at start. Define it once, or import _ "github.com/onemeter/onemeter/telemetry/promguard" in main
//
// The exit status is 0 if nothing was found, 1 if something was found, and 2 if the code could not be read.
//
// # What it finds
//
//   - Two definitions of one name that one program links, and that both register with client_golang's default
//     registry, or with the same known registry, at every start. Their help texts or labels differ, or they are equal,
//     which panics too. metricvet understands promauto, MustRegister, custom collectors with a Describe method, and prefixes.
//   - A constructor that registers a metric and is called twice or in a loop.
//   - A NewGoCollector for the default registry, which has one already.
//   - Two instruments of one OpenTelemetry meter with different descriptions, number types or units, but one name in
//     Prometheus: OpenTelemetry's Prometheus exporter answers each scrape with 500.
//   - With -possible: also conflicts that depend on a condition, on a registry that is passed in, or on a help text that
//     is not known; histograms of one OpenTelemetry meter with different buckets; and the assertion of DefaultRegisterer
//     to *Registry, which panics under promguard.
//   - With -dashboards and -rules: names in Grafana's dashboards and Prometheus's rules that no code emits.
//
// Names may be built from constants, with +, Sprintf, BuildFQName and functions of package strings. metricvet follows them
// through options, fields, variables, and functions of any package that take a name or a part of it as a parameter. It
// does not compare a metric whose name stays partly unknown.
//
// # What it does not report
//
// It does not report metrics that are never registered, or only under a condition; metrics on registries that may differ;
// series that differ in the values of constant labels; metrics passed to Register, whose error the program handles;
// programs that replace prometheus.DefaultRegisterer; and test files. It does not follow interfaces and function values.
//
// To mute a definition, put a comment on its line or on the one above, with a reason:
//
//	//metricvet:ignore only one of the two is linked, see the Makefile
//
// # In CI
//
// This is a step of a GitHub workflow, or the entry of a local pre-commit hook with "language: system" and
// "pass_filenames: false":
//
//	go run github.com/onemeter/onemeter/cmd/metricvet@latest -dashboards deploy/grafana -rules 'deploy/rules/*.yml' -external 'node_.*' ./...
//
// For golangci-lint, package golangci makes it a custom linter. For go vet it is a tool:
//
//	go vet -vettool=$(which metricvet) ./...
//
// To a multichecker of your own, add [Analyzer].
package metricvet
