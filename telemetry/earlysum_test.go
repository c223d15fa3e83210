package telemetry_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry"
)

// Additions to bound counters before Setup are exact, however many: requests that are active then end after it.
func TestEarlySumsAreExact(t *testing.T) {
	if again(t) {
		return
	}
	active := telemetry.Bind(must(telemetry.Meter("early sums").Int64UpDownCounter("early.active")), attribute.String("a", "1"))
	total := telemetry.Bind(must(telemetry.Meter("early sums").Float64Counter("early.total")))
	for range 3000 {
		active.Add(ctx, 1)
		active.Add(ctx, -1)
		total.Add(ctx, 0.5)
	}
	active.Add(ctx, 2)
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	active.Add(ctx, -1)
	page := scrape(t, p)
	if page.sum("early_active") != 1 || page.sum("early_total") != 1500 {
		t.Errorf("active %v, total %v", page.sum("early_active"), page.sum("early_total"))
	}
}
