package server_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/telemetry"
)

// spans are what nodes have exported.
type spans struct {
	mu  sync.Mutex
	all []sdktrace.ReadOnlySpan
}

func (s *spans) ExportSpans(_ context.Context, batch []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, batch...)
	return nil
}

func (s *spans) Shutdown(context.Context) error { return nil }

// of returns the names of a trace's spans, each behind its parents': a/b/c.
func (s *spans) of(id trace.TraceID) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := make(map[trace.SpanID]sdktrace.ReadOnlySpan)
	for _, span := range s.all {
		if span.SpanContext().TraceID() == id {
			byID[span.SpanContext().SpanID()] = span
		}
	}
	var names []string
	for _, span := range byID {
		name := span.Name()
		for parent, ok := byID[span.Parent().SpanID()]; ok; parent, ok = byID[parent.Parent().SpanID()] {
			name = parent.Name() + "/" + name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// root returns the last trace that began with a span of that name.
func (s *spans) root(name string) (id trace.TraceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.all {
		if span.Name() == name && !span.Parent().SpanID().IsValid() {
			id = span.SpanContext().TraceID()
		}
	}
	return id
}

// TestTraces follows a message from its sender's request, or frame, through the
// database to the receiver on the other node; and a file to the bucket.
func TestTraces(t *testing.T) {
	t.Parallel()
	var seen spans
	a, b := twoNodesWith(t, []telemetry.Option{telemetry.WithSpanExporter(&seen)})
	alice, bob := a.register(t, "10001", "alice"), b.register(t, "10002", "bob")
	alice.send(t, map[string]any{"receiver_id": bob.id, "content": "first"})
	hers, his := alice.dial(t), bob.dial(t)

	// wants waits until the trace has these spans. It reads the trace again each time.
	wants := func(find func() trace.TraceID, want ...string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			for _, node := range []*app{a, b} {
				if err := node.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got := seen.of(find())
			missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(got, w) })
			if len(missing) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("missing %q in\n%s", missing, strings.Join(got, "\n"))
			}
		}
	}

	// The trace of the sender continues, by W3C trace context.
	theirs := trace.TraceID{1, 2, 3}
	request, err := http.NewRequestWithContext(t.Context(), "POST", a.url+"/api/messages", strings.NewReader(`{"receiver_id":2,"content":"traced"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+alice.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("traceparent", "00-"+theirs.String()+"-0102030405060708-01")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	his.expect(t, "message.new")
	const send = "POST /api/messages"
	wants(func() trace.TraceID { return theirs }, send, send+"/store messages", send+"/store messages/insert messages",
		send+"/store messages/commit none", send+"/deliver message")

	hers.write(t, "message.send", map[string]any{"receiver_id": bob.id, "content": "x"})
	hers.expect(t, "message.ack")
	his.expect(t, "message.new")
	const frame = "ws message.send"
	wants(func() trace.TraceID { return seen.root(frame) }, frame, frame+"/store messages/insert messages", frame+"/deliver message")

	alice.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte("kept")})
	const upload = "POST /api/files/upload"
	wants(func() trace.TraceID { return seen.root(upload) }, upload, upload+"/HTTP PUT", upload+"/insert files")

	// A slow bucket is visible in the trace.
	for family, node := range map[string]*app{
		"http_request_duration_seconds": a, "db_query_duration_seconds": a, "im_message_delivery_duration_seconds": b,
	} {
		if page := node.openMetrics(t); !regexp.MustCompile(`(?m)^` + family + `_bucket\{.* # \{.*trace_id="[0-9a-f]{32}"`).Match(page) {
			t.Errorf("no exemplar of %s", family)
		}
	}
}

// openMetrics scrapes in the format that has exemplars.
func (a *app) openMetrics(t *testing.T) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", a.metricsURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page
}
