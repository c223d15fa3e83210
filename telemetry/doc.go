// Package telemetry gives a process metrics that cannot fail: OpenTelemetry's instruments, exposed to Prometheus,
// without a panic, a failed scrape or a lost count when two pieces of code define the same thing differently.
//
// Call Setup once, in main, and serve its Handler as /metrics. Libraries and package-level variables use Meter:
//
//	var requests, _ = telemetry.Meter("github.com/acme/pay").Int64Counter("pay.requests")
//
// Three layers lie behind it. An instrument is identified at creation by the family that it will have in Prometheus,
// and merged with, or renamed beside, what is there. It then is the SDK's own instrument: recording costs what it
// costs there. At exposition, what the SDK collected is merged and repaired once more, for what creation cannot see:
// views, attributes, and client_golang registries served on the same page.
//
// Each conflict is told once, with both places in the code: in the log, in Conflicts, in
// telemetry_conflicts_total{reason}.
package telemetry
