package telemetry

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry/internal/guard"
)

// defaults is the one piece of state of this package: the Provider that Setup made, and the meters that Meter
// handed out, so that those made before it come to life.
var defaults struct {
	mu       sync.Mutex
	provider *Provider
	site     string // of the call to Setup
	late     late
}

// ErrSetupTwice is what Setup returns while the Provider of an earlier Setup is in use.
var ErrSetupTwice = errors.New("telemetry: Setup was called before, and its Provider is not shut down")

// Setup is New, and makes the result the process's default: OpenTelemetry's global MeterProvider, and everything
// made by Meter and otel.Meter before; where spans are exported, the global TracerProvider and propagator too. It
// sends OpenTelemetry's own logs and errors to slog. It is the only
// function here that touches globals; call it once, from main.
//
// A second Setup is an error, unless the first Provider was shut down. Instruments of telemetry.Meter then move to
// the new Provider; those made by otel.Meter before the first Setup stay with the first, as OpenTelemetry binds
// them once.
func Setup(ctx context.Context, opts ...Option) (*Provider, error) {
	defaults.mu.Lock()
	defer defaults.mu.Unlock()
	if p := defaults.provider; p != nil && !p.stopped.Load() {
		return nil, setupTwiceError{defaults.site}
	}
	p, err := build(ctx, newConfig(opts), guard.Default())
	if err != nil {
		return nil, err
	}
	defaults.provider, defaults.site = p, callerOfSetup().String()
	otel.SetLogger(newLogger(p))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(logError))
	defaults.late.bind(p)
	otel.SetMeterProvider(p)
	p.serveDefault()
	if p.traces != nil {
		otel.SetTracerProvider(p.TracerProvider())
		otel.SetTextMapPropagator(p.Propagator())
	}
	return p, nil
}

type setupTwiceError struct{ site string }

func (e setupTwiceError) Error() string {
	if e.site == "" {
		return ErrSetupTwice.Error()
	}
	return ErrSetupTwice.Error() + " (first call at " + e.site + ")"
}

func (setupTwiceError) Is(target error) bool { return target == ErrSetupTwice }

// Meter is for libraries and package-level variables: it works before Setup and after it. Instruments made before
// Setup are created by Setup, in the order in which they were asked for. What was recorded through them until then,
// up to 1000 measurements each, is recorded by Setup too; if there was more, the log says how much.
//
// After Setup its conflicts are those of the Provider: an instrument that is refused under Reject does nothing, and
// the error is returned where it is asked for after Setup, or logged by Setup.
func Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return defaults.late.meter(name, opts...)
}
