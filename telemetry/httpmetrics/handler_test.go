package httpmetrics_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// Whatever a handler does, its request is counted once, with the status and the body that were sent.
func TestEachRequestIsCountedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method  string // GET
		body    io.Reader
		handler http.HandlerFunc
		status  int    // 200; -1 is none
		fault   string // error.type
		in, out int    // bytes of the bodies
	}{
		"silent":  {handler: func(http.ResponseWriter, *http.Request) {}},
		"written": {handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("four")) }, out: 4},
		"string":  {handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "four") }, out: 4},
		"early hints": {status: 418, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		}},
		"twice": {status: 418, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		}},
		"content of no content": {status: 204, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			if n, err := w.Write([]byte("x")); n != 0 || !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("wrote %d, %v", n, err)
			}
		}},
		"flushed": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusTeapot) // too late
		}},
		"stream": {out: 27, handler: func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				fmt.Fprint(w, "data: x\n\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
			}
		}},
		"file":         {handler: func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }, out: 5000},
		"head":         {handler: func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }, method: "HEAD"},
		"written head": {handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("four")) }, method: "HEAD"},
		"nothing from a reader": {status: 500, fault: "500", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(broken{})
			w.WriteHeader(http.StatusInternalServerError)
		}},
		"server error": {status: 503, fault: "503", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
		"no status":    {status: -1, fault: "panic", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(42) }},
		"panic":        {status: -1, fault: "panic", handler: func(http.ResponseWriter, *http.Request) { panic("ouch") }},
		"late panic": {fault: "panic", out: 4, handler: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic("ouch")
		}},
		"abort": {status: -1, fault: "aborted", handler: func(http.ResponseWriter, *http.Request) {
			panic(fmt.Errorf("it is enough: %w", http.ErrAbortHandler))
		}},
		"body":           {handler: readAll, method: "POST", body: strings.NewReader("seven b"), in: 7},
		"chunks":         {handler: readAll, method: "PUT", body: io.MultiReader(strings.NewReader("seven b")), in: 7},
		"unread":         {handler: func(http.ResponseWriter, *http.Request) {}, method: "PATCH", body: strings.NewReader("seven b")},
		"unknown method": {handler: readAll, method: "BREW"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := telemetrytest.New(t)
			mux := http.NewServeMux()
			mux.HandleFunc("/case/{id}", c.handler)
			s := serve(t, httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(rec)))
			broken := c.fault == "panic" || c.fault == "aborted"
			if err := ask(t, s, cmp.Or(c.method, http.MethodGet), "/case/7", c.body); (err != nil) != broken {
				t.Errorf("the client has %v", err)
			}
			s.Close() // waits for the handler
			labels := "{"
			if c.fault != "" {
				labels += fmt.Sprintf("error_type=%q,", c.fault)
			}
			method := fmt.Sprintf("http_request_method=%q,", strings.Replace(cmp.Or(c.method, http.MethodGet), "BREW", "_OTHER", 1))
			labels += method
			if status := cmp.Or(c.status, 200); status > 0 {
				labels += fmt.Sprintf("http_response_status_code=\"%d\",", status)
			}
			labels += `http_route="/case/{id}",network_protocol_version="1.1",url_scheme="http"} `
			for name, want := range map[string]string{
				durations + "_count": labels + "1", bodiesIn + "_count": labels + "1", bodiesOut + "_count": labels + "1",
				bodiesIn + "_sum": labels + fmt.Sprint(c.in), bodiesOut + "_sum": labels + fmt.Sprint(c.out),
				active: "{" + method + `url_scheme="http"} 0`,
			} {
				if got := series(rec, name); !slices.Equal(got, []string{want}) {
					t.Errorf("%s%q, want %s", name, got, want)
				}
			}
		})
	}
}

func readAll(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no disk") }

// If the client goes away, there is no status unless the handler has sent one.
func TestClientGoesAway(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(http.ResponseWriter)
		want  string
	}{
		"unanswered": {func(http.ResponseWriter) {}, `{error_type="canceled",http_request_method="GET",http_route="/slow",`},
		"within a stream": {func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
			`{http_request_method="GET",http_response_status_code="200",http_route="/slow",`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := telemetrytest.New(t)
			asked := make(chan struct{})
			mux := http.NewServeMux()
			mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
				c.begin(w)
				close(asked)
				<-r.Context().Done()
			})
			s := serve(t, httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(rec)))
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/slow", nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				<-asked
				if got := series(rec, active); !slices.Equal(got, []string{`{http_request_method="GET",url_scheme="http"} 1`}) {
					t.Errorf("active meanwhile: %q", got)
				}
				cancel()
			}()
			if resp, err := s.Client().Do(r); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			s.Close()
			if got := series(rec, durations+"_count"); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("%q, want %s", got, c.want)
			}
		})
	}
}

// The names, units and descriptions are those of the semantic conventions.
func TestInstrumentsAreTheConventions(t *testing.T) {
	rec := telemetrytest.New(t)
	httpmetrics.Handler(nil, httpmetrics.WithMeterProvider(rec))
	httpmetrics.Transport(nil, httpmetrics.WithMeterProvider(rec))
	type convention interface {
		Name() string
		Unit() string
		Description() string
	}
	want := map[string]convention{}
	for _, c := range []convention{
		httpconv.ServerRequestDuration{}, httpconv.ServerActiveRequests{}, httpconv.ServerRequestBodySize{},
		httpconv.ServerResponseBodySize{}, httpconv.ClientRequestDuration{},
	} {
		want[c.Name()] = c
	}
	for _, i := range rec.Instruments() {
		if !strings.HasPrefix(i.Name, "http.") {
			continue
		}
		if c := want[i.Name]; c == nil || c.Unit() != i.Unit || c.Description() != i.Description {
			t.Errorf("%s in %q: %q", i.Name, i.Unit, i.Description)
		}
		if !strings.Contains(i.Site, "handler_test.go:") {
			t.Errorf("%s was made at %s", i.Name, i.Site)
		}
		delete(want, i.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// A pattern of ServeMux may have a method and a host, which are not part of the route.
func TestRoutes(t *testing.T) {
	for pattern, want := range map[string]string{
		"/a/{id}": "/a/{id}", "GET /b/": "/b/", "a.example/c/{path...}": "/c/{path...}", "POST a.example/{$}": "/{$}", "": "", "_OTHER": "_OTHER",
	} {
		var got httpmetrics.Result
		h := httpmetrics.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = pattern }),
			httpmetrics.WithMeterProvider(telemetrytest.New(t)),
			httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { got = r }))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		if got.Route != want {
			t.Errorf("%q has the route %q, want %q", pattern, got.Route, want)
		}
	}
}

func TestOptions(t *testing.T) {
	rec := telemetrytest.New(t, telemetry.WithView(
		sdkmetric.NewView(sdkmetric.Instrument{Name: "http.server.*.body.size"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}}),
		sdkmetric.NewView(sdkmetric.Instrument{Name: "http.server.request.duration"}, sdkmetric.Stream{
			AttributeFilter: attribute.NewAllowKeysFilter("http.route"),
			Aggregation:     sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{1}},
		}),
	))
	var results []httpmetrics.Result
	h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}), httpmetrics.WithMeterProvider(rec),
		httpmetrics.WithRoute(func(r *http.Request) string { return "/from/" + r.Header.Get("Router") }),
		httpmetrics.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" }),
		httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { results = append(results, r) }))
	for _, path := range []string{"/healthz", "/x"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("seven b"))
		body := r.Body
		r.Header.Set("Router", "chi")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if r.Body != body {
			t.Error("the request has another body afterwards")
		}
	}
	if got := series(rec, durations+"_bucket"); !slices.Equal(got, []string{`{http_route="/from/chi",le="1.0"} 1`, `{http_route="/from/chi",le="+Inf"} 1`}) &&
		!slices.Equal(got, []string{`{http_route="/from/chi",le="1"} 1`, `{http_route="/from/chi",le="+Inf"} 1`}) {
		t.Errorf("under the view of the caller: %q", got)
	}
	if page := rec.Exposition(); strings.Contains(page, "body_size") {
		t.Errorf("what a view drops is on the page: %s", page)
	}
	if len(results) != 1 {
		t.Fatalf("results: %v", results)
	}
	r := results[0]
	if r.Duration <= 0 {
		t.Errorf("it took %v", r.Duration)
	}
	r.Duration = 0
	if want := (httpmetrics.Result{Method: "POST", Route: "/from/chi", Status: 200, RequestSize: 7, ResponseSize: 7}); r != want {
		t.Errorf("result %+v, want %+v", r, want)
	}
}

// The metrics work with a MeterProvider without Bind, and with one that refuses the instruments.
func TestOtherMeterProviders(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	rec := telemetrytest.New(t)
	_, _ = rec.Meter("other").Float64UpDownCounter("http.server.request.duration", metric.WithUnit("s")) // no histogram
	var refused []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { refused = append(refused, err) }))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Print(err) }))
	for name, p := range map[string]httpmetrics.Option{
		"SDK":     httpmetrics.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		"refused": httpmetrics.WithMeterProvider(rec),
	} {
		h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "four") }), p)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Body.String() != "four" {
			t.Errorf("%s: answered %q", name, w.Body)
		}
	}
	if conflict := new(*telemetry.ConflictError); len(refused) != 1 || !errors.As(refused[0], conflict) {
		t.Errorf("errors: %v", refused)
	}
	got := collected(t, reader)
	for _, name := range []string{"http.server.request.duration", "http.server.request.body.size", "http.server.response.body.size", "http.server.active_requests"} {
		if !slices.Contains(got, name) {
			t.Errorf("the SDK's reader has no %s, but %q", name, got)
		}
	}
}

// A panic in a program's own function does not cost a request its response.
func TestFunctionsPanic(t *testing.T) {
	rec := telemetrytest.New(t)
	var told []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told = append(told, err) }))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Print(err) }))
	h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "four") }), nil,
		httpmetrics.WithMeterProvider(rec), httpmetrics.WithRoute(func(*http.Request) string { panic("route") }),
		httpmetrics.WithFilter(func(*http.Request) bool { panic("filter") }),
		httpmetrics.WithResult(func(context.Context, httpmetrics.Result) { panic("result") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Body.String() != "four" || rec.Count("http.server.request.duration") != 1 || len(told) != 3 {
		t.Errorf("answered %q, counted %d, told %v", w.Body, rec.Count("http.server.request.duration"), told)
	}
}

// A nil handler means http.DefaultServeMux, as for http.ListenAndServe.
func TestDefaultServeMux(t *testing.T) {
	rec := telemetrytest.New(t)
	w := httptest.NewRecorder()
	httpmetrics.Handler(nil, httpmetrics.WithMeterProvider(rec)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound || rec.Count("http.server.request.duration") != 1 {
		t.Errorf("status %d", w.Code)
	}
}

// Concurrent requests are counted exactly.
func TestConcurrentRequests(t *testing.T) {
	rec := telemetrytest.New(t)
	mux := http.NewServeMux()
	for i := range 20 {
		mux.HandleFunc(fmt.Sprintf("/route/%d", i), func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200 + i%7) })
	}
	h := httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(rec))
	var asking sync.WaitGroup
	for worker := range 8 {
		asking.Go(func() {
			for i := range 1000 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/route/%d", (i+worker)%20), nil))
			}
		})
	}
	asking.Wait()
	if got := rec.Count("http.server.request.duration"); got != 8000 {
		t.Errorf("%v requests were counted", got)
	}
	if got := len(series(rec, durations+"_count")); got != 20 {
		t.Errorf("%d series", got)
	}
	if got := rec.Sum("http.server.active_requests"); got != 0 {
		t.Errorf("%v requests are active", got)
	}
}

// A request costs one allocation beyond its handler, with and without a body. A client's request costs none.
func TestAllocations(t *testing.T) {
	p, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shutdown(context.Background()) }()
	with := httpmetrics.WithMeterProvider(p)
	h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }), with)
	w := httptest.NewRecorder()
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body")),
	} {
		if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n > 1 {
			t.Errorf("%s: %v allocations", r.Method, n)
		}
	}
	answer := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	transport := httpmetrics.Transport(sent(func(*http.Request) (*http.Response, error) { return answer, nil }), with)
	r := httptest.NewRequest(http.MethodGet, "http://a.example/", nil)
	if n := testing.AllocsPerRun(100, func() { _, _ = transport.RoundTrip(r) }); n > 0 {
		t.Errorf("client: %v allocations", n)
	}
}
