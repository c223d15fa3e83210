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

// defaults is this package's global state: the Provider of Setup, and the meters that Meter returned, which Setup binds to
// it.
var defaults struct {
	mu       sync.Mutex
	busy     bool // a Setup is under way
	provider *Provider
	site     string // of the call to Setup
	late     late
}

// ErrSetupTwice is the error of Setup while the Provider of an earlier Setup is not shut down, or another Setup runs.
// errors.Is finds it; the text of Setup's error also names the place of the first call.
var ErrSetupTwice = errors.New("telemetry: Setup was called before, and its Provider is not shut down")

// Setup does what [New] does, and installs the Provider as the process's global MeterProvider. Call it once, from main.
// Instruments that [Meter] and otel.Meter created before begin to record to the Provider. If spans are exported, Setup also
// installs the global TracerProvider and propagator. OpenTelemetry's own logs and errors go to slog from then on, or to the
// logger of [WithLogger]. No other function of this package changes OpenTelemetry's globals. If package promguard is
// imported, client_golang's default registry serves the Provider's page. On an error the Provider is nil, and nothing was
// installed.
//
// A second Setup returns [ErrSetupTwice], unless the first Provider was shut down. Then the instruments of Meter,
// including bound ones, move to the new Provider. Those that otel.Meter created before the first Setup stay with the first
// Provider, because OpenTelemetry binds them once.
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
	// Conflicts are reported once everything is installed: OpenTelemetry holds locks while it moves its instruments here.
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
		return // the stopped Provider of an earlier Setup, or OpenTelemetry's own, which waits for a MeterProvider
	}
	p.log.warn("otel.SetMeterProvider was called "+when+" Setup: instruments of that MeterProvider are not on this page; remove the call",
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

// Meter returns a meter for libraries and package-level variables. It works before [Setup] and after it, and is safe for
// concurrent use. Without Setup nothing is exposed.
//
// Instruments requested before Setup keep their measurements, up to 1000 for each instrument. Setup creates these
// instruments in the order of the requests, records what they kept, and logs how many measurements were lost. Additions
// without attributes are not lost: further ones are added to the last one that is kept, if that has no attributes either.
//
// An invalid name is an error at once. Setup logs the other errors of an instrument requested before it; one that conflicts
// under [Reject] then does nothing. After Setup they are returned, as by the Provider's own meters.
func Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return defaults.late.meter(name, opts...)
}
