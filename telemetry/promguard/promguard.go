// Package promguard keeps client_golang's default registry from ending the process. Import it for its effect, mostly in
// package main:
//
//	import _ "github.com/onemeter/onemeter/telemetry/promguard"
//
// Then two packages may define the same name, with promauto, prometheus.MustRegister or prometheus.Register, in any
// order and before main runs. Nothing panics, promhttp.Handler serves one page with the sum of both, and the log says
// once which two lines of code define the name differently:
//
//	WARN telemetry: conflict family=http_requests_total reason=Description resolution=Merged
//	  first="float64 counter \"http_requests_total\" (\"Total number of HTTP requests\") at shop.example/api/metrics.go:12"
//	  second="float64 counter \"http_requests_total\" (\"HTTP请求总数\") at shop.example/push/metrics.go:31"
//
// Code without conflicts behaves as it does without this package, which includes the errors of Register. Metrics of
// client_golang stay unchanged, so recording costs the same.
//
// With [telemetry.Setup], the same page has OpenTelemetry's instruments too. Provider.Handler serves this page, and
// OTLP pushes send it. MIGRATING.md in this folder says how each kind of conflict is decided, what this import cannot
// fix, and how to move to OpenTelemetry one metric at a time.
//
// # What it replaces
//
// It replaces prometheus.DefaultRegisterer and prometheus.DefaultGatherer when the program is initialized. Go
// initializes packages whose imports are ready in the order of their import paths. The package behind this one
// imports no more than client_golang does, so it is ready at the same time as promauto, and its path comes first.
//
// There are three things that it cannot cure:
//
//   - Packages that are initialized earlier, because their path sorts before github.com/onemeter and they do not import
//     promauto, and that call prometheus.MustRegister while they are initialized. The metrics of one such package are
//     served, as "registered before promguard was there"; a second definition of the name still panics. Import
//     promguard in such a package too.
//   - Code that asserts prometheus.DefaultRegisterer.(*prometheus.Registry): without a check, that panics.
//   - Registries of prometheus.NewRegistry. Use Provider.Registerer, or telemetry.WithGatherer.
package promguard

import (
	_ "github.com/onemeter/onemeter/telemetry" // makes the page
	_ "github.com/onemeter/onemeter/telemetry/internal/guard/install"
)
