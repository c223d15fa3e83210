package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry/internal/exporting"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// traces is the tracing part of a Provider that exports spans.
type traces struct {
	provider   *sdktrace.TracerProvider
	propagator propagation.TextMapPropagator
	outages    []*outage
	quit       context.CancelFunc // cancels running exports
}

// newTraces returns nil if neither the environment nor an option names an exporter.
func newTraces(ctx context.Context, cfg config, res *resource.Resource, self *selfMetrics) (*traces, error) {
	targets := cfg.spanExporters
	if !cfg.withoutPush {
		named, err := spanExporters(ctx, cfg.log)
		if err != nil {
			return nil, err
		}
		targets = append(targets, named...)
	}
	if len(targets) == 0 {
		return nil, nil
	}
	if err := checkTracesEnvironment(cfg.log); err != nil {
		return nil, err
	}
	running, quit := context.WithCancel(context.Background())
	t := &traces{propagator: newPropagator(cfg.log), quit: quit}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	for _, target := range targets {
		o := newOutage(cfg.log, self, signalTraces, target.to)
		t.outages = append(t.outages, o)
		opts = append(opts, sdktrace.WithBatcher(&spanPush{to: target.exporter, outage: o, running: running}))
	}
	t.provider = sdktrace.NewTracerProvider(opts...)
	return t, nil
}

// newPropagator returns the propagator of OTEL_PROPAGATORS, or W3C trace context and baggage if it is not set.
func newPropagator(log voice) propagation.TextMapPropagator {
	const variable = "OTEL_PROPAGATORS"
	known := map[string]propagation.TextMapPropagator{
		"tracecontext": propagation.TraceContext{}, "baggage": propagation.Baggage{}, "none": nil,
	}
	var out []propagation.TextMapPropagator
	asked := false
	for _, name := range wordsOf(log, variable, strings.ToLower(env(variable))) {
		p, ok := known[name]
		if !ok && name != "" {
			var err error
			if p, err = linkedPropagator(name); err != nil {
				log.warn("a word of OTEL_PROPAGATORS is ignored", "name", variable, "value", name, "error", err)
				continue
			}
		}
		asked = asked || name != ""
		if p != nil {
			out = append(out, p)
		}
	}
	if !asked {
		return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	}
	return propagation.NewCompositeTextMapPropagator(out...)
}

// linkedPropagator returns a propagator of package otlp: b3, b3multi, jaeger, xray or ottrace.
func linkedPropagator(name string) (propagation.TextMapPropagator, error) {
	if exporting.Linked == nil {
		return nil, fmt.Errorf("unknown; package otlp, which is not linked, may know it: import _ %q in main", thisPackage+"/otlp")
	}
	return exporting.Linked.Propagator(name)
}

// stop sends the remaining spans and cancels running exports.
func (t *traces) stop(ctx context.Context) error {
	defer t.quit()
	return t.provider.Shutdown(ctx)
}

// TracerProvider returns the Provider's TracerProvider, for code that does not use OpenTelemetry's global one, which
// Setup sets. If no spans are exported, its tracers do nothing. The Provider shuts it down.
func (p *Provider) TracerProvider() trace.TracerProvider {
	if p.traces == nil {
		return noop.NewTracerProvider()
	}
	return p.traces.provider
}

// Propagator returns the propagators that OTEL_PROPAGATORS names, as one, or W3C trace context and baggage if the variable
// is not set. It is for code that does not use OpenTelemetry's global propagator, which Setup sets. If no spans are
// exported, it does nothing.
func (p *Provider) Propagator() propagation.TextMapPropagator {
	if p.traces == nil {
		return propagation.NewCompositeTextMapPropagator()
	}
	return p.traces.propagator
}

// A spanPush is an exporter of spans. It replaces invalid text, and its outage reports failures.
type spanPush struct {
	to      sdktrace.SpanExporter
	outage  *outage
	running context.Context // ends after the Provider is shut down
}

// ExportSpans sends spans. It returns no error: the outage counts and reports failures.
func (p *spanPush) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.running, cancel)()
	p.outage.record(p.to.ExportSpans(ctx, soundSpans(spans)))
	return nil
}

// Shutdown stops the exporter.
func (p *spanPush) Shutdown(ctx context.Context) error { return p.to.Shutdown(ctx) }

// soundSpans replaces the spans that OTLP cannot encode: one of them would cost the receiver the whole batch.
func soundSpans(spans []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	out := spans
	for i, s := range spans {
		if !unsoundSpan(s) {
			continue
		}
		if &out[0] == &spans[0] {
			out = slices.Clone(spans)
		}
		out[i] = soundSpan{s}
	}
	return out
}

func unsoundSpan(s sdktrace.ReadOnlySpan) bool {
	scope := s.InstrumentationScope()
	return !utf8.ValidString(s.Name()) || !utf8.ValidString(s.Status().Description) || scope != soundScope(scope) ||
		slices.ContainsFunc(s.Attributes(), rule.Unsound) ||
		slices.ContainsFunc(s.Events(), func(e sdktrace.Event) bool {
			return !utf8.ValidString(e.Name) || slices.ContainsFunc(e.Attributes, rule.Unsound)
		}) ||
		slices.ContainsFunc(s.Links(), func(l sdktrace.Link) bool { return slices.ContainsFunc(l.Attributes, rule.Unsound) })
}

// A soundSpan is a span with U+FFFD in place of invalid UTF-8.
type soundSpan struct{ sdktrace.ReadOnlySpan }

func (s soundSpan) Name() string { return rule.SoundText(s.ReadOnlySpan.Name()) }

func (s soundSpan) InstrumentationScope() instrumentation.Scope {
	return soundScope(s.ReadOnlySpan.InstrumentationScope())
}

func (s soundSpan) Status() sdktrace.Status {
	st := s.ReadOnlySpan.Status()
	st.Description = rule.SoundText(st.Description)
	return st
}

func (s soundSpan) Attributes() []attribute.KeyValue {
	return rule.SoundAttributes(s.ReadOnlySpan.Attributes())
}

func (s soundSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Name, events[i].Attributes = rule.SoundText(events[i].Name), rule.SoundAttributes(events[i].Attributes)
	}
	return events
}

func (s soundSpan) Links() []sdktrace.Link {
	links := slices.Clone(s.ReadOnlySpan.Links())
	for i := range links {
		links[i].Attributes = rule.SoundAttributes(links[i].Attributes)
	}
	return links
}
