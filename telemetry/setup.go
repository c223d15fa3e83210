package telemetry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// defaults is this package's global state: the Provider that Setup made, and the meters that Meter handed out, which
// Setup binds.
var defaults struct {
	mu       sync.Mutex
	busy     bool // a Setup is under way
	provider *Provider
	site     string // of the call to Setup
	late     late
}

// ErrSetupTwice is returned by Setup while the Provider of an earlier Setup is in use.
var ErrSetupTwice = errors.New("telemetry: Setup was called before, and its Provider is not shut down")

// Setup calls New and installs the result as the process's global MeterProvider. Instruments that Meter and
// otel.Meter made before begin to record to it. If spans are exported, it also installs the TracerProvider and the
// propagator. It sends OpenTelemetry's own logs and errors to slog, or to the logger of WithLogger. No other function
// here touches globals; call it once, from main. On an error the Provider is nil.
//
// A second Setup is an error, unless the first Provider was shut down. Then the instruments of Meter, bound ones
// included, move to the new Provider; those made by otel.Meter before the first Setup stay with the first, because
// OpenTelemetry binds them once.
func Setup(ctx context.Context, opts ...Option) (*Provider, error) {
	if err := begin(callerOfSetup().String()); err != nil {
		return nil, err
	}
	cfg := newConfig(opts)
	cfg.global = true
	p, err := build(ctx, cfg)
	finish(p)
	if err != nil {
		return nil, err
	}
	// Conflicts are reported once everything is in place: OpenTelemetry holds locks while it hands instruments over.
	tell := p.catalog.hold()
	otel.SetLogger(newLogger(p))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(p.log.otelError))
	defaults.late.bind(p)
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(p)
	p.global.Store(true)
	if p.traces != nil {
		otel.SetTracerProvider(p.TracerProvider())
		otel.SetTextMapPropagator(p.Propagator())
	}
	tell()
	p.warnOfOther(before, "before")
	p.serveDefault()
	return p, nil
}

// warnOfOther warns that somebody else has set the global MeterProvider.
func (p *Provider) warnOfOther(mp metric.MeterProvider, when string) {
	t := reflect.TypeOf(mp)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if own, ok := mp.(*Provider); ok && own.stopped.Load() || strings.HasSuffix(t.PkgPath(), "/otel/internal/global") {
		return // of an earlier Setup, or OpenTelemetry's own that waits for one
	}
	p.log.warn("otel.SetMeterProvider was called "+when+" Setup: instruments of that MeterProvider are not on this page",
		"provider", fmt.Sprintf("%T", mp))
}

// watchGlobal returns a function that warns once if somebody else replaces the global MeterProvider.
func (p *Provider) watchGlobal(cfg config) func() {
	if !cfg.global {
		return func() {}
	}
	var once sync.Once
	return func() {
		if now := otel.GetMeterProvider(); p.global.Load() && now != metric.MeterProvider(p) && !p.stopped.Load() {
			once.Do(func() { p.warnOfOther(now, "after") })
		}
	}
}

// begin returns an error while another Setup runs, or its Provider is in use.
func begin(site string) error {
	defaults.mu.Lock()
	defer defaults.mu.Unlock()
	if p := defaults.provider; defaults.busy || p != nil && !p.stopped.Load() {
		return setupTwiceError{defaults.site}
	}
	defaults.busy, defaults.site = true, site
	return nil
}

func finish(p *Provider) {
	defaults.mu.Lock()
	defer defaults.mu.Unlock()
	defaults.busy, defaults.provider = false, p
}

type setupTwiceError struct{ site string }

func (e setupTwiceError) Error() string {
	if e.site == "" {
		return ErrSetupTwice.Error()
	}
	return ErrSetupTwice.Error() + " (first call at " + e.site + ")"
}

func (setupTwiceError) Is(target error) bool { return target == ErrSetupTwice }

// Meter returns a meter for libraries and package-level variables: it works before Setup and after it. Setup creates
// the instruments made before it, in their order, and records their earlier measurements, up to 1000 for each
// instrument. If there were more, it logs how many were lost.
//
// After Setup, conflicts are handled as for the Provider's own meters. An instrument refused under Reject does
// nothing; the error is returned to a request made after Setup, and logged for one made before.
func Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return defaults.late.meter(name, opts...)
}
