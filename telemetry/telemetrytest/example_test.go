package telemetrytest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/promguard" // as the program's main has it
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// Package-level metrics, as in the packages of a program.
var (
	_, _ = telemetry.Meter("api").Int64Counter("http.requests", metric.WithDescription("Requests."))
	_, _ = telemetry.Meter("push").Int64Counter("http.requests", metric.WithDescription("HTTP请求总数"))

	_ = promauto.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."})
	_ = promauto.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs done."})
)

// t stands for the *testing.T of a test. It prints the failures.
var t printer

type printer struct{ testing.TB }

func (printer) Helper()                           {}
func (printer) Error(args ...any)                 { fmt.Println(args...) }
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printer) Cleanup(func())                    {} // an example has no end to wait for

// Pass a Recorder to code that takes a MeterProvider.
func ExampleNew() {
	rec := telemetrytest.New(t)

	shop, err := newShop(rec)
	if err != nil {
		t.Error(err)
	}
	shop.pay("ok", .2)
	shop.pay("ok", .4)

	ok := attribute.String("result", "ok")
	fmt.Println(rec.Sum("shop.payments", ok), rec.Count("shop.duration", ok))
	// Output:
	// 2 2
}

// Pass the Recorder's Registerer to client_golang code that takes one.
func ExampleNew_clientGolang() {
	rec := telemetrytest.New(t)

	jobs := promauto.With(rec.Registerer()).NewCounterVec(
		prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."}, []string{"queue"})
	jobs.WithLabelValues("mail").Add(3)

	fmt.Println(rec.Sum("jobs_total", attribute.String("queue", "mail")))
	// Output:
	// 3
}

// A test of the whole program finds what its packages define differently, with OpenTelemetry and client_golang.
func ExampleNoConflicts() {
	p, err := telemetry.Setup(context.Background(), telemetry.WithoutRuntime(), telemetry.WithoutPush())
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = p.Shutdown(context.Background()) }()

	telemetrytest.NoConflicts(t, p)
	// Output:
	// http_requests_total: description, merged: first int64 counter "http.requests" ("Requests.") at github.com/onemeter/onemeter/telemetry/telemetrytest_test/example_test.go:20, then int64 counter "http.requests" ("HTTP请求总数") at github.com/onemeter/onemeter/telemetry/telemetrytest_test/example_test.go:21
	// jobs_total: description, merged: first float64 counter "jobs_total" ("Jobs.") at github.com/onemeter/onemeter/telemetry/telemetrytest_test/example_test.go:23, then float64 counter "jobs_total" ("Jobs done.") at github.com/onemeter/onemeter/telemetry/telemetrytest_test/example_test.go:24
}
