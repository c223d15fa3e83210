package observe

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/ws"
)

// A tracing makes the server's spans.
type tracing struct {
	tracer trace.Tracer
	off    bool // no spans are exported
}

func newTracing(p trace.TracerProvider) tracing {
	_, off := p.(noop.TracerProvider)
	return tracing{tracer: p.Tracer(scope), off: off}
}

// Tracer carries traces through the domain. It is nil if no spans are exported.
func (o *Observer) Tracer() chat.Tracer {
	if o.tracing.off {
		return nil
	}
	return o.tracing
}

// carriers are W3C trace contexts, whatever format clients use, because only nodes of the server exchange them.
var carriers propagation.TraceContext

const traceparent = "traceparent"

// Carrier implements chat.Tracer.
func (t tracing) Carrier(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	c := propagation.MapCarrier{}
	carriers.Inject(ctx, c)
	return c[traceparent]
}

// from returns ctx with the span of a carrier.
func from(ctx context.Context, carrier string) context.Context {
	return carriers.Extract(ctx, propagation.MapCarrier{traceparent: carrier})
}

// Start implements chat.Tracer. Causes after the first become links.
func (t tracing) Start(ctx context.Context, name string, causes []string) (context.Context, func(error)) {
	var links []trace.Link
	for _, c := range causes[1:] {
		links = append(links, trace.LinkFromContext(from(context.Background(), c)))
	}
	ctx, span := t.tracer.Start(from(ctx, causes[0]), name, trace.WithLinks(links...))
	return ctx, func(err error) { finish(span, err) }
}

// finish ends a span, with an error if err is not nil.
func finish(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// handling returns a function that begins the span of a frame from a client's WebSocket. It is nil if no spans are
// exported. There is no span for the connection, because it would be open for hours.
func (t tracing) handling() func(context.Context, ws.FrameIn) (context.Context, func(error)) {
	if t.off {
		return nil
	}
	return func(ctx context.Context, d ws.FrameIn) (context.Context, func(error)) {
		ctx, span := t.tracer.Start(ctx, "ws "+d.Type, trace.WithSpanKind(trace.SpanKindServer))
		return ctx, func(err error) {
			switch chat.KindOf(err) {
			case chat.KindInternal, chat.KindUnavailable:
			default:
				err = nil // a client's mistake does not fail the span, as with HTTP servers
			}
			finish(span, err)
		}
	}
}

// delivered makes the span of a delivery, and returns ctx with it.
func (t tracing) delivered(ctx context.Context, d ws.Delivered) context.Context {
	if t.off || d.Trace == "" {
		return ctx
	}
	ctx, span := t.tracer.Start(from(ctx, d.Trace), "deliver message", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(d.At), trace.WithAttributes(
			attribute.Int("im.deliveries.written", d.Receivers), attribute.Int("im.deliveries.dropped", d.Dropped)))
	span.End()
	return ctx
}

// within reports whether ctx has a recorded span. Database calls are traced only within one, so not those of the
// server's own background work.
func (t tracing) within(ctx context.Context) bool {
	return !t.off && trace.SpanFromContext(ctx).IsRecording()
}

// operation begins the span of a database call.
func (t tracing) operation(ctx context.Context, start time.Time, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(start), trace.WithAttributes(attrs...))
}

// LogHandler adds trace_id and span_id to records logged within a span.
func LogHandler(h slog.Handler) slog.Handler { return logHandler{h} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
