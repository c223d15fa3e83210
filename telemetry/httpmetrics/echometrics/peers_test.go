package echometrics_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo-contrib/echoprometheus"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/httpmetrics/echometrics"
	"github.com/onemeter/onemeter/telemetry/internal/ratio"
)

// A quiet writer has the methods of net/http's for HTTP/1, and sends nothing.
type quiet struct{ header http.Header }

func (w *quiet) Header() http.Header                        { return w.header }
func (*quiet) WriteHeader(int)                              {}
func (*quiet) Write(p []byte) (int, error)                  { return len(p), nil }
func (*quiet) Flush()                                       {}
func (*quiet) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, http.ErrNotSupported }
func (*quiet) ReadFrom(r io.Reader) (int64, error)          { return io.Copy(io.Discard, r) }

const requests = 200_000

// serving returns a function that sends a request to a handler.
func serving(h http.Handler) func() {
	w := &quiet{http.Header{}}
	r := httptest.NewRequest(http.MethodGet, "/items/7", nil)
	return func() { h.ServeHTTP(w, r) }
}

func provider(b *testing.B) *telemetry.Provider {
	p, err := telemetry.New(b.Context(), telemetry.WithoutRuntime())
	if err != nil {
		b.Fatal(err)
	}
	return p
}

var answer = []byte("an item")

// BenchmarkPeerServeMux measures what a request of net/http costs beyond its handler.
func BenchmarkPeerServeMux(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) })
	p := provider(b)
	tracing := tracenoop.NewTracerProvider()
	ratio.Added(b, requests, serving(mux),
		ratio.Side{Name: "httpmetrics", Run: serving(httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(p)))},
		ratio.Side{Name: "httpmetrics-sdk", Run: serving(httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(
			sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))))},
		ratio.Side{Name: "otelhttp", Run: serving(otelhttp.NewHandler(mux, "", otelhttp.WithTracerProvider(tracing),
			otelhttp.WithMeterProvider(provider(b))))},
		ratio.Side{Name: "otelhttp-sdk", Run: serving(otelhttp.NewHandler(mux, "", otelhttp.WithTracerProvider(tracing),
			otelhttp.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))))},
		ratio.Side{Name: "promhttp", Run: serving(instrumented(mux))},
		ratio.Side{Name: "by-hand", Run: serving(byHand(mux))},
	)
}

// BenchmarkPeerEcho measures what a request of echo costs beyond its handler.
func BenchmarkPeerEcho(b *testing.B) {
	reg := prometheus.NewRegistry()
	// Echo itself allocates once per request for any middleware.
	idle := func(next echo.HandlerFunc) echo.HandlerFunc { return func(c echo.Context) error { return next(c) } }
	ratio.Added(b, requests, serving(echoWith(idle)),
		ratio.Side{Name: "echometrics", Run: serving(echoWith(echometrics.Middleware(httpmetrics.WithMeterProvider(provider(b)))))},
		ratio.Side{Name: "echoprometheus", Run: serving(echoWith(echoprometheus.NewMiddlewareWithConfig(
			echoprometheus.MiddlewareConfig{Registerer: reg})))},
	)
}

func echoWith(middleware ...echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.Use(middleware...)
	e.GET("/items/:id", func(c echo.Context) error {
		_, err := c.Response().Write(answer)
		return err
	})
	return e
}

// instrumented uses client_golang's own middleware. It knows no route, so the only labels are method and status.
func instrumented(next http.Handler) http.Handler {
	with := promauto.With(prometheus.NewRegistry())
	labels := []string{"code", "method"}
	return promhttp.InstrumentHandlerInFlight(with.NewGauge(prometheus.GaugeOpts{Name: "active"}),
		promhttp.InstrumentHandlerDuration(with.NewHistogramVec(prometheus.HistogramOpts{Name: "duration"}, labels),
			promhttp.InstrumentHandlerRequestSize(with.NewHistogramVec(prometheus.HistogramOpts{Name: "request_size"}, labels),
				promhttp.InstrumentHandlerResponseSize(with.NewHistogramVec(prometheus.HistogramOpts{Name: "response_size"}, labels), next))))
}

// byHand is the middleware that services write themselves: WithLabelValues for each request, with the same four
// metrics.
func byHand(next http.Handler) http.Handler {
	with := promauto.With(prometheus.NewRegistry())
	labels := []string{"method", "route", "status"}
	active := with.NewGauge(prometheus.GaugeOpts{Name: "active"})
	duration := with.NewHistogramVec(prometheus.HistogramOpts{Name: "duration"}, labels)
	in := with.NewHistogramVec(prometheus.HistogramOpts{Name: "request_size"}, labels)
	out := with.NewHistogramVec(prometheus.HistogramOpts{Name: "response_size"}, labels)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		active.Inc()
		defer active.Dec()
		s := &status{ResponseWriter: w, code: 200}
		next.ServeHTTP(s, r)
		values := []string{r.Method, r.Pattern, fmt.Sprint(s.code)}
		duration.WithLabelValues(values...).Observe(time.Since(start).Seconds())
		in.WithLabelValues(values...).Observe(float64(max(r.ContentLength, 0)))
		out.WithLabelValues(values...).Observe(float64(s.size))
	})
}

type status struct {
	http.ResponseWriter
	code, size int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p)
	s.size += n
	return n, err
}

// BenchmarkPeerTransport measures what a client's request costs beyond its transport.
func BenchmarkPeerTransport(b *testing.B) {
	answered := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	base := roundTripper(func(*http.Request) (*http.Response, error) { return answered, nil })
	sending := func(t http.RoundTripper) func() {
		r := httptest.NewRequest(http.MethodGet, "http://items.example/7", strings.NewReader(""))
		return func() { _, _ = t.RoundTrip(r) }
	}
	ratio.Added(b, requests, sending(base),
		ratio.Side{Name: "httpmetrics", Run: sending(httpmetrics.Transport(base, httpmetrics.WithMeterProvider(provider(b))))},
		ratio.Side{Name: "otelhttp", Run: sending(otelhttp.NewTransport(base, otelhttp.WithMeterProvider(provider(b)),
			otelhttp.WithTracerProvider(tracenoop.NewTracerProvider()), otelhttp.WithPropagators(otel.GetTextMapPropagator())))},
	)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
