package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// The tests of this file call Setup. They run after those of setup_test.go, whose early instruments of OpenTelemetry
// belong to the first Setup of the process.

// again runs the test in another process, and reports whether it did: OpenTelemetry hands instruments over only at
// the first Setup of a process.
func again(t *testing.T) bool {
	const alone = "TELEMETRY_TEST_ALONE"
	if os.Getenv(alone) != "" {
		return false
	}
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	test.Env = append(os.Environ(), alone+"=1")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return true
}

// measuring is a log handler that counts its records, with instruments that it creates when needed.
type measuring struct {
	slog.Handler
	once *sync.Once
	mine *metric.Int64Counter
	also metric.Int64Counter // made elsewhere
}

func (m measuring) Handle(ctx context.Context, r slog.Record) error {
	m.once.Do(func() { *m.mine = must(telemetry.Meter("logs").Int64Counter("log.records")) })
	(*m.mine).Add(ctx, 1)
	m.also.Add(ctx, 1)
	must(otel.Meter("logs").Int64Counter("log.otel")).Add(ctx, 1)
	must(telemetry.Meter("logs").Float64Gauge("log.last")).Record(ctx, 1)
	return m.Handler.Handle(ctx, r)
}

func (m measuring) WithAttrs(a []slog.Attr) slog.Handler {
	m.Handler = m.Handler.WithAttrs(a)
	return m
}

// Whenever something is logged, the log handler may create instruments and record through them.
func TestALogHandlerMayMeasure(t *testing.T) {
	if again(t) {
		return
	}
	flood := must(telemetry.Meter("robust").Int64Counter("robust.flood"))
	out, before := &lockedBuffer{}, slog.Default()
	slog.SetDefault(slog.New(measuring{slog.NewTextHandler(out, nil), new(sync.Once), new(metric.Int64Counter), flood}))
	defer slog.SetDefault(before)
	for _, help := range []string{"A", "B"} {
		must(telemetry.Meter("robust").Int64Counter("robust.twice", desc(help)))
		must(otel.Meter("robust").Int64Counter("robust.otel", desc(help)))
	}
	for range 1010 {
		flood.Add(ctx, 1)
	}
	_, _ = telemetry.Meter("robust").Int64Counter("né")
	_, _ = otel.Meter("robust").Int64Counter("né")
	done := make(chan *telemetry.Provider)
	go func() {
		p, err := telemetry.Setup(ctx, telemetry.WithoutRuntime())
		if err != nil {
			t.Error(err)
		}
		_ = errors.Join(count(p.Meter("one"), "robust.after", desc("A")), count(p.Meter("one"), "robust.after", desc("B")),
			count(telemetry.Meter("one"), "robust.late", desc("A")), count(telemetry.Meter("one"), "robust.late", desc("B")))
		done <- p
	}()
	select {
	case p := <-done:
		defer stop(p)
		if got := scrape(t, p).sum("log_records_total"); got < 4 {
			t.Errorf("%v records: %s", got, out)
		}
		for _, family := range []string{"robust_twice_total", "robust_after_total", "robust_late_total"} {
			if out.told("telemetry: conflict", family) != 1 {
				t.Errorf("of %s is told: %s", family, out)
			}
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Setup does not return")
	}
}

// A callback may observe instruments of telemetry.Meter through the Provider's meter, and the other way round.
func TestCallbacksOfEitherMeter(t *testing.T) {
	g := must(telemetry.Meter("either").Int64ObservableGauge("either.one"))
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	h := must(p.Meter("either").Int64ObservableGauge("either.two"))
	for _, m := range []metric.Meter{p.Meter("either"), telemetry.Meter("either")} {
		reg, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			o.ObserveInt64(g, 3)
			o.ObserveInt64(h, 4)
			return nil
		}, g, h)
		if err != nil {
			t.Fatal(err)
		}
		page := scrape(t, p)
		if page.sum("either_one") != 3 || page.sum("either_two") != 4 {
			t.Errorf("%v %v", page["either_one"], page["either_two"])
		}
		if err := reg.Unregister(); err != nil {
			t.Error(err)
		}
	}
}

// If somebody else sets the global MeterProvider, that is reported, because its instruments are not exposed.
func TestOtherMeterProvidersAreTold(t *testing.T) {
	log := logs(t)
	other := sdkmetric.NewMeterProvider()
	before := otel.GetMeterProvider()
	defer otel.SetMeterProvider(before)
	otel.SetMeterProvider(other)
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	scrape(t, p)
	if log.told("otel.SetMeterProvider was called before Setup", "*metric.MeterProvider") != 1 || log.told("after Setup") != 0 {
		t.Errorf("the log: %s", log)
	}
	otel.SetMeterProvider(other)
	scrape(t, p)
	scrape(t, p)
	if log.told("otel.SetMeterProvider was called after Setup", "*metric.MeterProvider") != 1 {
		t.Errorf("the log: %s", log)
	}
}
