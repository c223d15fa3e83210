package observe

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

func TestLogNamesTheTrace(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(LogHandler(slog.NewJSONHandler(&b, nil))).With("part", "x")
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	log.InfoContext(ctx, "within")
	log.Info("without")
	within, without, _ := strings.Cut(b.String(), "\n")
	for _, want := range []string{`"trace_id":"01000000000000000000000000000000"`, `"span_id":"0200000000000000"`, `"part":"x"`} {
		if !strings.Contains(within, want) {
			t.Errorf("%s has no %s", within, want)
		}
	}
	if strings.Contains(without, "trace_id") {
		t.Errorf("%s is in no trace", without)
	}
}

// TestNothingIsTracedForNobody: without an exporter there is no work for spans.
func TestNothingIsTracedForNobody(t *testing.T) {
	o, _ := observed(t)
	if o.Tracer() != nil || o.Sockets().Handling != nil {
		t.Error("spans are made that nobody exports")
	}
}

// Where nobody exports spans, nothing of otelhttp is on the way of a request.
func TestNoSpansNoOtelhttp(t *testing.T) {
	o, _ := observed(t)
	next := http.NewServeMux()
	if o.Spans(next) != http.Handler(next) {
		t.Error("the handler is wrapped")
	}
	if name := fmt.Sprintf("%T", o.Transport(http.DefaultTransport)); strings.Contains(name, "otelhttp") {
		t.Errorf("the transport is a %s", name)
	}
}
