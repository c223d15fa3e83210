// Package telemetrytest lets a test check what the code under test measures, and fails a test if two packages define
// one metric differently. [New] returns a [Recorder], which reads what was recorded; [NoConflicts] reports conflicts.
//
// # Code that takes a MeterProvider
//
// A Recorder is a telemetry.Provider under the Reject policy, which is shut down when the test ends. It changes no global
// state, so tests may run in parallel. Pass it to the code under test, then check:
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
// This test would have prevented the outage with which this project began: two packages gave http_requests_total different
// help texts, and the process did not start.
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
//		telemetrytest.NoConflicts(t, rec.Provider) // also conflicts whose error was ignored, and those that only a scrape shows
//	}
//
// # Package-level metrics
//
// Instruments of telemetry.Meter belong to the process, so no Recorder has them. Write a test in package main, which
// imports every package that measures, and call Setup as main does. No other test may call Setup at the same time:
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
// If main imports package promguard, the test above also finds the conflicts of client_golang's default registry,
// including those of package-level promauto metrics. Pass the Registerer of a Recorder to code that takes a
// prometheus.Registerer; the Recorder then counts its metrics too:
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
// Exposition returns the page that Prometheus would scrape, without the parts that differ from run to run. Compare it
// with a golden file, so that a renamed metric or a changed HELP shows up in review.
package telemetrytest
