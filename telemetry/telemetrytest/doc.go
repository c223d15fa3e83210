// Package telemetrytest lets a test see what the code under test measures.
//
// New returns a Recorder: a telemetry.Provider under the Reject policy, shut down with the test. It touches no
// global, so tests run in parallel. Give it to the code under test as its metric.MeterProvider, then ask:
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
// Two packages that define one name differently bring down neither: telemetry merges them and tells. But a test
// finds it first. This one, in the program that has both, would have caught the outage this project began with,
// where two packages gave http_requests_total different help texts and the process did not start:
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
//		for _, c := range rec.Conflicts() { // of code that ignores errors
//			t.Error(c)
//		}
//	}
//
// Instruments of telemetry.Meter, such as package-level variables, belong to the process and are in no Recorder. A
// test in the program that imports them all, not in parallel with others, asks for their conflicts after Setup:
//
//	func TestPackagesAgree(t *testing.T) {
//		p, err := telemetry.Setup(t.Context())
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer p.Shutdown(context.Background())
//		for _, c := range p.Conflicts() {
//			t.Error(c)
//		}
//	}
//
// Exposition is the page that Prometheus would scrape, without what differs from run to run: compare it with a
// golden file, and a renamed metric or a changed HELP is seen in review.
package telemetrytest
