// Package telemetrytest lets a test see what the code under test measures, and fails a test where two packages define
// one metric differently.
//
// # Code that takes a MeterProvider
//
// New returns a Recorder: a telemetry.Provider under the Reject policy, shut down with the test. It touches no global,
// so tests run in parallel. Give it to the code under test, then ask:
//
//	func TestPay(t *testing.T) {
//		t.Parallel()
//		rec := telemetrytest.New(t)
//		shop := shop.New(rec) // takes a metric.MeterProvider
//		shop.Pay("alice", 3)
//		if got := rec.Sum("shop.payments", attribute.String("result", "ok")); got != 1 {
//			t.Errorf("payments = %v, want 1", got)
//		}
//	}
//
// This test would have caught the outage this project began with, where two packages gave http_requests_total
// different help texts and the process did not start:
//
//	func TestMetricsAgree(t *testing.T) {
//		rec := telemetrytest.New(t)
//		if err := api.Instrument(rec); err != nil {
//			t.Error(err)
//		}
//		if err := push.Instrument(rec); err != nil {
//			t.Error(err) // telemetry: conflict: http_requests_total: description, rejected: first … at
//			             // github.com/acme/api/metrics.go:12, then … at github.com/acme/push/metrics.go:31
//		}
//		telemetrytest.NoConflicts(t, rec.Provider) // of code that ignores errors, and of what only a scrape shows
//	}
//
// # Package-level metrics
//
// Instruments of telemetry.Meter belong to the process and are in no Recorder. Write a test in package main, which
// imports every package that measures, and set up as main does. No other test may call Setup at the same time:
//
//	func TestPackagesAgree(t *testing.T) {
//		p, err := telemetry.Setup(t.Context(), telemetry.WithoutRuntime(), telemetry.WithoutPush())
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer p.Shutdown(context.Background())
//		telemetrytest.NoConflicts(t, p)
//	}
//
// # Code on client_golang
//
// Where main imports package promguard, the test above finds the conflicts of client_golang's default registry too,
// those of package-level promauto metrics included. Code that takes a prometheus.Registerer gets that of a Recorder,
// which counts its metrics as well:
//
//	rec := telemetrytest.New(t)
//	jobs.Register(rec.Registerer())
//	jobs.Run()
//	if got := rec.Sum("jobs_total", attribute.String("queue", "mail")); got != 1 {
//		t.Errorf("jobs = %v, want 1", got)
//	}
//	telemetrytest.NoConflicts(t, rec.Provider)
//
// # Golden files
//
// Exposition is the page that Prometheus would scrape, without what differs from run to run: compare it with a
// golden file, and a renamed metric or a changed HELP is seen in review.
package telemetrytest
