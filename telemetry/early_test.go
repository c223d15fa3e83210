package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// bindLate binds late instruments to a Provider, and returns its page.
func bindLate(t *testing.T, l *late) func() string {
	t.Helper()
	p, err := New(context.Background(), WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	l.bind(p)
	return func() string {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
}

func TestWhatIsRecordedBeforeSetupIsKept(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	ctx, l := context.Background(), &late{}
	m := l.meter("early")
	c, _ := m.Int64Counter("kept")
	g, _ := m.Float64Gauge("level")
	h, _ := m.Float64Histogram("flood")
	for i := range 3 {
		c.Add(ctx, 1)
		g.Record(ctx, float64(i))
	}
	for range maxEarly + 7 {
		h.Record(ctx, 1)
	}
	page := bindLate(t, l)
	c.Add(ctx, 1)
	h.Record(ctx, 1)
	for _, want := range []string{"kept_total 4", "level 2", "flood_count 1001"} {
		if !strings.Contains(page(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page())
		}
	}
	if !strings.Contains(log.String(), "instrument=flood lost=7") {
		t.Errorf("what was lost is not told: %s", log.String())
	}
}

// Recording while Setup binds neither loses nor duplicates anything.
func TestRecordingDuringSetup(t *testing.T) {
	ctx, l := context.Background(), &late{}
	c, _ := l.meter("early").Int64Counter("kept")
	var recording sync.WaitGroup
	for range 8 {
		recording.Go(func() {
			for range 100 {
				c.Add(ctx, 1)
			}
		})
	}
	page := bindLate(t, l)
	recording.Wait()
	if !strings.Contains(page(), "kept_total 800") {
		t.Errorf("800 were recorded:\n%s", page())
	}
}

// A hungUp is the writer that a handler has after the client left.
type hungUp struct{ header http.Header }

func (h hungUp) Header() http.Header { return h.header }
func (hungUp) WriteHeader(int)       {}
func (hungUp) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}
}

func TestAClientThatHangsUpIsNoFault(t *testing.T) {
	l := &late{}
	page := bindLate(t, l)
	l.provider.Handler().ServeHTTP(hungUp{http.Header{}},
		httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil))
	if !strings.Contains(page(), `telemetry_scrape_errors_total{reason="encoding"} 0`) {
		t.Errorf("it is counted:\n%s", page())
	}
}

// Before Setup, memory grows with the number of distinct instruments, not with the number of requests for them.
func TestRepeatedRequestsBeforeSetupAreOne(t *testing.T) {
	l := &late{}
	for range 1000 {
		m := l.meter("x")
		_, _ = m.Int64ObservableGauge("g")
		_, _ = m.Float64ObservableCounter("c")
		_, _ = m.Int64Histogram("h")
	}
	if len(l.made) != 3 {
		t.Errorf("%d are kept", len(l.made))
	}
}

// A measurement before Setup keeps only the span of its context, which may be nil.
func TestContextsAreNotKept(t *testing.T) {
	type key struct{}
	l := &late{}
	c, _ := l.meter("x").Int64Counter("c")
	h, _ := l.meter("x").Float64Histogram("h")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	c.Add(trace.ContextWithSpanContext(context.WithValue(t.Context(), key{}, "big"), span), 1)
	kept := c.(*lateInt64Counter).early.kept[0].ctx
	if kept.Value(key{}) != nil || !trace.SpanContextFromContext(kept).Equal(span) {
		t.Errorf("kept: %v", kept)
	}
	c.Add(nil, 1)    //nolint:staticcheck // that is the test
	h.Record(nil, 1) //nolint:staticcheck // that is the test
	page := bindLate(t, l)
	if !strings.Contains(page(), "c_total 2") || !strings.Contains(page(), "h_count 1") {
		t.Errorf("%s", page())
	}
}
