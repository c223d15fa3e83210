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

// defaults is the one piece of state of this package: the Provider that Setup made, and the meters that Meter
// handed out, so that those made before it come to life.
var defaults struct {
	mu       sync.Mutex
	busy     bool // a Setup is under way
	provider *Provider
	site     string // of the call to Setup
	late     late
}

// ErrSetupTwice is what Setup returns while the Provider of an earlier Setup is in use.
var ErrSetupTwice = errors.New("telemetry: Setup was called before, and its Provider is not shut down")

// Setup calls New and installs the result as the process's global MeterProvider. Instruments that Meter and otel.Meter
// made before begin to record to it. If spans are exported, it installs the TracerProvider and the propagator too. It
// sends OpenTelemetry's own logs and errors to slog, or to the logger of WithLogger. It is the only
// function here that touches globals; call it once, from main. On an error the Provider is nil.
//
// A second Setup is an error, unless the first Provider was shut down. Then the instruments of Meter, bound ones included,
// move to the new Provider; those made by otel.Meter before the first Setup stay with the first, because OpenTelemetry
// binds them once.
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
	// What there is to tell is told when all is in place: OpenTelemetry holds locks while it hands instruments over.
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

// warnOfOther tells of a MeterProvider that somebody else has made the global one.
func (p *Provider) warnOfOther(mp metric.MeterProvider, when string) {
	t := reflect.TypeOf(mp)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if own, ok := mp.(*Provider); ok && own.stopped.Load() || strings.HasSuffix(t.PkgPath(), "/otel/internal/global") {
		return // of an earlier Setup, or OpenTelemetry's own that waits for one
	}
	p.log.warn("otel.SetMeterProvider was called "+when+" Setup: what is made of that MeterProvider is not on this page",
		"provider", fmt.Sprintf("%T", mp))
}

// watchGlobal returns a function that tells once if somebody else has taken the global MeterProvider's place.
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

// begin fails while another Setup's Provider is in use, or being made.
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

// Meter is for libraries and package-level variables: it works before Setup and after it. Instruments made before
// Setup are created by Setup, in the order in which they were asked for. What was recorded through them until then,
// up to 1000 measurements each, is recorded by Setup too; if there was more, the log says how much.
//
// After Setup its conflicts are those of the Provider: an instrument that is refused under Reject does nothing, and
// the error is returned where it is asked for after Setup, or logged by Setup.
func Meter(name string, opts ...metric.MeterOption) metric.Meter {
	return defaults.late.meter(name, opts...)
}
